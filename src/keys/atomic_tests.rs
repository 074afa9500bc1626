use super::*;
use crate::keys::state::test_folder;

#[test]
fn short_texts_are_written_over_where_they_lie() {
    let folder = test_folder();
    let path = folder.path().join("a");
    overwrite(&path, "one").unwrap_err();
    assert!(!path.exists(), "nothing to write over");
    fs::write(&path, "nine").unwrap();
    for text in ["ten", "eleven"] {
        overwrite(&path, text).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    overwrite(&path, &"x".repeat(SECTOR + 1)).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "eleven");
}

#[test]
fn a_failure_leaves_the_old_file_and_nothing_else() {
    let folder = test_folder();
    replace(folder.path(), "a", b"old").unwrap();
    // A folder in the file's place cannot be replaced by a file.
    fs::create_dir(folder.path().join("b")).unwrap();
    replace(folder.path(), "b", b"new").unwrap_err();
    assert!(!temporary(folder.path(), "b").exists());
    // Nor can anything be written where a folder stands in the temporary file's place.
    fs::create_dir(temporary(folder.path(), "a")).unwrap();
    replace(folder.path(), "a", b"new").unwrap_err();
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"old");
}

#[cfg(unix)]
#[test]
fn what_lies_in_the_temporary_file_s_place_is_not_written_into() {
    let folder = test_folder();
    let precious = folder.path().join("precious");
    fs::write(&precious, "untouched").unwrap();
    fs::hard_link(&precious, temporary(folder.path(), "a")).unwrap();
    replace(folder.path(), "a", b"new").unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"untouched");
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"new");
}

/// Only root can give files away; elsewhere there is nothing to try.
#[cfg(unix)]
#[test]
fn what_root_writes_belongs_to_whom_it_belonged() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let folder = test_folder();
    if chown(folder.path(), Some(12_345), Some(23_456)).is_err() {
        return;
    }
    let rights = |name: &str| {
        let meta = fs::metadata(folder.path().join(name)).unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    replace(folder.path(), "a", b"one").unwrap();
    lock_file(folder.path(), &folder.path().join(".lock")).unwrap();
    assert_eq!(rights("a"), (12_345, 23_456, 0o600), "a new file: the folder's owner");
    assert_eq!(rights(".lock"), (12_345, 23_456, 0o600));
    chown(folder.path().join("a"), Some(34_567), Some(0)).unwrap();
    fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o664)).unwrap();
    replace(folder.path(), "a", b"two").unwrap();
    assert_eq!(rights("a"), (34_567, 0, 0o644), "an old one: its owner, and its readers");
}
