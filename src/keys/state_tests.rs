use super::*;

#[test]
fn texts_are_replaced_as_a_whole() {
    let folder = test_folder();
    let state = folder.state();
    assert!(state.read("a", "mend it").unwrap().is_none());
    state.replace("a", "one, and longer").unwrap();
    state.replace("a", "two").unwrap();
    assert_eq!(state.read("a", "mend it").unwrap().as_deref(), Some("two"));
    // What a power loss left half written does not disturb the next time.
    fs::write(state.path().join(".a.new"), "tw").unwrap();
    assert_eq!(state.read("a", "mend it").unwrap().as_deref(), Some("two"));
    state.replace("a", "three").unwrap();
    assert_eq!(state.read("a", "mend it").unwrap().as_deref(), Some("three"));
    state.remove("a").unwrap();
    state.remove("a").unwrap();
    assert!(state.read("a", "mend it").unwrap().is_none());
}

#[test]
fn a_folder_that_cannot_be_made_names_the_mend() {
    let why = StateFolder::open(Some(Path::new("/proc/nothing/here"))).unwrap_err().to_string();
    assert!(why.contains("/proc/nothing/here") && why.contains("--state DIR"), "{why}");
}

#[test]
fn damage_names_the_mend_of_the_caller() {
    let folder = test_folder();
    for (bytes, what) in [(vec![b'1'; LONGEST as usize + 1], "too long"), (vec![0xff], "no text")] {
        fs::write(folder.path().join("a"), bytes).unwrap();
        let why = folder.state().read("a", "mend it").unwrap_err().to_string();
        assert!(why.contains(what) && why.contains("; mend it"), "{why}");
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn folders_that_others_may_write_are_refused() {
    use std::os::unix::fs::MetadataExt;
    let folder = test_folder();
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, 0o700, "made here");
    // (mode, taken): 0755 is what systemd gives
    for (mode, taken) in
        [(0o700, true), (0o755, true), (0o770, false), (0o757, false), (0o1777, false), (0o750, true)]
    {
        set_mode(folder.path(), mode);
        match StateFolder::open(Some(folder.path())) {
            Ok(_) => assert!(taken, "{mode:o}"),
            Err(why) => {
                let why = why.to_string();
                assert!(!taken && why.contains("chmod go-w") && why.contains("--state DIR"), "{why}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn files_that_others_may_write_are_refused() {
    let folder = test_folder();
    folder.state().replace("a", "one").unwrap();
    for (mode, taken) in [(0o600, true), (0o644, true), (0o400, true), (0o620, false), (0o602, false)] {
        set_mode(&folder.path().join("a"), mode);
        match folder.state().read("a", "") {
            Ok(text) => assert!(taken && text.as_deref() == Some("one"), "{mode:o}"),
            Err(why) => assert!(!taken && why.to_string().contains("chmod go-w"), "{why}"),
        }
    }
    fs::create_dir(folder.path().join("b")).unwrap();
    let why = folder.state().read("b", "").unwrap_err().to_string();
    assert!(why.contains("no regular file"), "{why}");
}

/// Only root can give a folder away; elsewhere there is nothing to try.
#[cfg(unix)]
#[test]
fn folders_of_other_users_are_refused() {
    let folder = test_folder();
    if std::os::unix::fs::chown(folder.path(), Some(12_345), None).is_err() {
        return;
    }
    let why = StateFolder::open(Some(folder.path())).unwrap_err().to_string();
    assert!(why.contains("another user (12345)") && why.contains("--state DIR"), "{why}");
    assert!(StateFolder::open_to_edit(Some(folder.path())).is_ok(), "root may edit");
}

#[cfg(unix)]
#[test]
fn a_folder_may_be_behind_a_link_and_its_files_may_not() {
    use std::os::unix::fs::symlink;
    let folder = test_folder();
    let (private, public) = (folder.path().join("private"), folder.path().join("public"));
    let state = StateFolder::open(Some(&private)).unwrap();
    symlink(&private, &public).unwrap();
    let linked = StateFolder::open(Some(&public)).unwrap();
    linked.replace("a", "one").unwrap();
    assert_eq!(state.read("a", "").unwrap().as_deref(), Some("one"));

    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    for name in [".lock", ".a.new", "b"] {
        symlink(&elsewhere, private.join(name)).unwrap();
    }
    let refusals = [
        state.lock().map(|_| ()).unwrap_err(),
        state.replace("a", "two").unwrap_err(),
        state.read("b", "").map(|_| ()).unwrap_err(),
    ];
    for why in refusals.map(|why| why.to_string()) {
        assert!(why.contains("symbolic link") && why.contains("remove it"), "{why}");
    }
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "untouched");
    assert_eq!(state.read("a", "").unwrap().as_deref(), Some("one"));
}
