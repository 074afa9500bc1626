//! Requests and answers.

use serde::{Deserialize, Serialize};

use crate::camera::config::LONGEST_NAME;
use crate::camera::server::{LONGEST_REQUEST, Response};
use crate::camera::status::Status;

/// What is asked of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, Reply> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        if bytes.len() >= LONGEST_REQUEST {
            return Err(Reply::refusal(format!("a request is one line of at most {LONGEST_REQUEST} bytes")));
        }
        return Ok(None);
    };
    match serde_json::from_slice(&bytes[..end]) {
        Ok(Request::Source { name }) if name.len() > LONGEST_NAME => Err(Reply::refusal(format!(
            "no source is called so: a name has at most {LONGEST_NAME} characters"
        ))),
        Ok(request) => Ok(Some(request)),
        Err(why) => Err(Reply::refusal(format!("not a request: {why}"))),
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
