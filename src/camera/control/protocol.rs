//! Requests and answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::camera::config::LONGEST_NAME;
use crate::camera::server::{LONGEST_REQUEST, Response};
use crate::camera::status::Status;
use crate::wire::Role;

/// What is asked of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// What it does.
    Status {},
    /// Which sources there are.
    Sources {},
    /// Switch to a source, or to none with `off`.
    Source {
        /// The source.
        name: String,
    },
    /// Change the picture of the source that is sent, until the service starts again or reads its file.
    Tune(Box<Tune>),
    /// Who is let in, and who watches.
    Viewers {
        /// Leave out so many: an answer to a viewer has to fit into a datagram.
        #[serde(default)]
        from: usize,
    },
    /// Let a viewer in.
    ViewerAdd {
        /// What to call it.
        name: String,
        /// Its public key, `sealpub1...`.
        key: String,
        /// What it may do: `view` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
    },
    /// Open a code for pairing, in the place of one that is open.
    Pair {
        /// What the viewer may do then: `view` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Whether the code is for a QR code, which carries a longer one.
        #[serde(default)]
        scanned: bool,
    },
    /// What has become of the code.
    Pairing {},
    /// Close the code.
    PairCancel {},
    /// Let a viewer in no longer.
    ViewerRemove {
        /// What it is called.
        name: String,
    },
}

impl Request {
    /// What a viewer must be allowed to ask for this.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Status {} | Self::Sources {} => Role::View,
            Self::Source { .. } | Self::Tune(_) => Role::Tune,
            Self::Viewers { .. }
            | Self::ViewerAdd { .. }
            | Self::ViewerRemove { .. }
            | Self::Pair { .. }
            | Self::Pairing {}
            | Self::PairCancel {} => Role::Admin,
        }
    }
}

/// What is to be changed about the picture; the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// JPEG quality, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// Most frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// `WIDTHxHEIGHT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The source to switch to first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The area to rectify, as in an area file; null for the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub area: Option<serde_json::Value>,
    /// Controls of the camera, such as `exposure_time_absolute`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub controls: BTreeMap<String, serde_json::Value>,
}

/// `null` is a value here, and not the want of one.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(value).map(Some)
}

/// What the service answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The source that is sent now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// All sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceState>,
    /// What the service does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<Status>>,
    /// Who is let in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub viewers: Vec<ViewerState>,
    /// There are more of them: ask again from this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<usize>,
    /// What has become of the code for pairing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<PairingState>,
    /// What the picture is now, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

/// What has become of a code for pairing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum PairingState {
    /// It holds.
    Open {
        /// For so many seconds.
        seconds: u64,
        /// Wrong codes that may still come.
        tries: u8,
        /// The code itself, told once: to whoever has asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// The port that the camera listens at.
        port: u16,
    },
    /// A viewer has used it, and is let in under that name.
    Used {
        /// The name.
        viewer: String,
        /// What it may do.
        role: String,
    },
    /// A viewer has used it and could not be stored, so it is not let in; the code holds no longer.
    Failed {
        /// What kept it from being stored.
        why: String,
    },
    /// Too many wrong codes came.
    Burnt,
    /// Nobody has used it in time, or it was closed.
    Expired,
}

/// A viewer that is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerState {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// Its public key, where the list is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Where it watches from; none while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// For how many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_s: Option<u64>,
}

/// A source that can be switched to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Its name.
    pub name: String,
    /// Where its frames come from.
    pub source: String,
    /// Whether it is the one that is sent.
    pub active: bool,
}

impl Reply {
    /// It could not be done.
    #[must_use]
    pub fn refusal(why: impl Into<String>) -> Self {
        Self { error: Some(why.into()), ..Self::default() }
    }

    /// As a line.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self)
            .unwrap_or_else(|_| br#"{"ok":false,"error":"the answer cannot be written"}"#.to_vec());
        line.push(b'\n');
        line
    }
}

/// Takes the bytes that came so far for a request: `Ok(None)` while its line has not ended.
///
/// # Errors
///
/// The answer to what is no request.
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, Box<Reply>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        if bytes.len() >= LONGEST_REQUEST {
            let why = format!("a request is one line of at most {LONGEST_REQUEST} bytes");
            return Err(Box::new(Reply::refusal(why)));
        }
        return Ok(None);
    };
    parse_line(&bytes[..end]).map(Some)
}

