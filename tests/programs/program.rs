//! Running the two programs, with limits on every wait.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealcam::clock;
use sealcam::time::{Duration, Instant};
use serde_json::Value;

pub(crate) const SEALCAM: &str = env!("CARGO_BIN_EXE_sealcam");
pub(crate) const SEALVIEW: &str = env!("CARGO_BIN_EXE_sealview");

/// No wait of a test lasts longer: a busy machine may take its time.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Lets some time pass.
pub(crate) fn pause(millis: u64) {
    let millis = i32::try_from(millis).unwrap();
    poll(&mut [], PollTimeout::try_from(millis).unwrap()).unwrap();
}

/// Waits until `is` says so; returns how long that took.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is: impl FnMut() -> bool) -> Duration {
    let start = clock::now();
    while !is() {
        assert!(since(start) < LONG, "waited in vain until {what}");
        pause(10);
    }
    since(start)
}

pub(crate) fn since(start: Instant) -> Duration {
    clock::now().since(start)
}

/// A folder for one test, with a key in it.
pub(crate) struct Room {
    folder: PathBuf,
}

impl Room {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("programs-{name}-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let room = Self { folder };
        room.make_key("key");
        room
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes a key with the real program; returns its fingerprint.
    pub(crate) fn make_key(&self, name: &str) -> String {
        let made = Command::new(SEALCAM).args(["keygen", "--out"]).arg(self.path(name)).output().unwrap();
        let told = String::from_utf8(made.stdout).unwrap();
        assert!(made.status.success(), "{told}");
        told.split("fingerprint ").nth(1).unwrap().split('.').next().unwrap().to_owned()
    }

    /// `sealcam stream TO --key key --state camera ARGS`, figures in `camera.json`. `args` are words between
    /// blanks; a path of this room is written `@name`.
    pub(crate) fn camera(&self, to: &str, args: &str) -> Command {
        let mut command = self.command(SEALCAM, &format!("stream {to} --state @camera"), args);
        if !args.contains("--stats-json") {
            command.arg("--stats-json").arg(self.path("camera.json"));
        }
        command
    }

    /// `sealview watch AT --key key --state viewer --no-window ARGS`, figures in `viewer.json`.
    pub(crate) fn viewer(&self, at: &str, args: &str) -> Command {
        let state = if args.contains("--state") { "" } else { "--state @viewer" };
        let mut command = self.command(SEALVIEW, &format!("watch {at} --no-window {state}"), args);
        if !args.contains("--stats-json") {
            command.arg("--stats-json").arg(self.path("viewer.json"));
        }
        command
    }

    /// A program with words as arguments; `@name` is a path of this room.
    pub(crate) fn command(&self, program: &str, before: &str, args: &str) -> Command {
        let mut command = Command::new(program);
        for word in before.split_whitespace().chain(args.split_whitespace()) {
            match word.split_once('@') {
                Some((prefix, name)) if !name.starts_with(|first: char| first.is_ascii_digit()) => {
                    command.arg(format!("{prefix}{}", self.path(name).display()));
                }
                _ => {
                    command.arg(word);
                }
            }
        }
        if matches!(before.split(' ').next(), Some("stream" | "watch")) && !args.contains("--key") {
            command.arg("--key").arg(self.path("key"));
        }
        command
    }

    /// All objects of a file of figures.
    pub(crate) fn figures(&self, name: &str) -> Vec<Figures> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        // The last line may be on its way.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).map(Figures).collect()
    }

    /// The newest figures; those at the end, if the program has ended.
    #[track_caller]
    pub(crate) fn newest(&self, name: &str) -> Figures {
        self.figures(name).pop().unwrap_or_else(|| panic!("no figures in {name}"))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// One JSON object of `--stats-json`.
#[derive(Debug, Clone)]
pub(crate) struct Figures(pub(crate) Value);

impl Figures {
    /// A number; `name` may lead into an object: `dropped.empty`.
    #[track_caller]
    pub(crate) fn n(&self, name: &str) -> u64 {
        let value = name.split('.').fold(&self.0, |value, key| &value[key]);
        value.as_u64().unwrap_or_else(|| panic!("{name}: {value} in {}", self.0))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }
}

/// A port that nobody listens at, and that no other test of this process gets.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        // Both families, where there are both.
        let socket = UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0")).unwrap();
        let port = socket.local_addr().unwrap().port();
        if TAKEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// A running program; it ends with this.
pub(crate) struct Program {
    name: String,
    child: Child,
    told: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    output: Arc<Mutex<Vec<u8>>>,
}

/// How a program has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: a signal has ended it.
    pub(crate) code: Option<i32>,
    pub(crate) output: Vec<u8>,
    pub(crate) told: String,
    /// Since it was told to end.
    pub(crate) after: Duration,
}

impl Program {
    /// Starts `command` in the network namespace of this thread.
    pub(crate) fn start(mut command: Command) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap().to_string_lossy().into_owned();
        for variable in [
            "RUST_LOG",
            "JOURNAL_STREAM",
            "STATE_DIRECTORY",
            "CREDENTIALS_DIRECTORY",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "WAYLAND_SOCKET",
        ] {
            if !command.get_envs().any(|(key, _)| key == OsStr::new(variable)) {
                command.env_remove(variable);
            }
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        let (told, output) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let (stderr, mut stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        let (lines, bytes) = (Arc::clone(&told), Arc::clone(&output));
        let readers = vec![
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                    let mut lines = lines.lock().unwrap();
                    *lines += &String::from_utf8_lossy(&line);
                    lines.push('\n');
                }
            }),
            std::thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                    bytes.lock().unwrap().extend_from_slice(&buffer[..count]);
                }
            }),
        ];
        Self { name, child, told, readers, output }
    }

    /// Starts a viewer and waits until it listens.
    pub(crate) fn viewer(command: Command) -> Self {
        let viewer = Self::start(command);
        viewer.wait_for("listening on");
        viewer
    }

    /// Its file name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// What it has said on standard error.
    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// What it has written to standard output.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.output.lock().unwrap().clone()
    }

    pub(crate) fn has_told(&self, words: &str) -> bool {
        self.told.lock().unwrap().contains(words)
    }

    /// Waits until it has said these words; returns how long that took.
    #[track_caller]
    pub(crate) fn wait_for(&self, words: &str) -> Duration {
        let start = clock::now();
        while !self.has_told(words) {
            assert!(since(start) < LONG, "{} has not said {words:?}:\n{}", self.name, self.told());
            pause(10);
        }
        since(start)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        let start = clock::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(since(start) < LONG, "{} does not end:\n{}", self.name, self.told());
            pause(5);
        };
        let after = since(start);
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let told = self.told();
        assert!(!told.contains("panicked"), "{told}");
        Ended { code: status.code(), output: self.output(), told, after }
    }

    /// Asks it to end, as a service manager does, and waits for that.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// As [`Self::wait`], and it must have succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Ended {
        let ended = self.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.told);
        ended
    }

    /// As [`Self::end`], and it must have succeeded.
    #[track_caller]
    pub(crate) fn ends_well(self) -> Ended {
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{}", ended.told);
        ended
    }

    /// Processor time that it has used \[s\].
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }

    /// How often its threads have gone to sleep so far.
    pub(crate) fn sleeps(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
            .filter_map(|status| {
                let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
                line.split_whitespace().last()?.parse::<u64>().ok()
            })
            .sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.told());
        }
    }
}
