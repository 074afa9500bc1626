//! Libraries to preload into programs under test, built by the C compiler at first use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library of all the C sources in the folder `name` of the tests.
pub(crate) fn build(name: &str) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("{name}.so"));
    let age = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let parts: Vec<PathBuf> = fs::read_dir(&sources)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "c" || ending == "h"))
        .collect();
    if age(&made).is_some_and(|made| parts.iter().all(|part| age(part).is_some_and(|age| age < made))) {
        return made;
    }
    // Test processes run side by side: each builds under a name of its own and moves it into place.
    let own = folder.join(format!("{name}-{}-{:?}.so", std::process::id(), std::thread::current().id()));
    let status = Command::new("cc")
        .args(["-std=c11", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&own)
        .args(parts.iter().filter(|part| part.extension().is_some_and(|ending| ending == "c")))
        .args(["-ldl", "-lpthread"])
        .status()
        .expect("cc builds the library");
    assert!(status.success(), "cc could not build {name}");
    fs::rename(&own, &made).unwrap();
    made
}
