//! Paired viewers of a service that runs from a file, which is read again while nobody watches.

use std::fs;

use nix::sys::signal::Signal;

use crate::paired::Barn;
use crate::program::{Program, Room, SEALCAM, free_port, wait_until};

/// A service from a file with these `sources`; it is there once it says so.
fn service(name: &str) -> Barn {
    let (room, port) = (Room::new(name), free_port());
    configure(&room, port, "", &[front("160x120"), back()]);
    let camera = Program::start(room.command(SEALCAM, "run --config @sealcam.toml", ""));
    camera.wait_for("source: ");
    Barn { room, camera, port }
}

fn configure(room: &Room, port: u16, service: &str, sources: &[String]) {
    let at = |name: &str| room.path(name).display().to_string();
    let text = format!(
        "schema = 1\n[serve]\nlisten = \"127.0.0.1:{port}\"\nname = \"barn\"\non-demand = true\nannounce = false\n\
         [service]\nstate = \"{}\"\ncontrol = \"{}\"\n{service}\n{}",
        at("camera"),
        at("control"),
        sources.concat()
    );
    fs::write(room.path("sealcam.toml"), text).unwrap();
}

fn front(size: &str) -> String {
    format!("[[source]]\nname = \"front\"\nsource = \"pattern:{size}@30\"\n")
}

fn back() -> String {
    "[[source]]\nname = \"back\"\nsource = \"pattern:96x80@30\"\n".into()
}

impl Barn {
    /// The service has read another file.
    fn reads(&self, service: &str, sources: &[String]) {
        let count = || self.camera.told().matches("read again").count();
        let before = count();
        configure(&self.room, self.port, service, sources);
        self.camera.signal(Signal::SIGHUP);
        wait_until("the file is read", || count() > before);
    }

    fn is_closed(&self) -> bool {
        // The service may not be healthy for a moment, as it has just opened the source.
        let ended = self.run(SEALCAM, "status --control @control");
        String::from_utf8(ended.output).unwrap().contains("switched off")
    }

    /// Anna looks, and goes again; returns the width of what she saw.
    fn look(&self) -> u64 {
        let anna = self.watch("anna", "");
        self.goes_on("anna");
        let width = self.room.newest("anna.json").n("width");
        assert_eq!(anna.end().code, Some(0));
        width
    }
}

#[test]
fn a_file_that_is_read_while_nobody_watches_is_obeyed() {
    let barn = service("paired-file");
    barn.pair("anna", "");
    wait_until("it is closed", || barn.is_closed());
    // The one that waits for viewers is known by its name.
    barn.reads("", &[back(), front("320x240")]);
    assert!(barn.is_closed());
    assert_eq!(barn.look(), 320);
    wait_until("it is closed", || barn.is_closed());
    // The last of two goes.
    barn.reads("", &[back()]);
    assert!(barn.is_closed());
    assert_eq!(barn.look(), 96);
    wait_until("it is closed", || barn.is_closed());
    // Off is off, whoever comes.
    barn.reads("active = \"off\"", &[back(), front("160x120")]);
    let opened = || barn.camera.told().matches("opening the source").count();
    let before = opened();
    let come = || barn.camera.told().matches("viewer anna has come").count();
    let visits = come();
    let line = "connect barn --no-window --state @anna";
    let anna = Program::start(barn.room.command(crate::program::SEALVIEW, line, ""));
    wait_until("she has come", || come() > visits);
    anna.wait_for("no frames come");
    assert_eq!((opened(), barn.is_closed()), (before, true));
    anna.end();
    // Another one that the file asks for is sent, and waits for viewers like the one before.
    barn.reads("active = \"front\"", &[back(), front("160x120")]);
    wait_until("it is closed", || barn.is_closed());
    assert_eq!(barn.look(), 160);
    barn.camera.ends_well();
}

#[test]
fn a_viewer_that_cannot_be_stored_is_told_to_whoever_pairs() {
    let barn = service("paired-store");
    let (pair, code) = barn.open_code("");
    fs::write(barn.room.path("camera/viewers"), "anna veiw\n").unwrap();
    let line = format!("pair 127.0.0.1:{} {code} --name anna --state @anna", barn.port);
    let ended = barn.run(crate::program::SEALVIEW, &line);
    assert_eq!(ended.code, Some(1));
    assert!(ended.told.contains("`sealcam pair` there tells"), "{}", ended.told);
    let pair = pair.wait();
    assert_eq!(pair.code, Some(1));
    for words in ["has the right code, but cannot be let in", "viewers:1:6: ", "view, tune or admin"] {
        assert!(pair.told.contains(words), "{}", pair.told);
    }
    assert!(!barn.room.path("anna/cameras").exists());
    barn.camera.ends_well();
}
