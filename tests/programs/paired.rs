//! Paired viewers, with the real programs on one machine.

use std::fs;

use sealcam::clock;
use sealcam::time::Duration;

use crate::program::{Ended, Program, Room, SEALCAM, SEALVIEW, free_port, pause, since, wait_until};

/// A camera that serves, with a control socket, and viewers that it knows.
pub(crate) struct Barn {
    pub(crate) room: Room,
    pub(crate) camera: Program,
    pub(crate) port: u16,
}

impl Barn {
    pub(crate) fn start(name: &str, args: &str) -> Self {
        let (room, port) = (Room::new(name), free_port());
        let camera = Program::start(room.command(
            SEALCAM,
            &format!("serve --listen 127.0.0.1:{port} --name barn --state @camera --control @control"),
            &format!("--stats-json @camera.json --source pattern:320x240@30 {args}"),
        ));
        camera.wait_for("source: ");
        Self { room, camera, port }
    }

    pub(crate) fn run(&self, program: &str, line: &str) -> Ended {
        Program::start(self.room.command(program, line, "")).wait()
    }

    /// Runs a command that succeeds, and returns what it says on standard output.
    #[track_caller]
    pub(crate) fn shown(&self, program: &str, line: &str) -> String {
        let ended = self.run(program, line);
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.told);
        String::from_utf8(ended.output).unwrap()
    }

    /// Opens a code, and returns the program that waits for it and the code.
    pub(crate) fn open_code(&self, args: &str) -> (Program, String) {
        let pair = Program::start(self.room.command(SEALCAM, "pair --control @control", args));
        let mut code = String::new();
        wait_until("there is a code", || {
            let text = String::from_utf8(pair.output()).unwrap();
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix("sealview pair ").map(str::to_owned));
            code = line.and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
            code.len() >= 12 && text.contains("role")
        });
        (pair, code)
    }

    /// Pairs a viewer with the camera.
    pub(crate) fn pair(&self, viewer: &str, args: &str) {
        let (pair, code) = self.open_code(args);
        let line = format!("pair 127.0.0.1:{} {code} --name {viewer} --state @{viewer}", self.port);
        assert!(self.shown(SEALVIEW, &line).contains("Paired with barn"));
        assert!(String::from_utf8(pair.succeeds().output).unwrap().contains(&format!("Paired: {viewer}")));
    }

    /// A viewer that watches.
    pub(crate) fn watch(&self, viewer: &str, args: &str) -> Program {
        let line = format!("connect barn --no-window --state @{viewer} --stats-json @{viewer}.json");
        let program = Program::start(self.room.command(SEALVIEW, &line, args));
        program.wait_for("frames come");
        program
    }

    fn whole(&self, viewer: &str) -> u64 {
        self.room.figures(&format!("{viewer}.json")).last().map_or(0, |figures| figures.n("whole"))
    }

    /// Waits until more frames have come to a viewer.
    #[track_caller]
    pub(crate) fn goes_on(&self, viewer: &str) {
        let before = self.whole(viewer);
        wait_until("more frames have come", || self.whole(viewer) > before + 5);
    }
}

#[test]
fn a_code_is_all_that_it_takes() {
    let barn = Barn::start("paired-code", "");
    barn.pair("anna", "");
    let line =
        "connect barn --no-window --state @anna --frames 20 --snapshot @anna.jpg --stats-json @anna.json";
    let start = clock::now();
    barn.shown(SEALVIEW, line);
    eprintln!("20 frames at 30 a second after {:?}", since(start));
    assert!(fs::read(barn.room.path("anna.jpg")).unwrap().starts_with(&[0xff, 0xd8, 0xff]));
    let figures = barn.room.newest("anna.json");
    assert!(figures.n("whole") >= 20 && figures.n("not_signed") == 0 && figures.n("forged") == 0);
    assert_eq!((figures.text("camera"), figures.0["signed"].as_bool()), ("barn", Some(true)));
    // Nobody else gets in by that.
    let ended =
        barn.run(SEALVIEW, &format!("connect 127.0.0.1:{} --no-window --state @eve --timeout 3", barn.port));
    assert!(ended.code != Some(0), "{}", ended.told);
    barn.camera.ends_well();
}

#[test]
fn wrong_codes_are_refused_and_three_burn_the_right_one() {
    let barn = Barn::start("paired-burnt", "");
    let (pair, code) = barn.open_code("");
    let wrong = format!("{}-000000", code.split('-').next().unwrap());
    let line = |code: &str| format!("pair 127.0.0.1:{} {code} --name anna --state @anna", barn.port);
    for _ in 0..3 {
        let ended = barn.run(SEALVIEW, &line(&wrong));
        assert_eq!(ended.code, Some(1));
        assert!(ended.told.contains("does not accept this code"), "{}", ended.told);
    }
    let ended = pair.wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.told.contains("three wrong codes"), "{}", ended.told);
    assert_eq!(barn.run(SEALVIEW, &line(&code)).code, Some(1), "the right one holds no longer");
    assert!(!barn.room.path("anna/cameras").exists() && !barn.room.path("camera/viewers").exists());
    assert_eq!(barn.run(SEALVIEW, &line("nonsense")).code, Some(2));
    barn.camera.ends_well();
}

