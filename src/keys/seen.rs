//! What a viewer remembers of the streams under one key.

use super::state::{StateError, StateFolder};
use crate::proto::key_schedule::Fingerprint;
use crate::proto::streams::Seen;
use crate::wire::StreamId;

const MEND: &str = "run `sealview watch --forget` once while the camera is known to be live";

/// The newest stream seen under one key, kept in the state folder.
#[derive(Debug, Clone)]
pub struct SeenFile {
    state: StateFolder,
    name: String,
}

impl SeenFile {
    /// The file for the key with this fingerprint.
    #[must_use]
    pub fn new(state: StateFolder, key: Fingerprint) -> Self {
        Self { state, name: format!("seen-{key}") }
    }

    /// What was kept.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be read: going on without it would let recordings in.
    pub fn load(&self) -> Result<Option<Seen>, StateError> {
        let Some(text) = self.state.read(&self.name, MEND)? else { return Ok(None) };
        let damaged = || {
            StateError::damaged(&self.state.path().join(&self.name), "not what a viewer has written", MEND)
        };
        parse(&text).map(Some).ok_or_else(damaged)
    }

    /// Keeps `seen`, unless another viewer has kept a newer stream meanwhile.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn store(&self, seen: Seen) -> Result<(), StateError> {
        let _lock = self.state.lock()?;
        if self.load()?.is_some_and(|kept| is_newer(kept, seen)) {
            return Ok(());
        }
        self.state.replace(&self.name, &format!("{} {}\n", seen.stream, seen.newest))
    }

    /// Forgets what was kept, so that a camera which has lost its state is accepted again.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be deleted.
    pub fn forget(&self) -> Result<(), StateError> {
        self.state.remove(&self.name)
    }
}

fn is_newer(kept: Seen, than: Seen) -> bool {
    kept.stream.counter() > than.stream.counter() || kept.stream == than.stream && kept.newest > than.newest
}

fn parse(text: &str) -> Option<Seen> {
    let (stream, newest) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(Seen { stream: StreamId::from_text(stream)?, newest: newest.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::state::test_folder;
    use crate::proto::key_schedule::SharedKey;

    fn seen(counter: u32, newest: u64) -> Seen {
        Seen { stream: StreamId::new(counter, [3; 8]), newest }
    }

    #[test]
    fn never_goes_back() {
        let folder = test_folder();
        let file = SeenFile::new(folder.state().clone(), SharedKey::from_bytes([1; 32]).fingerprint());
        assert_eq!(file.load().unwrap(), None);
        for (store, kept) in [
            (seen(2, 50), seen(2, 50)),
            (seen(2, 40), seen(2, 50)),
            (seen(1, 900), seen(2, 50)),
            (seen(2, 51), seen(2, 51)),
            (seen(3, 0), seen(3, 0)),
        ] {
            file.store(store).unwrap();
            assert_eq!(file.load().unwrap(), Some(kept));
        }
        file.forget().unwrap();
        assert_eq!(file.load().unwrap(), None);
    }

    #[test]
    fn damage_is_told_apart_from_nothing() {
        let folder = test_folder();
        let file = SeenFile::new(folder.state().clone(), SharedKey::from_bytes([1; 32]).fingerprint());
        for text in ["", "\n", "2-0303030303030303 50", "2-03 50\n", "2-0303030303030303 x\n"] {
            folder.state().replace(&file.name, text).unwrap();
            let why = file.load().unwrap_err().to_string();
            assert!(why.contains("seen-") && why.contains("--forget"), "{text:?}: {why}");
        }
    }
}
