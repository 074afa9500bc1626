//! `sealcam run`: a stream that a configuration file describes, and what a service has beside it.
//!
//! Control socket, health, watchdog, reload and switching of sources are attended to in the turns of the
//! stream's own loop; nothing of it waits. A source that cannot be opened does not end the service: a notice
//! says why, and opening is tried again.
//!
//! | file | what it does |
//! |---|---|
//! | here | the start; what is due in a turn |
//! | `answers` | what is told and done on request |
//! | `renew` | the configuration read again |
//! | `retry` | a source that cannot be opened |
//! | `lookup` | the destination's name looked up |
//! | `tune` | another picture on request |
//! | `viewers` | paired viewers: what they ask for, who is let in, whether anybody watches |

mod answers;
mod lookup;
mod renew;
mod retry;
mod tune;
mod viewers;

use std::collections::BTreeMap;
use std::io::Stderr;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use nix::poll::PollFd;
use nix::sys::signal::Signal;

use super::board::Board;
use super::config::{NamedSource, SourceSpec, StreamConfig};
use super::control::{ControlSocket, default_path, user_path};
use super::file_config::{self, ServiceConfig};
use super::notify;
use super::reporter::Reporter;
use super::run::{self, Attendant, Fds, Running};
use super::sandbox::{Needs, Reach, Sandbox};
use super::server::Server;
use super::source::SourceError;
use super::streaming::{Materials, Streaming};
use super::watchdog::Watchdog;
use crate::clock;
use crate::exit::RunError;
use crate::live::LiveText;
use crate::proto::budget::Budget;
use crate::signals::Signals;
use crate::time::{Duration, Instant};
use crate::wire::Name;
use lookup::{Lookup, Wanted};
use retry::Failure;

/// How often it is looked at whether systemd is to be told something new.
const LOOK: Duration = Duration::from_secs(1);
/// How often systemd is told the figures although nothing has happened.
const TELL: Duration = Duration::from_secs(10);

/// What a service has beside its stream.
struct Service {
    doors: Doors,
    house: House,
    watchdog: Watchdog,
    /// The watchdog is not fed, and the log says so.
    starving: bool,
    /// When a source that cannot be opened is looked at again.
    retry_at: Option<Instant>,
    failure: Option<Failure>,
    look_at: Instant,
    told: Option<Told>,
    /// The destination's name, until it is known.
    lookup: Option<Lookup>,
    /// Since when nobody watches, where that matters.
    unwatched: Option<Instant>,
    /// What may still be noted of what each viewer asks for.
    notes: BTreeMap<Name, Budget>,
}

/// Where requests come from.
struct Doors {
    control: Option<Server<ControlSocket>>,
    health: Option<Server<TcpListener>>,
}

/// What requests are answered from.
struct House {
    /// The configuration file, if there is one.
    path: Option<PathBuf>,
    config: ServiceConfig,
    sandbox: Sandbox,
    reach: Reach,
    /// What the file asks for and only a restart can give.
    restart: Vec<String>,
    board: Option<(Instant, Board)>,
    /// The source that is to be sent again as soon as somebody watches.
    paused: Option<usize>,
    /// The largest pictures of each source so far, in pixels, since the file was read.
    pixels: BTreeMap<String, u64>,
    /// The page of figures that was told last.
    figures: Option<(Instant, String)>,
}

/// What systemd was told last.
#[derive(Clone, Copy, PartialEq)]
struct Told {
    healthy: bool,
    active: Option<usize>,
    at: Instant,
}

/// Runs the service that the file at `path` describes, until a signal ends it.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend, if it cannot start. A camera that is not there, or no
/// network, is no reason; nor is a destination's name that cannot be looked up yet.
pub fn run(path: &Path, live: Option<LiveText<Stderr>>) -> Result<(), RunError> {
    let path = std::path::absolute(path).map_err(RunError::failed)?;
    let config = file_config::read(&path)?;
    start(config, Some(path), live)
}

