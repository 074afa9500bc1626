//! The two ends: the emulated board with the firmware, and the receiver on this machine.

use crate::judge::jpeg_length;
use sealcam::clock;
use sealcam::time::{Duration, Instant};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::{env, fs, thread};

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Longest that a scenario may take on the board, start included.
const LIMIT: &str = "180";

/// The same for Debian.
const DEBIAN_LIMIT: &str = "900";

/// Silence after which nothing more is expected once the board is off.
const QUIET: Duration = Duration::from_secs(1);

/// A folder of one test's own, with a key in it.
pub(crate) struct Lab {
    folder: PathBuf,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let name = thread::current().name().expect("tests run in named threads").to_owned();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("board-{name}"));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("a folder below target/");
        let lab = Self { folder };
        let made =
            Command::new(env!("CARGO_BIN_EXE_sealcam")).args(["keygen", "--out"]).arg(lab.key()).output();
        let made = made.expect("sealcam runs");
        assert!(made.status.success(), "keygen: {}", String::from_utf8_lossy(&made.stderr));
        lab
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("board.key")
    }

    /// What the scenario wrote to /share/out.
    pub(crate) fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    pub(crate) fn clip(&self) -> PathBuf {
        Path::new(ROOT).join("target/board/clip.mjpeg")
    }

    /// Boots the board into a scenario; `arguments` are files and settings for it.
    pub(crate) fn boot(&self, scenario: &str, arguments: &[&str]) -> Board {
        self.boot_with(&["-t", LIMIT], scenario, arguments)
    }

    /// The same with a port of this machine through which the board's 5004 is reached.
    pub(crate) fn boot_reachable(&self, port: u16, scenario: &str, arguments: &[&str]) -> Board {
        self.boot_with(&["-t", LIMIT, "-p", &port.to_string()], scenario, arguments)
    }

    /// A file or folder of the test's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a program of ours to its end, and returns the first line of what it prints.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], state: &str) -> String {
        let mut command = Command::new(program);
        let output = command.args(arguments).arg("--state").arg(self.file(state)).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    }

    /// Boots the board with a whole Debian on it.
    pub(crate) fn boot_debian(&self, scenario: &str, arguments: &[&str]) -> Board {
        self.boot_with(&["-d", "-t", DEBIAN_LIMIT], scenario, arguments)
    }

    fn boot_with(&self, options: &[&str], scenario: &str, arguments: &[&str]) -> Board {
        let mut child = Command::new(Path::new(ROOT).join("tests/board/run"))
            .args(options)
            .arg("-o")
            .arg(self.out())
            .arg(scenario)
            .arg(self.key())
            .arg("KEY=board.key")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/board/run starts");
        let console = lines_of(child.stdout.take().expect("piped"));
        Board { child, console }
    }
}

/// The running board.
pub(crate) struct Board {
    child: Child,
    console: Receiver<(Instant, String)>,
}

impl Board {
    /// Waits until the scenario has ended well, and returns what the console said and when.
    pub(crate) fn finish(mut self) -> Vec<(Instant, String)> {
        let console: Vec<_> = self.console.iter().collect();
        let status = self.child.wait().expect("tests/board/run ends");
        assert!(status.success(), "the scenario on the board: {status}");
        console
    }
}

impl Drop for Board {
    /// `tests/board/run` takes its machine along.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Passes the console on to the test's output, with the time at which each line came.
fn lines_of(console: ChildStdout) -> Receiver<(Instant, String)> {
    let (to, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(console).lines().map_while(Result::ok) {
            eprintln!("board| {line}");
            if to.send((clock::now(), line)).is_err() {
                break;
            }
        }
    });
    lines
}

/// A frame as the receiver wrote it.
pub(crate) struct Frame {
    pub(crate) at: Instant,
    pub(crate) jpeg: Vec<u8>,
}

/// A running `sealview --stdout`.
pub(crate) struct Watch {
    child: Child,
    port: u16,
    frames: Receiver<Frame>,
}

impl Watch {
    pub(crate) fn start(lab: &Lab) -> Self {
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealview"));
        command
            .args(["watch", &format!("127.0.0.1:{port}"), "--no-window", "--stdout", "--key"])
            .arg(lab.key())
            .env("XDG_STATE_HOME", lab.folder.join("state"));
        Self::of(command, port)
    }

    /// A paired viewer whose state is in the folder `state`.
    pub(crate) fn paired(lab: &Lab, camera: &str, port: u16, state: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealview"));
        command.args(["connect", camera, "--no-window", "--stdout", "--state"]).arg(lab.file(state));
        Self::of(command, port)
    }

    fn of(mut command: Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("sealview starts");
        let frames = frames_of(child.stdout.take().expect("piped"));
        Self { child, port, frames }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// All frames, once no more come.
    pub(crate) fn finish(self) -> Vec<Frame> {
        std::iter::from_fn(|| self.frames.recv_timeout(QUIET).ok()).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A UDP port of this machine that nobody uses.
pub(crate) fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    socket.expect("a free port").port()
}

fn frames_of(mut stdout: ChildStdout) -> Receiver<Frame> {
    let (to, frames) = channel();
    thread::spawn(move || {
        let mut stream = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        while let Ok(got @ 1..) = stdout.read(&mut chunk) {
            stream.extend_from_slice(&chunk[..got]);
            while let Some(length) = jpeg_length(&stream) {
                let rest = stream.split_off(length);
                let jpeg = std::mem::replace(&mut stream, rest);
                if to.send(Frame { at: clock::now(), jpeg }).is_err() {
                    return;
                }
            }
        }
    });
    frames
}