#[test]
fn a_viewer_is_let_in_and_removed_while_the_stream_goes_on() {
    let barn = Barn::start("paired-removed", "");
    barn.pair("anna", "--role admin");
    let key = barn.shown(SEALVIEW, "identity --state @bob").lines().next().unwrap().to_owned();
    barn.shown(SEALCAM, &format!("viewers add bob {key} --state @camera"));
    let camera = barn.shown(SEALCAM, "identity --state @camera").lines().next().unwrap().to_owned();
    barn.shown(SEALVIEW, &format!("cameras add barn {camera} 127.0.0.1:{} --state @bob", barn.port));
    let (anna, bob) = (barn.watch("anna", ""), barn.watch("bob", ""));
    barn.goes_on("bob");

    // On the camera's machine, by the file alone.
    let start = clock::now();
    barn.shown(SEALCAM, "viewers remove bob --state @camera");
    bob.wait_for("was taken off the camera's list");
    let took = since(start);
    eprintln!("removed by the file after {took:?}");
    assert!(took < Duration::from_secs(5));
    assert_eq!(bob.end().code, Some(0));
    barn.goes_on("anna");

    // From afar, by an admin; and let in again the same way.
    assert!(barn.shown(SEALVIEW, &format!("viewers barn add bob {key} --state @anna")).contains("bob"));
    let bob = barn.watch("bob", "");
    assert!(barn.shown(SEALVIEW, "viewers barn list --state @anna").contains("bob"));
    let start = clock::now();
    barn.shown(SEALVIEW, "viewers barn remove bob --state @anna");
    bob.wait_for("was taken off the camera's list");
    eprintln!("removed from afar after {:?}", since(start));
    bob.end();
    barn.goes_on("anna");

    // A slip of the pen puts nobody out, and is named.
    let file = barn.room.path("camera/viewers");
    let list = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{list}bob veiw {key}\n")).unwrap();
    barn.camera.wait_for("viewers:");
    barn.goes_on("anna");
    fs::write(&file, list).unwrap();
    barn.camera.wait_for("the list of viewers is good again");
    assert_eq!(anna.end().code, Some(0));
    barn.camera.ends_well();
}

#[test]
fn the_camera_holds_everyone_to_their_role() {
    let barn = Barn::start("paired-roles", "--quality 90");
    barn.pair("anna", "--role tune");
    barn.pair("bob", "");
    let bob = barn.watch("bob", "");
    let ended = barn.run(SEALVIEW, "tune barn --quality 5 --state @bob");
    assert_eq!(ended.code, Some(1));
    assert!(ended.told.contains("takes the role tune"), "{}", ended.told);
    let ended = barn.run(SEALVIEW, "viewers barn list --state @anna");
    assert!(ended.code == Some(1) && ended.told.contains("takes the role admin"), "{}", ended.told);
    // Both were asked of the camera, and refused there.
    barn.camera.wait_for("viewer bob may view and is refused");
    barn.camera.wait_for("viewer anna may tune and is refused");

    barn.goes_on("bob");
    assert_eq!(barn.room.newest("bob.json").n("width"), 320);
    assert!(barn.shown(SEALVIEW, "tune barn --quality 30 --size 160x120 --state @anna").contains("160x120"));
    wait_until("bob sees the other size", || barn.room.newest("bob.json").n("width") == 160);
    // Watching from the machine that tunes goes on as well.
    let ended = barn.run(SEALVIEW, "tune barn --quality 101 --state @anna");
    assert_eq!(ended.code, Some(2), "{}", ended.told);
    let anna = barn.watch("anna", "");
    barn.shown(SEALVIEW, "tune barn --quality 40 --state @anna");
    barn.goes_on("anna");
    assert_eq!(anna.end().code, Some(0));
    bob.end();
    barn.camera.ends_well();
}

#[test]
fn on_demand_the_source_is_open_only_while_somebody_watches() {
    let barn = Barn::start("paired-demand", "--on-demand --unsigned");
    barn.pair("anna", "--role tune");
    barn.camera.wait_for("nobody watches");
    let status = barn.shown(SEALCAM, "status --control @control");
    assert!(status.contains("switched off") && status.contains("NOT SIGNED"), "{status}");
    // What is tuned meanwhile holds when it opens again.
    barn.shown(SEALVIEW, "tune barn --size 160x120 --state @anna");
    assert_eq!(barn.camera.told().matches("somebody watches").count(), 0);
    let anna = barn.watch("anna", "");
    barn.camera.wait_for("somebody watches");
    barn.goes_on("anna");
    assert_eq!(barn.room.newest("anna.json").n("width"), 160);
    assert_eq!(barn.room.newest("anna.json").0["signed"].as_bool(), Some(false));
    assert!(anna.has_told("sign"), "{}", anna.told());
    assert_eq!(anna.end().code, Some(0));
    wait_until("it is closed again", || barn.camera.told().matches("nobody watches").count() == 2);
    barn.camera.ends_well();
}

#[test]
fn mistakes_are_named() {
    let barn = Barn::start("paired-usage", "");
    let again = barn.run(
        SEALCAM,
        &format!("serve --listen 127.0.0.1:{} --source pattern --state @b --control @c2", barn.port),
    );
    assert_eq!(again.code, Some(2));
    assert!(again.told.contains("--listen"), "{}", again.told);
    for (line, words) in [
        ("serve --packet-size 500 --source pattern", "576"),
        ("serve --group 192.0.2.1:5000 --source pattern", "--group"),
        ("serve --listen 239.1.1.1:5000 --source pattern", "--listen"),
        ("serve --name a/b --source pattern", "a name is 1 to 32"),
        ("pair --control @nowhere", "no service is running"),
    ] {
        let ended = barn.run(
            SEALCAM,
            &format!("{line} --state @x")
                .replace("pair --control @nowhere --state @x", "pair --control @nowhere"),
        );
        assert!(ended.code != Some(0) && ended.told.contains(words), "{line}: {}", ended.told);
    }
    pause(1);
    barn.camera.ends_well();
}
