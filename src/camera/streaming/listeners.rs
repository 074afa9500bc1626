//! Whether anybody listens at the destination, as far as ICMP tells.

use std::fmt;

use crate::net::SendCounters;
use crate::time::{Duration, Instant};

/// A host says at least once a second that a port of its is closed (Linux limits its ICMP answers to that).
/// When it has said nothing for this long, somebody listens.
const QUIET: Duration = Duration::from_secs(3);

/// Follows the refusals that a socket counts. Groups and firewalls refuse nothing; then it says nothing.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    refused: u64,
    last_refusal: Option<Instant>,
}

/// What has changed, for one line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nobody listens.
    Nobody,
    /// Nobody listened, but now somebody does.
    Somebody,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody listens at the destination: start sealview there; sending goes on",
            Self::Somebody => "somebody listens at the destination now",
        })
    }
}

impl Listeners {
    /// Looks at the counters; call it about once a second.
    pub(super) fn look(&mut self, now: Instant, network: &SendCounters) -> Option<Heard> {
        if network.refused > self.refused {
            self.refused = network.refused;
            return self.last_refusal.replace(now).is_none().then_some(Heard::Nobody);
        }
        let quiet = self.last_refusal.is_some_and(|last| now.since(last) >= QUIET);
        quiet.then(|| {
            self.last_refusal = None;
            Heard::Somebody
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_is_said_once() {
        let mut listeners = Listeners::default();
        let steps = [
            (1, 0, None),
            (2, 5, Some(Heard::Nobody)),
            (3, 9, None),
            (5, 9, None), // not heard of for a moment
            (6, 10, None),
            (8, 10, None),
            (9, 10, Some(Heard::Somebody)),
            (20, 10, None),
            (21, 11, Some(Heard::Nobody)),
        ];
        for (second, refused, expected) in steps {
            let network = SendCounters { refused, ..SendCounters::default() };
            assert_eq!(listeners.look(Instant::from_millis(second * 1000), &network), expected, "{second}");
        }
    }
}