/// Runs `sealcam serve`: the same without a file.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn serve(
    stream: StreamConfig,
    control: Option<PathBuf>,
    live: Option<LiveText<Stderr>>,
) -> Result<(), RunError> {
    let config =
        ServiceConfig { stream, active: Some(0), asked: None, control, landlock: true, health: None };
    start(config, None, live)
}

/// The control socket. A command that was not told where to have one does without if need be.
fn control_socket(config: &ServiceConfig) -> Result<Option<ControlSocket>, RunError> {
    let at = config.control.clone().unwrap_or_else(default_path);
    let made = ControlSocket::make(&at);
    if made.is_ok() || config.control.is_some() || config.stream.is_patient() {
        return made.map(Some);
    }
    match user_path().map_or(made, |path| ControlSocket::make(&path)) {
        Err(why) => {
            log::warn!(
                "{why}; `sealcam status`, `source` and `pair` cannot reach this process: give it a --control PATH \
                 that it may make"
            );
            Ok(None)
        }
        made => made.map(Some),
    }
}

fn start(
    config: ServiceConfig,
    path: Option<PathBuf>,
    live: Option<LiveText<Stderr>>,
) -> Result<(), RunError> {
    let stats = run::stats_target(&config.stream)?;
    let held = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    let signals = Signals::hold(&held).map_err(RunError::failed)?;
    let now = clock::now();
    let materials = Materials::gather(&config.stream)?;
    let control = control_socket(&config)?;
    let health = config.health.map(listen).transpose()?;
    let stream = Streaming::new(&config.stream, &materials, now)?;
    let needs = config.landlock.then(|| needs(path.as_deref(), &config, &materials, control.as_ref()));
    let sandbox = Sandbox::enter(needs.as_ref());
    let reach = Reach::of(needs.as_ref(), &sandbox);
    if let Some(control) = &control {
        let file = path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default();
        log::info!("{file}control socket {}; {sandbox}", control.path().display());
    }
    // Its thread, if there is one, is to be held back as well.
    let reporter = Reporter::start(now, stats, live, config.stream.spelling)?;
    let mut running = Running { stream, reporter };
    running.stream.introduce();
    notify::ready("starting the source");
    let active = config.active;
    let wanted = Wanted::at_first(&config);
    let by_hand = path.is_none();
    let mut service = Service {
        doors: Doors { control: control.map(Server::new), health },
        house: House {
            path,
            config,
            sandbox,
            reach,
            restart: Vec::new(),
            board: None,
            paused: None,
            pixels: BTreeMap::new(),
            figures: None,
        },
        watchdog: Watchdog::new(notify::watchdog_limit(), now),
        starving: false,
        retry_at: None,
        failure: None,
        look_at: now,
        told: None,
        lookup: wanted.map(|wanted| Lookup::start(wanted, None, now)),
        unwatched: None,
        notes: BTreeMap::new(),
    };
    match active {
        // Whoever typed a command is told at once what cannot be opened.
        Some(number) if by_hand => {
            let opened = running.stream.open(number, now);
            opened.map_err(|why| run::name_option(running.stream.config(), why))?;
        }
        Some(number) => service.open(number, now, &mut running.stream),
        None => log::info!("no source is sent until one is switched to (`sealcam source NAME`)"),
    }
    run::run(&signals, running, &mut service)
}

/// Opens the listener for health.
fn listen(at: SocketAddr) -> Result<Server<TcpListener>, RunError> {
    let wrong = |why| RunError::Failed(format!("health at {at}: {why}; name another address with `listen`"));
    let listener = TcpListener::bind(at).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    log::info!("health at http://{at}/healthz, figures at http://{at}/metrics");
    Ok(Server::new(listener))
}

