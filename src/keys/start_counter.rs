//! How often the camera has started.

use super::state::{StateError, StateFolder};
use crate::wire::StreamId;

const NAME: &str = "start-counter";
/// Deleting the file alone would have every viewer refuse the camera: to them it is a recording.
const MEND: &str = "write a number into the file that is higher than the last start's; or delete it, and run \
                    `sealview watch --forget` once wherever the camera is watched";
/// There is no higher number; viewers remember starts for each key.
const MEND_AT_END: &str =
    "make a new key with `sealcam keygen` for the camera and its viewers, and delete the file";

/// Counts one more start, on the disk before it returns, and names a new stream with it.
///
/// Two cameras that share the folder get different counters.
///
/// # Errors
///
/// [`StateError`] if the counter cannot be kept: a stream without it would be refused as a recording.
pub fn next_stream(state: &StateFolder, random: [u8; 8]) -> Result<StreamId, StateError> {
    let _lock = state.lock()?;
    let path = state.path().join(NAME);
    let before = match state.read(NAME, MEND)? {
        None => 0,
        Some(text) => text
            .trim_end()
            .parse::<u32>()
            .map_err(|_| StateError::damaged(&path, "not a start counter", MEND))?,
    };
    let counter = before
        .checked_add(1)
        .ok_or_else(|| StateError::damaged(&path, "the start counter is at its end", MEND_AT_END))?;
    state.replace(NAME, &format!("{counter}\n"))?;
    Ok(StreamId::new(counter, random))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::state::test_folder;

    #[test]
    fn every_start_counts() {
        let folder = test_folder();
        for expected in 1..4 {
            assert_eq!(next_stream(folder.state(), [0; 8]).unwrap().counter(), expected);
        }
    }

    #[test]
    fn starts_at_the_same_time_differ() {
        let folder = test_folder();
        let mut counters: Vec<u32> = std::thread::scope(|scope| {
            let start = || next_stream(folder.state(), [0; 8]).unwrap().counter();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        counters.sort_unstable();
        assert_eq!(counters, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn damage_is_not_taken_for_a_first_start() {
        let folder = test_folder();
        let mend = "sealview watch --forget";
        for (text, mend) in
            [("", mend), ("x", mend), ("-1", mend), ("4294967296", mend), ("4294967295", "keygen")]
        {
            folder.state().replace(NAME, text).unwrap();
            let why = next_stream(folder.state(), [0; 8]).unwrap_err().to_string();
            assert!(why.contains(NAME) && why.contains(mend), "{why}");
        }
    }
}
