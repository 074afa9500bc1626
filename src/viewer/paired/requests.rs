//! What a camera is asked over a connection, and what it answers: one JSON object each.
//!
//! ```json
//! {"do":"tune","quality":70,"fps":10}                    -> {"ok":true,...}
//! {"do":"viewers","from":0}                              -> {"ok":true,"viewers":[{"name":"anna",...}],"next":20}
//! {"do":"viewer-add","name":"anna","key":"sealpub1...","role":"view"}
//! {"do":"viewer-remove","name":"anna"}
//! whatever cannot be done                                -> {"ok":false,"error":"why, and the mend"}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::RunError;
use crate::wire::Control;

/// What a camera is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// To change the picture.
    Tune(Tuning),
    /// For the viewers on its list, as many as fit into an answer, from this one on.
    Viewers {
        /// How many to leave out.
        from: u32,
    },
    /// To let a viewer in.
    ViewerAdd {
        /// What to call it.
        name: String,
        /// Its public key.
        key: String,
        /// What it may do.
        role: &'static str,
    },
    /// To let a viewer in no longer.
    ViewerRemove {
        /// What it is called.
        name: String,
    },
}

/// What is changed of the picture; the rest stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Tuning {
    /// JPEG quality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// Frames a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// `640x360`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// A source's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As in the area's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area: Option<Value>,
    /// Numbers, or names of menu items.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub controls: BTreeMap<String, Value>,
}

impl Request {
    /// As it goes to the camera.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] if it is too long.
    pub fn to_text(&self) -> Result<Vec<u8>, RunError> {
        let text = serde_json::to_vec(self).map_err(RunError::failed)?;
        if text.len() <= Control::MAX_TEXT {
            return Ok(text);
        }
        Err(RunError::Usage(format!(
            "{} bytes at once are too much for the camera, which takes {}: change fewer things at a time",
            text.len(),
            Control::MAX_TEXT
        )))
    }
}

/// What the camera answers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Reply {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(default)]
    pub error: Option<String>,
    /// Viewers on the list.
    #[serde(default)]
    pub viewers: Vec<ListedViewer>,
    /// Where the rest of the list begins, if there is more.
    #[serde(default)]
    pub next: Option<u32>,
    /// Anything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A viewer on the camera's list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ListedViewer {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// Its public key.
    pub key: String,
    /// Where it is, if it is there.
    #[serde(default)]
    pub address: Option<String>,
    /// For how many seconds.
    #[serde(default)]
    pub joined_s: Option<f64>,
}

impl Reply {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`RunError::Failed`] if the camera refuses, or says what is no answer.
    pub fn parse(text: &[u8]) -> Result<Self, RunError> {
        let reply: Self = serde_json::from_slice(text).map_err(|why| {
            RunError::Failed(format!("the camera's answer is none that this version knows: {why}"))
        })?;
        if reply.ok {
            return Ok(reply);
        }
        let why = reply.error.unwrap_or_else(|| "without saying why".into());
        Err(RunError::Failed(format!("the camera refuses: {}", printable(&why))))
    }
}

/// What a camera says, without what a terminal would act on.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(request: &Request) -> String {
        String::from_utf8(request.to_text().unwrap()).unwrap()
    }

    #[test]
    fn requests_are_as_the_camera_reads_them() {
        let controls = [("gain".to_owned(), json!(3)), ("power".to_owned(), json!("50 Hz"))];
        let tuning = Tuning {
            quality: Some(70),
            fps: Some(10.0),
            size: Some("640x360".into()),
            source: Some("front".into()),
            area: Some(json!({"selected_rect": []})),
            controls: controls.into(),
        };
        let cases = [
            (
                Request::Tune(tuning),
                json!({"do":"tune","quality":70,"fps":10.0,"size":"640x360","source":"front",
                    "area":{"selected_rect":[]},"controls":{"gain":3,"power":"50 Hz"}}),
            ),
            (Request::Tune(Tuning::default()), json!({"do":"tune"})),
            (Request::Viewers { from: 0 }, json!({"do":"viewers","from":0})),
            (
                Request::ViewerAdd { name: "anna".into(), key: "sealpub1x".into(), role: "view" },
                json!({"do":"viewer-add","name":"anna","key":"sealpub1x","role":"view"}),
            ),
            (Request::ViewerRemove { name: "anna".into() }, json!({"do":"viewer-remove","name":"anna"})),
        ];
        for (request, expected) in cases {
            assert_eq!(serde_json::from_str::<Value>(&text(&request)).unwrap(), expected);
            assert!(!text(&request).contains('\n'));
        }
        let long = Request::ViewerRemove { name: "x".repeat(Control::MAX_TEXT) };
        assert!(long.to_text().unwrap_err().to_string().contains("fewer things"));
    }

    #[test]
    fn answers_are_read_and_refusals_told() {
        let text = br#"{"ok":true,"viewers":[{"name":"anna","role":"view","key":"k","address":null},
            {"name":"ben","role":"tune","key":"l","address":"10.0.0.9:4000","joined_s":61}],"next":2,"x":1}"#;
        let reply = Reply::parse(text).unwrap();
        assert_eq!((reply.viewers.len(), reply.next), (2, Some(2)));
        assert_eq!(reply.viewers[1].joined_s, Some(61.0));
        assert_eq!(reply.rest["x"], 1);
        for (text, words) in [
            (&br#"{"ok":false,"error":"no\u001b[2J"}"#[..], "refuses: no\u{fffd}[2J"),
            (br#"{"ok":false}"#, "without saying why"),
            (b"hello", "none that this version knows"),
        ] {
            let why = Reply::parse(text).unwrap_err().to_string();
            assert!(why.contains(words), "{why}");
        }
    }
}