/// Takes a whole line for a request.
///
/// # Errors
///
/// The answer to what is no request.
pub fn parse_line(line: &[u8]) -> Result<Request, Box<Reply>> {
    match serde_json::from_slice(line) {
        Ok(Request::Source { name }) if name.len() > LONGEST_NAME => Err(Box::new(Reply::refusal(format!(
            "no source is called so: a name has at most {LONGEST_NAME} characters"
        )))),
        Ok(request) => Ok(request),
        Err(why) => Err(Box::new(Reply::refusal(format!("not a request: {why}")))),
    }
}

/// What a connection gets for the bytes that came so far, `answer` being the service's part.
pub(crate) fn respond(bytes: &[u8], answer: impl FnOnce(Request) -> Reply) -> Response {
    match parse(bytes) {
        Ok(None) => Response::More,
        Ok(Some(request)) => Response::Answer(answer(request).to_line()),
        Err(refusal) => Response::Answer(refusal.to_line()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_all_else_is_answered() {
        let source = |name: &str| Request::Source { name: name.into() };
        // (bytes, request or words of the refusal)
        let cases: [(&str, Result<Option<Request>, &str>); 14] = [
            ("{\"do\":\"status\"}\n", Ok(Some(Request::Status {}))),
            ("{\"do\":\"sources\"}\nrest", Ok(Some(Request::Sources {}))),
            ("{\"do\":\"source\",\"name\":\"front\"}\n", Ok(Some(source("front")))),
            ("{\"name\":\"\",\"do\":\"source\"}\r\n", Ok(Some(source("")))),
            (
                "{\"do\":\"source\",\"name\":\"abcdefghijklmnopqrstuvwxyz1234567\"}\n",
                Err("at most 32 characters"),
            ),
            ("", Ok(None)),
            ("{\"do\":\"status\"}", Ok(None)),
            ("\n", Err("not a request")),
            ("hello\n", Err("not a request")),
            ("{\"do\":\"reboot\"}\n", Err("unknown variant `reboot`, expected one of `status`, `sources`")),
            ("{\"do\":\"status\",\"x\":1}\n", Err("unknown field `x`")),
            ("{\"do\":\"source\"}\n", Err("missing field `name`")),
            ("[]\n", Err("not a request")),
            ("{\"do\":\"source\",\"name\":1}\n", Err("expected a string")),
        ];
        for (bytes, expected) in cases {
            match (parse(bytes.as_bytes()), expected) {
                (Ok(request), Ok(expected)) => assert_eq!(request, expected, "{bytes}"),
                (Err(reply), Err(words)) => {
                    let why = reply.error.clone().unwrap_or_default();
                    assert!(why.contains(words) && !reply.ok, "{bytes}: {why}");
                    assert_eq!(reply.to_line().iter().filter(|byte| **byte == b'\n').count(), 1);
                }
                (result, _) => panic!("{bytes}: {result:?}"),
            }
        }
        let long = vec![b' '; LONGEST_REQUEST];
        assert!(parse(&long).unwrap_err().error.unwrap().contains("4096"));
        assert!(parse(&[b'['; LONGEST_REQUEST]).is_err());
        let mut deep = vec![b'['; LONGEST_REQUEST - 1];
        deep.push(b'\n');
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn answers_come_back_as_they_were() {
        let state = SourceState { name: "a\n\"".into(), source: "/dev/video0".into(), active: true };
        let reply = Reply { ok: true, active: Some("a".into()), sources: vec![state], ..Reply::default() };
        let line = reply.to_line();
        let again: Reply = serde_json::from_slice(&line).unwrap();
        assert_eq!((again.ok, again.active, again.sources), (true, reply.active, reply.sources));
        assert!(!String::from_utf8_lossy(&line).contains("error"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let mut asked = None;
            let response = respond(&bytes, |request| { asked = Some(request); Reply::default() });
            proptest::prop_assert_eq!(response == Response::More, !bytes.contains(&b'\n'));
        }
    }
}
