//! How things stand with a paired camera, in words.

use std::net::SocketAddr;

use crate::proto::connection::{Refusal, Standing};
use crate::time::Duration;
use crate::wire::Farewell;

/// A camera that has not answered for so long may not be where it is looked for.
pub(super) const UNANSWERED: Duration = Duration::from_secs(3);

/// Where the list of a camera that runs as a service is.
const A_SERVICES: &str = "for a service with sudo and --state /var/lib/sealcam";

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// Frames come.
    Receiving,
    /// The viewer is in, and the first frame is on its way.
    Expecting,
    /// Datagrams come, but no frame becomes whole.
    Lossy,
    /// The viewer is in, but no frames come.
    Empty,
    /// No camera has answered yet.
    Knocking,
    /// Nor for long.
    Unanswered,
    /// The camera was there and is not heard any more.
    Silent,
    /// The camera has refused.
    Refused(Refusal),
    /// The camera has ended the session.
    Ended(Farewell),
}

impl Situation {
    /// Where there is no session: what follows from the standing, after so much time of knocking.
    #[must_use]
    pub fn of(standing: Standing, knocked: Duration) -> Self {
        match standing {
            Standing::Knocking if knocked >= UNANSWERED => Self::Unanswered,
            Standing::Knocking => Self::Knocking,
            Standing::Silent => Self::Silent,
            Standing::In => Self::Expecting,
            Standing::Refused(why) => Self::Refused(why),
            Standing::Ended(why) => Self::Ended(why),
        }
    }

    /// Whether waiting alone will hardly help.
    #[must_use]
    pub const fn needs_someone(self) -> bool {
        matches!(
            self,
            Self::Refused(Refusal::NotListed) | Self::Ended(Farewell::Removed | Farewell::Displaced)
        )
    }
}

/// Whom the words are about.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What the camera is called here.
    pub camera: &'a str,
    /// Where it is looked for.
    pub addresses: &'a [SocketAddr],
    /// This viewer's public key.
    pub own_key: &'a str,
    /// For how long the camera has not been heard.
    pub unheard: Duration,
}

/// Why there is no picture, or no new one; `None` while frames come.
#[must_use]
pub fn trouble(situation: Situation, scene: &Scene<'_>) -> Option<String> {
    let Scene { camera, own_key, unheard, .. } = scene;
    let places = || scene.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Some(match situation {
        Situation::Receiving => return None,
        Situation::Expecting => format!("connected to {camera}, waiting for its first frame"),
        Situation::Lossy => "datagrams arrive, but frame after frame lacks some of them: the network loses them, or \
                             this machine's receive buffer is too small; `sealview tune` lowers quality or frame \
                             rate, net.core.rmem_max is raised here"
            .into(),
        Situation::Empty => format!(
            "connected to {camera}, but no frames come: its source may be off or broken (`sealcam status` there says), \
             or something on the way keeps large datagrams back (a smaller --packet-size there helps)"
        ),
        Situation::Knocking if scene.addresses.is_empty() => format!("looking for {camera} on the local network"),
        Situation::Unanswered if scene.addresses.is_empty() => format!(
            "{camera} is not found on the local network for {} s: is `sealcam serve` running there, without \
             --no-announce? It may be farther away: `sealview connect ADDRESS --key KEY` once, and it is remembered",
            unheard.as_secs()
        ),
        Situation::Knocking => format!("knocking at {}", places()),
        Situation::Unanswered => format!(
            "no answer from {camera} at {} for {} s: is `sealcam serve` running there, and do firewalls let UDP \
             through? The address may be wrong, or the key: the camera answers only to who knows its key, which \
             `sealcam identity` shows there",
            places(),
            unheard.as_secs()
        ),
        Situation::Silent => format!("{camera} has been silent for {} s: looking for it again", unheard.as_secs()),
        Situation::Refused(Refusal::NotListed) => format!(
            "this viewer's key is not on the camera's list: on the camera run `sealcam viewers add NAME {own_key}` \
             ({A_SERVICES})"
        ),
        Situation::Refused(Refusal::Full) | Situation::Ended(Farewell::Full) => format!(
            "{camera} has as many viewers as it takes: one must leave, or the camera be told to take more; asking \
             again every 5 s"
        ),
        Situation::Ended(Farewell::Removed) => format!(
            "this viewer was taken off the camera's list: to be let in again, on the camera run `sealcam viewers add \
             NAME {own_key}` ({A_SERVICES})"
        ),
        Situation::Ended(Farewell::Stopping) => format!("{camera} was stopped; knocking until it is back"),
        Situation::Ended(Farewell::Displaced) => format!(
            "other programs with this viewer's key have taken its place at {camera}, which takes only a few: end one \
             of them; if they are not yours, the key was copied: delete identity.key in the state folder, have the \
             camera let the new key in, and take the old one off its list"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_names_its_mend() {
        let addresses = ["192.168.1.30:5004".parse().unwrap(), "[2001:db8::30]:5004".parse().unwrap()];
        let unheard = Duration::from_millis(7_900);
        let scene = Scene { camera: "barn", addresses: &addresses, own_key: "sealpub1own", unheard };
        let refused = |why| Situation::of(Standing::Refused(why), unheard);
        let ended = |why| Situation::of(Standing::Ended(why), unheard);
        let cases = [
            (Situation::of(Standing::Knocking, Duration::ZERO), "at 192.168.1.30:5004, [2001:db8::30]:5004"),
            (Situation::of(Standing::Knocking, UNANSWERED), "or the key"),
            (Situation::of(Standing::Silent, unheard), "silent for 7 s"),
            (Situation::of(Standing::In, unheard), "waiting for its first frame"),
            (Situation::Lossy, "sealview tune"),
            (Situation::Empty, "sealcam status"),
            (
                refused(Refusal::NotListed),
                "this viewer's key is not on the camera's list: on the camera run \
                 `sealcam viewers add NAME sealpub1own`",
            ),
            (refused(Refusal::Full), "as many viewers as it takes"),
            (ended(Farewell::Full), "as many viewers as it takes"),
            (ended(Farewell::Removed), "sealcam viewers add NAME sealpub1own"),
            (ended(Farewell::Stopping), "was stopped"),
            (ended(Farewell::Displaced), "identity.key"),
        ];
        for (situation, words) in cases {
            let text = trouble(situation, &scene).unwrap();
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(trouble(Situation::Receiving, &scene), None);
        let lost = Scene { addresses: &[], ..scene };
        for (situation, words) in [
            (Situation::Knocking, "looking for barn"),
            (Situation::Unanswered, "not found on the local network"),
        ] {
            assert!(trouble(situation, &lost).unwrap().contains(words));
        }
    }
}
