//! How things stand, in words.

use std::net::SocketAddr;

use crate::proto::receiver::Condition;
use crate::time::Instant;

/// Why there is no picture, or no new one; `None` while frames come.
#[must_use]
pub fn trouble(condition: Condition, at: SocketAddr, now: Instant) -> Option<String> {
    Some(match condition {
        Condition::Live(_) => return None,
        Condition::Lossy(_) => "datagrams arrive, but frame after frame lacks some of them: the network loses \
                                 them, or this machine's receive buffer is too small; lower --quality or --fps on \
                                 the camera, raise net.core.rmem_max here"
            .into(),
        Condition::Waiting => format!("waiting for the camera on {at}"),
        Condition::WrongKey(fingerprint) => format!(
            "wrong key: datagrams arrive on {at}, but none opens with the key {fingerprint}; the camera tells \
             its key's fingerprint when it starts, and both must be the same"
        ),
        Condition::Stale { lowest } => format!(
            "refusing an old stream: its start counter is below {lowest}, which was seen with this key before. \
             It is a recording, or a second camera with the same key (give each camera its own), or the camera \
             has lost its state folder or was started by another user \
             (then watch once with --forget)"
        ),
        Condition::Silent { since } => {
            format!("the camera has been silent for {} s", now.since(since).as_secs())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key_schedule::SharedKey;
    use crate::wire::StreamId;

    #[test]
    fn every_trouble_names_its_mend() {
        let key = SharedKey::from_bytes([1; 32]).fingerprint();
        let at = SocketAddr::from(([239, 1, 2, 3], 5000));
        let now = Instant::from_millis(90_000);
        let cases = [
            (Condition::Waiting, "239.1.2.3:5000".to_owned()),
            (Condition::WrongKey(key), key.to_string()),
            (Condition::Stale { lowest: 7 }, "--forget".to_owned()),
            (Condition::Lossy(StreamId::new(1, [0; 8])), "--quality".to_owned()),
            (Condition::Silent { since: Instant::from_millis(60_000) }, "30 s".to_owned()),
        ];
        for (condition, names) in cases {
            let text = trouble(condition, at, now).unwrap();
            assert!(text.contains(&names), "{text}");
        }
        assert_eq!(trouble(Condition::Live(StreamId::new(1, [0; 8])), at, now), None);
    }
}