/// What the process needs files for once it runs.
fn needs(
    path: Option<&Path>,
    config: &ServiceConfig,
    materials: &Materials,
    control: Option<&ControlSocket>,
) -> Needs {
    let mut needs = Needs::default();
    if let Some(path) = path {
        needs.read_file(path);
    }
    for NamedSource { picture, area_file, camera_config_file, .. } in &config.stream.sources {
        for path in area_file.iter().chain(camera_config_file) {
            needs.read_file(path);
        }
        match &picture.source {
            SourceSpec::File(path) => needs.read_file(path),
            SourceSpec::Device(path) => needs.devices.push(path.clone()),
            SourceSpec::Pattern(_) | SourceSpec::Stdin => {}
        }
    }
    needs.write.push(materials.state().path().to_owned());
    needs.write.extend(control.and_then(|control| control.path().parent()).map(Path::to_owned));
    needs
}

impl Service {
    fn feed(&mut self, now: Instant, stream: &Streaming) {
        if self.watchdog.due().is_none_or(|due| now < due) {
            return;
        }
        let alive = stream.flow().is_alive(now);
        if self.watchdog.feed(now, alive) {
            notify::watchdog();
        }
        if !alive && !self.starving {
            log::error!("{}; the watchdog is not fed until something comes", stream.flow().verdict(now));
        }
        self.starving = !alive;
    }

    /// Tells systemd what has changed, or the figures of the moment.
    fn tell(&mut self, now: Instant, running: &Running) {
        self.look_at = now + LOOK;
        let healthy = running.stream.flow().verdict(now).is_good();
        let active = running.stream.active();
        if self.told.is_some_and(|t| t.healthy == healthy && t.active == active && now < t.at + TELL) {
            return;
        }
        self.told = Some(Told { healthy, active, at: now });
        notify::status(&self.house.status(now, running, Board::default()).line());
    }
}

impl Doors {
    fn wake_at(&self) -> Option<Instant> {
        let control = self.control.as_ref().and_then(Server::wake_at);
        control.into_iter().chain(self.health.as_ref().and_then(Server::wake_at)).min()
    }
}

impl Attendant for Service {
    fn wait_for<'a>(&'a self, fds: &mut Fds<'a>, until: Instant) -> Instant {
        let health = self.doors.health.iter().flat_map(Server::descriptors);
        let control = self.doors.control.iter().flat_map(Server::descriptors);
        for (fd, flags) in control.chain(health) {
            // Two servers fit in.
            let _ = fds.push(PollFd::new(fd, flags));
        }
        let due = [self.doors.wake_at(), self.watchdog.due(), self.retry_at, Some(self.look_at)];
        let due = due.into_iter().chain([self.lookup.as_ref().map(Lookup::look_at)]);
        let pause = self.unwatched.map(|since| since + viewers::PAUSE_AFTER);
        due.chain([pause]).flatten().fold(until, Instant::min)
    }

    fn attend(&mut self, now: Instant, ready: bool, running: &mut Running) {
        if ready || self.doors.wake_at().is_some_and(|at| now >= at) {
            self.serve(now, running);
        }
        self.feed(now, &running.stream);
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry(now, &mut running.stream);
        }
        self.look_up(now, running);
        self.attend_viewers(now, running);
        // Whoever asked for another source or picture, and by whichever door.
        if running.stream.stands_in() && self.retry_at.is_none() {
            self.retry_at = Some(now + retry::RETRY);
        }
        if now >= self.look_at {
            self.tell(now, running);
        }
    }

    fn hang_up(&mut self, now: Instant, running: &mut Running) {
        notify::reloading();
        self.renew(now, running);
        notify::ready(&self.house.status(now, running, Board::default()).line());
    }

    fn source_ended(
        &mut self,
        now: Instant,
        why: SourceError,
        running: &mut Running,
    ) -> Result<bool, RunError> {
        let Some(number) = running.stream.active() else { return Ok(true) };
        let from_pipe = running.stream.config().sources[number].picture.source == SourceSpec::Stdin;
        if matches!(why, SourceError::Ended) && from_pipe {
            // It can only be restarted together with what wrote to it.
            return Err(RunError::Failed("standard input has ended".into()));
        }
        if running.stream.flow().has_shown() {
            self.failure = None;
        }
        self.stand_in(number, &why.to_string(), now, &mut running.stream);
        Ok(true)
    }

    fn stop(&mut self) {
        notify::stopping();
    }
}
