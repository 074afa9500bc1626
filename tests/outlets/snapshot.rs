use crate::folder::Folder;
use crate::pictures::{Stream, grey, without_tables};
use sealcam::viewer::snapshot::{Snapshots, Target};
use std::fs;
use std::path::PathBuf;
use std::thread;

fn outcome(snapshots: &Snapshots) -> Result<PathBuf, String> {
    loop {
        if let Some(outcome) = snapshots.take_outcome() {
            return outcome.map_err(|error| error.to_string());
        }
        thread::yield_now();
    }
}

#[test]
fn the_first_frame_is_there_at_once_and_the_newest_at_the_end() {
    let folder = Folder::new();
    let path = folder.join("now.jpg");
    fs::write(&path, "an older snapshot").unwrap();
    let mut snapshots = Snapshots::start(Target::File(path.clone())).unwrap();
    assert!(!snapshots.save(), "there is no frame yet");
    let images: Vec<Vec<u8>> = (0..5).map(|n| grey(64, 48, n * 50)).collect();
    let mut stream = Stream::new();
    snapshots.offer(&stream.frame(&images[0], 0));
    assert_eq!(outcome(&snapshots), Ok(path.clone()));
    assert_eq!(fs::read(&path).unwrap(), images[0]);
    for image in &images[1..4] {
        snapshots.offer(&stream.frame(image, 0));
    }
    assert!(snapshots.save());
    assert_eq!(outcome(&snapshots), Ok(path.clone()));
    assert_eq!(fs::read(&path).unwrap(), images[3]);
    snapshots.offer(&stream.frame(&without_tables(&images[4]), 0));
    assert_eq!(snapshots.finish(), Ok(Some(path.clone())));
    assert_eq!(fs::read(&path).unwrap().len(), images[4].len() - 12, "tables in one segment, not four");
    assert_eq!(folder.names(), ["now.jpg"], "nothing else is left");
}

#[test]
fn without_a_name_each_gets_a_free_number() {
    let folder = Folder::new();
    fs::write(folder.join("sealview-2.jpg"), "from yesterday").unwrap();
    let mut snapshots = Snapshots::start(Target::Folder(folder.to_owned())).unwrap();
    snapshots.offer(&Stream::new().frame(&grey(64, 48, 9), 0));
    assert_eq!(folder.names(), ["sealview-2.jpg"], "only when asked");
    for name in ["sealview-1.jpg", "sealview-3.jpg"] {
        assert!(snapshots.save());
        assert_eq!(outcome(&snapshots), Ok(folder.join(name)));
        assert_eq!(fs::read(folder.join(name)).unwrap(), grey(64, 48, 9));
    }
    assert_eq!(snapshots.finish(), Ok(None));
    assert_eq!(fs::read(folder.join("sealview-2.jpg")).unwrap(), b"from yesterday");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let path = folder.join("nowhere/now.jpg");
    let mut snapshots = Snapshots::start(Target::File(path.clone())).unwrap();
    snapshots.offer(&Stream::new().frame(&grey(64, 48, 9), 0));
    let error = snapshots.finish().unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("No such file"), "{error}");
}
