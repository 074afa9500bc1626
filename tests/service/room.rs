//! A folder with a key and a configuration, and a service that runs from it under a pretended systemd.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealcam::clock;
use sealcam::time::{Duration, Instant};

/// The program under test; the soak runs the release's.
pub(crate) fn program() -> OsString {
    std::env::var_os("SOAK_SEALCAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_sealcam").into())
}

/// No wait of a test lasts longer: a busy machine may take its time.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn pause(millis: u64) {
    poll(&mut [], PollTimeout::try_from(i32::try_from(millis).unwrap()).unwrap()).unwrap();
}

pub(crate) fn since(start: Instant) -> Duration {
    clock::now().since(start)
}

/// Waits until `is` says so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let start = clock::now();
    while !is() {
        assert!(since(start) < LONG, "waited in vain until {what}");
        pause(10);
    }
}

/// A port that nobody uses, and that no other test of this process gets.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if TAKEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// A folder for one test.
pub(crate) struct Room {
    folder: PathBuf,
    /// Where the stream goes, and where health is told.
    pub(crate) to: u16,
    pub(crate) health: u16,
}

impl Room {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Short: the path of a socket has at most 107 bytes.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sealcam-service-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("images")).unwrap();
        let room = Self { folder, to: free_port(), health: free_port() };
        let made = room.sealcam(&["keygen", "--out", room.path("key").to_str().unwrap()]);
        assert_eq!(made.code, 0, "{}", made.told);
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the configuration: `stream` goes to its table, `rest` behind it.
    pub(crate) fn configure(&self, stream: &str, rest: &str) {
        let text = format!(
            "schema = 1\n[stream]\nto = \"127.0.0.1:{}\"\nkey = \"key\"\n{stream}\n{rest}\n\
             [service]\nstate = \"state\"\ncontrol = \"run/control.sock\"\n[health]\nlisten = {}\n",
            self.to, self.health
        );
        fs::write(self.path("sealcam.toml"), text).unwrap();
    }

    /// Prepares a fake camera with this scenario at `video0`.
    pub(crate) fn camera(&self, scenario: &str) {
        crate::images::write(&self.path("images"), crate::images::Tables::Own);
        let at = |name: &str| self.path(name).display().to_string();
        let before = format!("node {}\nlog {}\nframes {}\n", at("video0"), at("camera.log"), at("images"));
        fs::write(self.path("scenario"), before + scenario).unwrap();
    }

    /// What the fake camera has seen.
    pub(crate) fn camera_log(&self) -> String {
        let log = fs::read_to_string(self.path("camera.log")).unwrap_or_default();
        assert!(!log.contains("VIOLATION"), "{log}");
        log
    }

    /// Runs a command to its end.
    pub(crate) fn sealcam(&self, args: &[&str]) -> Told {
        let output = Command::new(program()).args(args).env_remove("RUST_LOG").output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Told { code: output.status.code().unwrap(), said: text(&output.stdout), told: text(&output.stderr) }
    }

    /// Runs a command that speaks to the service.
    pub(crate) fn ask(&self, args: &[&str]) -> Told {
        let socket = self.path("run/control.sock");
        self.sealcam(&[args, &["--control", socket.to_str().unwrap()]].concat())
    }

    /// `sealcam status --json`, whatever it says.
    #[track_caller]
    pub(crate) fn status(&self) -> serde_json::Value {
        let told = self.ask(&["status", "--json"]);
        let reply = serde_json::from_str::<serde_json::Value>(&told.said);
        let status = reply.unwrap_or_else(|why| panic!("{why}: {}", told.told))["status"].clone();
        assert_eq!(told.code, i32::from(status["health"]["healthy"] != true), "{status}");
        status
    }

    /// The status line and the content of a page.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.health)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        (head.lines().next().unwrap().to_owned(), content.to_owned())
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.page("/healthz").0 == "HTTP/1.1 200 OK"
    }

    /// The value of a line of `/metrics`.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.page("/metrics").1;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// What a command came to.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) told: String,
}

/// A running service; it ends with this.
pub(crate) struct Service {
    child: Child,
    log: Arc<Mutex<String>>,
    manager: UnixDatagram,
    heard: Vec<String>,
}

impl Service {
    /// Starts the service and waits until it says that it is ready.
    pub(crate) fn start(room: &Room) -> Self {
        let mut service = Self::launch(room, |_| {});
        service.hears("READY=1");
        service
    }

    /// Starts the service with what `with` adds to its command.
    pub(crate) fn launch(room: &Room, with: impl FnOnce(&mut Command)) -> Self {
        let manager = room.path("notify");
        let _ = fs::remove_file(&manager);
        let manager_socket = UnixDatagram::bind(&manager).unwrap();
        manager_socket.set_nonblocking(true).unwrap();
        let mut command = Command::new(program());
        command.args(["run", "--config"]).arg(room.path("sealcam.toml"));
        for variable in
            ["JOURNAL_STREAM", "RUST_LOG", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "WATCHDOG_USEC"]
        {
            command.env_remove(variable);
        }
        command.env("NOTIFY_SOCKET", &manager);
        if room.path("scenario").exists() {
            command.env("LD_PRELOAD", crate::library::build("fake_camera"));
            command.env("FAKE_CAMERA", room.path("scenario"));
        }
        with(&mut command);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *lines.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self { child, log, manager: manager_socket, heard: Vec::new() }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, words: &str) {
        let start = clock::now();
        while !self.log().contains(words) {
            assert!(since(start) < LONG, "the service has not said {words:?}:\n{}", self.log());
            pause(10);
        }
    }

    /// Takes what the service has told its manager since the last time.
    pub(crate) fn takes(&mut self) -> Vec<String> {
        let mut bytes = [0; 4096];
        while let Ok(count) = self.manager.recv(&mut bytes) {
            self.heard.push(String::from_utf8_lossy(&bytes[..count]).into_owned());
        }
        std::mem::take(&mut self.heard)
    }

    /// Waits for a message to the manager that contains `words`; what came before it is gone.
    #[track_caller]
    pub(crate) fn hears(&mut self, words: &str) -> String {
        let start = clock::now();
        loop {
            let mut messages = self.takes();
            if let Some(at) = messages.iter().position(|message| message.contains(words)) {
                self.heard = messages.split_off(at + 1);
                return messages.pop().unwrap();
            }
            assert!(since(start) < LONG, "the manager was not told {words:?}:\n{}", self.log());
            pause(5);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Has the configuration read again, and waits until that is done.
    pub(crate) fn reload(&mut self) {
        self.takes();
        self.signal(Signal::SIGHUP);
        let told = self.hears("RELOADING=1");
        assert!(told.contains("MONOTONIC_USEC="), "{told}");
        self.hears("READY=1");
    }

    /// Waits for its end: exit status and time.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> (Option<i32>, Duration) {
        let start = clock::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(!self.log().contains("panicked"), "{}", self.log());
                return (status.code(), since(start));
            }
            assert!(since(start) < LONG, "the service does not end:\n{}", self.log());
            pause(5);
        }
    }

    /// Ends it as systemd does; it must do so within a second.
    #[track_caller]
    pub(crate) fn stops(&mut self) {
        self.signal(Signal::SIGTERM);
        let (code, after) = self.ends();
        assert_eq!(code, Some(0), "{}", self.log());
        assert!(after < Duration::from_secs(1), "{after:?}\n{}", self.log());
        self.hears("STOPPING=1");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the service said:\n{}", self.log());
        }
    }
}

/// Whether a path is there.
pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
