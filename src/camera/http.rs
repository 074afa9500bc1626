//! As much of HTTP/1.1 (RFC 9112) as it takes to be read by a monitoring system: two paths, nothing to write.

use super::server::{LONGEST_REQUEST, Response};

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `/metrics`: figures in the text format of Prometheus.
    Metrics,
    /// `/healthz`: 200 or 503.
    Health,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The head has not come whole.
    More,
    /// A page; only its head for `HEAD`.
    Page {
        /// Which one.
        page: Page,
        /// Without the content.
        head_only: bool,
    },
    /// Something that gets this status instead.
    Refused(Status),
}

/// Statuses of RFC 9110.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the RFC")]
pub enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    HeadTooLarge,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// Reads the head of a request, which may not have come whole yet.
#[must_use]
pub fn parse(bytes: &[u8]) -> Request {
    let Some(line_end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() >= LONGEST_REQUEST {
            Request::Refused(Status::HeadTooLarge)
        } else {
            Request::More
        };
    };
    let request = request_line(bytes[..line_end].trim_ascii_end());
    let rest = &bytes[line_end..];
    let whole =
        rest.windows(2).any(|pair| pair == b"\n\n") || rest.windows(3).any(|three| three == b"\n\r\n");
    match request {
        Err(status) => Request::Refused(status),
        Ok(_) if !whole && bytes.len() >= LONGEST_REQUEST => Request::Refused(Status::HeadTooLarge),
        Ok(_) if !whole => Request::More,
        Ok((page, head_only)) => Request::Page { page, head_only },
    }
}

fn request_line(line: &[u8]) -> Result<(Page, bool), Status> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    if !version.starts_with(b"HTTP/1.") {
        return Err(Status::BadRequest);
    }
    let head_only = match method {
        b"GET" => false,
        b"HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let page = match path {
        b"/metrics" => Page::Metrics,
        b"/healthz" => Page::Health,
        _ => return Err(Status::NotFound),
    };
    Ok((page, head_only))
}

/// An answer with `content`, which is left out for `HEAD`.
#[must_use]
pub fn answer(status: Status, content: &str, head_only: bool) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {}\r\n{allow}Content-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n",
        status.line(),
        content.len()
    );
    let mut bytes = head.into_bytes();
    if !head_only {
        bytes.extend_from_slice(content.as_bytes());
    }
    Response::Answer(bytes)
}

/// The answer to what is refused.
#[must_use]
pub fn refusal(status: Status) -> Response {
    answer(status, &format!("{}; there are /metrics and /healthz, to be read\n", status.line()), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let page = |page, head_only| Request::Page { page, head_only };
        let refused = Request::Refused;
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(LONGEST_REQUEST));
        let line = "x".repeat(LONGEST_REQUEST);
        let cases = [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", page(Page::Metrics, false)),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", page(Page::Metrics, false)),
            ("HEAD /healthz HTTP/1.1\nHost: a\n\n", page(Page::Health, true)),
            ("", Request::More),
            ("GET /met", Request::More),
            ("GET /metrics HTTP/1.1\r\n", Request::More),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n", Request::More),
            ("GET /metrics HTTP/2\r\n\r\n", refused(Status::BadRequest)),
            ("GET /metrics\r\n\r\n", refused(Status::BadRequest)),
            ("\r\n\r\n", refused(Status::BadRequest)),
            ("GET  /metrics HTTP/1.1\r\n\r\n", refused(Status::BadRequest)),
            ("POST /metrics HTTP/1.1\r\n", refused(Status::MethodNotAllowed)),
            ("GET / HTTP/1.1\r\n", refused(Status::NotFound)),
            ("GET /metrics/ HTTP/1.1\r\n", refused(Status::NotFound)),
            ("GET /../metrics HTTP/1.1\r\n", refused(Status::NotFound)),
            (&long, refused(Status::HeadTooLarge)),
            (&line, refused(Status::HeadTooLarge)),
        ];
        for (text, expected) in cases {
            let bytes = &text.as_bytes()[..text.len().min(LONGEST_REQUEST)];
            assert_eq!(parse(bytes), expected, "{text:.60}");
        }
    }

    #[test]
    fn answers_say_their_length_and_close() {
        let Response::Answer(bytes) = answer(Status::Unavailable, "no signal\n", false) else { panic!() };
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
        assert!(text.contains("Content-Length: 10\r\n") && text.contains("Connection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nno signal\n"), "{text}");
        let Response::Answer(bytes) = answer(Status::Ok, "x", true) else { panic!() };
        assert!(bytes.ends_with(b"\r\n\r\n"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
            let mut head = b"GET /metrics HTTP/1.1".to_vec();
            head.extend_from_slice(&bytes);
            let _ = parse(&head);
        }
    }
}
