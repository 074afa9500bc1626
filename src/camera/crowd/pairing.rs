//! A code that is open for pairing, and who has used it.

use std::net::SocketAddr;

use super::Crowd;
use crate::camera::control::PairingState;
use crate::keys::KernelRandom;
use crate::keys::list::ListError;
use crate::keys::viewers::{Viewer, ViewersList};
use crate::proto::pairing::{Code, Offer, OfferState, Partner, Said, SecretLength};
use crate::time::Instant;
use crate::wire::pairing::Pairing;
use crate::wire::{Name, Role};

/// Answers that wait to be sent at once; no more come in a turn from people.
const WAITING: usize = 8;

/// Where those knock who are not let in yet.
#[derive(Default)]
pub(super) struct Door {
    offer: Option<Offer>,
    /// The viewer that has used it.
    used_by: Option<(Name, Role)>,
    said: heapless::Vec<(SocketAddr, Pairing), WAITING>,
    /// A viewer that is to be stored, and where it waits.
    store: Option<(SocketAddr, Partner)>,
    /// Why a viewer that has used the code could not be stored, which has closed it.
    failed: Option<String>,
}

impl Door {
    /// Takes in a datagram of pairing; it is ignored unless a code is open.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        random: &mut KernelRandom,
    ) {
        let Some(offer) = &mut self.offer else { return };
        let Ok(heard) = Pairing::parse(datagram) else { return };
        match offer.handle(now, from.ip(), &heard, random) {
            Said::Reply(reply) => {
                // More than fit are lost, as the network loses them.
                self.said.push((from, reply)).ok();
            }
            Said::Store(viewer) => self.store = Some((from, viewer)),
            Said::Nothing => {}
        }
    }
}

impl Crowd {
    /// Stores who has paired, and says what is to be said.
    pub(super) fn pair(&mut self, now: Instant) {
        if let Some((from, viewer)) = self.door.store.take() {
            let stored = self.list.edit_at_once(|list| store(list, viewer));
            let Some(offer) = &mut self.door.offer else { return };
            match stored {
                Ok(name) => {
                    if let Some(done) = offer.stored() {
                        self.door.said.push((from, done)).ok();
                    }
                    self.door.used_by = Some((name, viewer.role));
                    log::info!(
                        "paired with {name}, who may {}; fingerprint {}",
                        viewer.role,
                        viewer.key.fingerprint()
                    );
                    self.reload(now);
                }
                Err(ListError::Busy) if matches!(offer.state(now), OfferState::Open(..)) => {
                    self.door.store = Some((from, viewer));
                }
                Err(why) => {
                    log::error!("the viewer cannot be stored, so it is not let in: {why}");
                    self.door = Door { failed: Some(why.to_string()), ..Door::default() };
                }
            }
        }
        for (to, said) in &self.door.said {
            self.socket.send_to(&said.to_bytes(), *to);
        }
        self.door.said.clear();
    }

    /// Opens a code, in the place of one that is open.
    pub fn open_pairing(&mut self, now: Instant, role: Role, length: SecretLength) {
        let code = Code::new(length, &mut self.random);
        let own = Partner { key: self.own, name: self.name, role };
        self.door = Door { offer: Some(Offer::new(code, own, now)), ..Door::default() };
    }

    /// Closes it.
    pub fn close_pairing(&mut self) {
        self.door = Door::default();
    }

    /// What has become of the code, which is told only if `reveal`; `None` if there was none.
    #[must_use]
    pub fn pairing(&self, now: Instant, reveal: bool) -> Option<PairingState> {
        if let Some(why) = &self.door.failed {
            return Some(PairingState::Failed { why: why.clone() });
        }
        let offer = self.door.offer.as_ref()?;
        Some(match (offer.state(now), self.door.used_by) {
            (OfferState::Open(until, tries), _) => PairingState::Open {
                seconds: until.since(now).as_secs(),
                tries,
                code: reveal.then(|| offer.code().reveal().to_string()),
                port: self.socket.local_addr().map_or(0, |at| at.port()),
            },
            (OfferState::Used, Some((name, role))) => {
                PairingState::Used { viewer: name.to_string(), role: role.to_string() }
            }
            (OfferState::Burnt, _) => PairingState::Burnt,
            _ => PairingState::Expired,
        })
    }
}

/// Puts the viewer on the list, under a name that nobody else has. Who is on it already gets the new role.
fn store(list: &mut ViewersList, viewer: Partner) -> Result<Name, ListError> {
    if let Some(before) = list.by_key(&viewer.key).copied() {
        list.put(Viewer { role: viewer.role, ..before })?;
        return Ok(before.name);
    }
    let name = list.free_name(viewer.name);
    list.add(Viewer { name, role: viewer.role, key: viewer.key })?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::identity::PublicKey;

    #[test]
    fn two_viewers_of_one_name_are_told_apart() {
        let mut list = ViewersList::new();
        let partner = |key: u8, role| Partner {
            key: PublicKey::from_bytes([key; 32]),
            name: "a-name-of-thirty-two-letters-xyz".parse().unwrap(),
            role,
        };
        assert_eq!(
            store(&mut list, partner(1, Role::View)).unwrap().as_str(),
            "a-name-of-thirty-two-letters-xyz"
        );
        assert_eq!(
            store(&mut list, partner(2, Role::View)).unwrap().as_str(),
            "a-name-of-thirty-two-letters-x-2"
        );
        assert_eq!(
            store(&mut list, partner(3, Role::View)).unwrap().as_str(),
            "a-name-of-thirty-two-letters-x-3"
        );
        // Paired again, it keeps its name and gets its new role.
        assert_eq!(
            store(&mut list, partner(2, Role::Admin)).unwrap().as_str(),
            "a-name-of-thirty-two-letters-x-2"
        );
        assert_eq!(list.len(), 3);
        assert_eq!(list.by_key(&PublicKey::from_bytes([2; 32])).unwrap().role, Role::Admin);
    }
}
