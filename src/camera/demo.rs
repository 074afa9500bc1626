//! Both programs at work on one machine: `sealcam demo`.
//!
//! Makes a key in a folder of its own, starts `sealview watch` on a free port of the loopback interface
//! and `sealcam stream` towards it, and ends both when either has ended.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::args::DemoArgs;
use super::devices::Devices;
use crate::exit::RunError;
use crate::keys::{key_file, random};
use crate::signals::Signals;

/// Shows the whole way at work.
///
/// # Errors
///
/// [`RunError`] if one of the two programs cannot be found, started, or fails.
pub fn demo(args: &DemoArgs) -> Result<(), RunError> {
    let signals =
        Signals::hold(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD]).map_err(RunError::failed)?;
    let window = !args.no_window && has_display();
    let source = args.source.clone().unwrap_or_else(choose_source);
    let folder =
        Folder::new().map_err(|why| RunError::Failed(format!("no folder for the demo's key: {why}")))?;
    let key = folder.0.join("secret.key");
    let mut bytes = [0; 32];
    random(&mut bytes).map_err(RunError::failed)?;
    let made = key_file::create(&key, &bytes).map_err(RunError::failed)?;
    let to = free_port().map_err(|why| RunError::Failed(format!("no free UDP port: {why}")))?;

    log::info!("demo: {source} -> sealed with a fresh key ({}) -> {to} -> sealview", made.fingerprint());
    if window {
        log::info!("press q in the window to end");
    } else {
        log::info!(
            "no window: live figures for {} s, then a picture in {}",
            args.seconds,
            args.snapshot.display()
        );
    }
    let ours = std::env::current_exe().map_err(RunError::failed)?;
    let mut view = Command::new(sealview(&ours));
    view.args(["watch", &to, "--state"]).arg(folder.0.join("viewer")).arg("--key").arg(&key);
    if !window {
        view.arg("--no-window").arg("--snapshot").arg(&args.snapshot);
    }
    let viewer = Running::start("sealview", view)?;
    let mut send = Command::new(&ours);
    send.args(["stream", &to, "--source", &source, "--state"])
        .arg(folder.0.join("camera"))
        .arg("--key")
        .arg(&key);
    let camera = Running::start("sealcam", send)?;
    watch_over(&signals, camera, viewer, (!window).then_some(args.seconds))?;
    if !window && args.snapshot.exists() {
        log::info!("the newest picture is in {}", args.snapshot.display());
    }
    Ok(())
}

/// Waits until the time is over, one of the two has ended, or a signal comes; then ends both.
fn watch_over(
    signals: &Signals,
    mut camera: Running,
    mut viewer: Running,
    seconds: Option<u32>,
) -> Result<(), RunError> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let started = crate::clock::now();
    let limit = seconds.map(|seconds| crate::time::Duration::from_secs(seconds.into()));
    loop {
        let left = limit.map(|limit| limit.saturating_sub(crate::clock::now().since(started)));
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        let timeout =
            left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        // Interrupted or not, what matters is looked at below.
        poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout).ok();
        match signals.next().map_err(RunError::failed)? {
            Some(Signal::SIGCHLD) if !camera.has_ended() && !viewer.has_ended() => {}
            Some(_) => break,
            None => {}
        }
    }
    // The camera first, so that the viewer sees its last frames.
    let camera = camera.end();
    let viewer = viewer.end();
    camera.and(viewer)
}

/// One of the two programs.
struct Running {
    name: &'static str,
    child: Child,
    ended: Option<Result<(), RunError>>,
}

impl Running {
    fn start(name: &'static str, mut command: Command) -> Result<Self, RunError> {
        let child = command.spawn().map_err(|why| {
            let program = command.get_program().to_string_lossy().into_owned();
            RunError::Failed(format!(
                "cannot start {program}: {why}; build or install sealview beside sealcam: \
                 `cargo build --release --no-default-features --features viewer`"
            ))
        })?;
        Ok(Self { name, child, ended: None })
    }

    fn has_ended(&mut self) -> bool {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some(self.outcome(status));
        }
        self.ended.is_some()
    }

    fn outcome(&self, status: std::process::ExitStatus) -> Result<(), RunError> {
        if status.success() {
            return Ok(());
        }
        Err(RunError::Failed(format!("{} has ended: {status}", self.name)))
    }

    /// Asks it to end and waits until it has.
    fn end(mut self) -> Result<(), RunError> {
        if self.has_ended() {
            return self.ended.take().unwrap_or(Ok(()));
        }
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).ok();
        let status = self.child.wait().map_err(RunError::failed)?;
        self.outcome(status)
    }
}

impl Drop for Running {
    /// Leaves no program behind when the other one could not be started.
    fn drop(&mut self) {
        if !self.has_ended() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// A folder that only we can look into, gone with its content at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let mut bits = [0; 8];
        random(&mut bits)?;
        let path = std::env::temp_dir().join(format!("sealcam-demo-{:016x}", u64::from_ne_bytes(bits)));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn has_display() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()))
}

/// The receiver beside this program, else the one on the search path.
fn sealview(ours: &Path) -> PathBuf {
    let beside = ours.with_file_name("sealview");
    if beside.is_file() { beside } else { "sealview".into() }
}

/// The first camera that can be used, else the test scene.
fn choose_source() -> String {
    let devices = Devices::of_this_machine();
    let first = devices.nodes.iter().find(|listed| listed.usable());
    first.map_or_else(|| "pattern".into(), |listed| listed.path.display().to_string())
}

/// A port of the loopback interface that nobody listens at now.
fn free_port() -> std::io::Result<String> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string())
}
