use super::*;
use crate::keys::atomic;
use crate::keys::state::test_folder;
use crate::keys::viewers::{Viewer, ViewersFile};
use crate::proto::identity::PublicKey;
use crate::wire::Role;

fn viewer(name: &str, key: u8) -> Viewer {
    Viewer { name: name.parse().unwrap(), role: Role::View, key: PublicKey::from_bytes([key; 32]) }
}

fn names(file: &mut ViewersFile) -> Vec<String> {
    file.read().unwrap().iter().map(|viewer| viewer.name.to_string()).collect()
}

#[test]
fn a_change_is_noticed_once() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    assert!(file.changed(), "never read");
    assert!(names(&mut file).is_empty() && !file.changed());
    // By another program.
    let other = ViewersFile::new(folder.state().clone());
    for (at, name) in ["anna", "bert", "carl"].into_iter().enumerate() {
        other.edit(|list| list.add(viewer(name, at as u8))).unwrap();
        assert!(file.changed(), "{name}");
        assert_eq!(names(&mut file).len(), at + 1);
        assert!(!file.changed());
    }
    // In place, as some editors do, and to the same length.
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.starts_with("# Whom this camera lets in") && text.matches('#').count() == 2, "{text}");
    fs::write(file.path(), text.replace("bert", "bort")).unwrap();
    assert!(file.changed());
    assert_eq!(names(&mut file), ["anna", "bort", "carl"]);
    // What changes nothing is not written.
    file.edit(|list| Ok(list.remove("nobody".parse().unwrap()))).unwrap();
    assert!(!file.changed());
    fs::remove_file(file.path()).unwrap();
    assert!(file.changed() && names(&mut file).is_empty() && !file.changed());
}

#[test]
fn a_mistake_is_told_once_and_what_the_system_refuses_again() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    fs::write(file.path(), "anna\n").unwrap();
    assert!(!file.read().unwrap_err().is_of_the_system());
    assert!(!file.changed(), "the file is wrong until somebody mends it");
    fs::remove_file(file.path()).unwrap();
    fs::create_dir(file.path()).unwrap();
    assert!(file.changed());
    assert!(file.read().unwrap_err().is_of_the_system());
    assert!(file.changed(), "it may be gone at the next attempt");
}

#[test]
fn an_edit_that_fails_changes_nothing() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    file.edit(|list| list.add(viewer("anna", 1))).unwrap();
    let before = fs::read(file.path()).unwrap();
    file.edit(|list| {
        list.add(viewer("bert", 2))?;
        list.add(viewer("carl", 1))
    })
    .unwrap_err();
    assert_eq!(fs::read(file.path()).unwrap(), before);
    // Remarks fill the file up to its bound: what could not be read again is not written.
    let filled = [&*before, &vec![b'#'; LONGEST as usize - before.len() - 1], b"\n"].concat();
    fs::write(file.path(), &filled).unwrap();
    assert_eq!(names(&mut file), ["anna"]);
    let why = file.edit(|list| list.add(viewer("bert", 2))).unwrap_err().to_string();
    assert!(why.contains("longer than 262144 bytes"), "{why}");
    assert_eq!(fs::read(file.path()).unwrap(), filled);
    fs::write(file.path(), [&*filled, b"\n"].concat()).unwrap();
    let why = file.read().unwrap_err().to_string();
    assert!(why.contains("too long; shorten it"), "{why}");
}

/// Whatever part of the new list was on the disk when the power failed: the old list is the one that counts, and
/// the next edit is not disturbed.
#[test]
fn a_power_loss_at_any_byte_leaves_the_old_list() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    file.edit(|list| list.add(viewer("anna", 1))).unwrap();
    let old = fs::read(file.path()).unwrap();
    file.edit(|list| list.add(viewer("bert", 2))).unwrap();
    let new = fs::read(file.path()).unwrap();
    let temporary = atomic::temporary(folder.path(), Viewer::FILE);
    for cut in 0..=new.len() {
        fs::write(file.path(), &old).unwrap();
        fs::write(&temporary, &new[..cut]).unwrap();
        assert_eq!(names(&mut file), ["anna"], "{cut}");
        if cut % 16 == 0 {
            file.edit(|list| list.add(viewer("bert", 2))).unwrap();
            assert!(!temporary.exists());
            assert_eq!(fs::read(file.path()).unwrap(), new, "{cut}");
        }
    }
}

#[test]
fn edits_at_the_same_time_are_all_kept() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    std::thread::scope(|scope| {
        for at in 0..8 {
            let file = ViewersFile::new(folder.state().clone());
            scope.spawn(move || file.edit(|list| list.add(viewer(&format!("v{at}"), at))).unwrap());
        }
    });
    assert_eq!(names(&mut file).len(), 8);
}
