//! `sealcam demo`: the first thing that people run.

use std::fs;

use crate::display::Display;
use crate::pictures::{decode, size};
use crate::program::{Program, Room, SEALCAM, pause, wait_until};

/// The processes that `pid` has started.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn demo(room: &Room, args: &str) -> std::process::Command {
    let mut command = room.command(SEALCAM, "demo --source pattern:320x240@15", args);
    command.env("TMPDIR", room.path("")).env("HOME", room.path("home")).current_dir(room.path(""));
    command
}

/// What the demo has left in its folder for temporary files.
fn left(room: &Room) -> Vec<String> {
    let names = fs::read_dir(room.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("sealcam-demo-")).collect()
}

#[test]
fn without_a_window_it_leaves_a_picture() {
    let room = Room::new("demo");
    let started = Program::start(demo(&room, "--no-window --seconds 3"));
    wait_until("both programs run", || children(started.pid()).len() == 2);
    let programs = children(started.pid());
    let ended = started.succeeds();
    assert!((2.5..6.0).contains(&ended.after.as_secs_f64()), "{:?}: {}", ended.after, ended.told);
    let picture = fs::read(room.path("sealcam-demo.jpg")).unwrap();
    assert_eq!(size(&picture), (320, 240));
    assert!(decode(&picture).pixels.iter().any(|sample| *sample > 180));
    assert!(!programs.iter().any(|pid| lives(*pid)));
    assert_eq!(left(&room), [""; 0]);
    assert!(!room.path("home").exists(), "the demo touches no one's state");
    assert!(ended.told.contains("the newest picture is in sealcam-demo.jpg"), "{}", ended.told);
    assert!(ended.told.contains(" fps  "), "live figures: {}", ended.told);
}

#[test]
fn it_ends_with_its_programs_however_it_is_ended() {
    let room = Room::new("demo-end");
    let started = Program::start(demo(&room, "--no-window --seconds 60"));
    wait_until("both programs run", || children(started.pid()).len() == 2);
    let programs = children(started.pid());
    started.wait_for("info: stream ");
    let ended = started.ends_well();
    assert!(ended.after.as_secs_f64() < 2.0, "{:?}", ended.after);
    assert!(!programs.iter().any(|pid| lives(*pid)));
    assert_eq!(left(&room), [""; 0]);

    // A source that cannot be used ends it, and the reason is the last thing said.
    let mut command = room.command(SEALCAM, "demo --no-window --source file:/nowhere", "");
    command.env("TMPDIR", room.path("")).current_dir(room.path(""));
    let ended = Program::start(command).wait();
    assert_eq!(ended.code, Some(1), "{}", ended.told);
    assert!(ended.told.contains("/nowhere: No such file"), "{}", ended.told);
    assert!(ended.after.as_secs_f64() < 5.0, "{:?}", ended.after);
    assert_eq!(left(&room), [""; 0]);
}

#[test]
fn with_a_display_it_shows_the_picture_until_q() {
    let Some(display) = Display::start() else { return };
    let room = Room::new("demo-window");
    let mut command = demo(&room, "");
    command.env("DISPLAY", display.name());
    let started = Program::start(command);
    let (left_edge, top, width, height) =
        display.wait_for_window(|(width, height)| width > 100 && height > 100);
    display.wait_until("the scene is in the window", || {
        let pixels = display.pixels(left_edge, top, (width, height));
        let different: std::collections::BTreeSet<_> = pixels.iter().map(|p| p.map(|c| c / 32)).collect();
        different.len() > 12
    });
    let programs = children(started.pid());
    assert_eq!(programs.len(), 2);
    pause(300);
    assert!(started.has_told("press q in the window to end"), "{}", started.told());
    display.press("q");
    let ended = started.succeeds();
    assert!(!programs.iter().any(|pid| lives(*pid)), "{}", ended.told);
    assert_eq!(left(&room), [""; 0]);
}
