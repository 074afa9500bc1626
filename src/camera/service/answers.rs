//! What is told and done on request.

use super::{House, Service, viewers};
use crate::camera::board::Board;
use crate::camera::config::{NamedSource, OFF, StreamConfig};
use crate::camera::control::{Reply, Request, SourceState, respond};
use crate::camera::flow::Verdict;
use crate::camera::http::{self, Page};
use crate::camera::metrics;
use crate::camera::run::Running;
use crate::camera::server::Response;
use crate::camera::status::{Health, Status};
use crate::camera::streaming::Streaming;
use crate::time::{Duration, Instant};

/// Files of sysfs are read at most so often, however many ask.
const BOARD_INTERVAL: Duration = Duration::from_secs(1);

/// Figures are put together at most so often.
const PAGE_INTERVAL: Duration = Duration::from_millis(100);

impl Service {
    /// Serves what has come to the doors.
    pub(super) fn serve(&mut self, now: Instant, running: &mut Running) {
        let Self { doors, house, .. } = self;
        let mut switched = false;
        if let Some(control) = &mut doors.control {
            control.serve(now, |bytes| {
                respond(bytes, |request| {
                    switched |= matches!(request, Request::Source { .. });
                    house.answer(now, request, running)
                })
            });
        }
        if let Some(health) = &mut doors.health {
            health.serve(now, |bytes| house.page(now, bytes, running));
        }
        if switched {
            self.retry_at = running.stream.stands_in().then(|| now + super::retry::RETRY);
        }
    }
}

impl House {
    pub(super) fn answer(&mut self, now: Instant, request: Request, running: &mut Running) -> Reply {
        match request {
            Request::Status {} => {
                let status = self.whole_status(now, running);
                Reply { ok: true, status: Some(Box::new(status)), ..Reply::default() }
            }
            Request::Sources {} => listing(&running.stream),
            Request::Tune(tune) => self.tune(now, &tune, running).unwrap_or_else(Reply::refusal),
            Request::Viewers { from } => viewers::list(now, from, running),
            Request::ViewerAdd { name, key, role } => {
                let added = viewers::add(now, &name, &key, role.as_deref(), running);
                added.unwrap_or_else(Reply::refusal)
            }
            Request::Pair { role, scanned } => {
                let opened = viewers::open_pairing(now, role.as_deref(), scanned, running);
                opened.unwrap_or_else(Reply::refusal)
            }
            Request::Pairing {} => viewers::pairing(now, running),
            Request::PairCancel {} => viewers::close_pairing(running),
            Request::ViewerRemove { name } => {
                viewers::remove(now, &name, running).unwrap_or_else(Reply::refusal)
            }
            Request::Source { name } => match switch(&name, now, &mut running.stream) {
                Ok(()) => {
                    self.paused = None;
                    listing(&running.stream)
                }
                Err(why) => {
                    log::warn!("source {name:?}: {why}");
                    Reply::refusal(why)
                }
            },
        }
    }

    fn page(&mut self, now: Instant, bytes: &[u8], running: &Running) -> Response {
        let (page, head_only) = match http::parse(bytes) {
            http::Request::More => return Response::More,
            http::Request::Refused(status) => return http::refusal(status),
            http::Request::Page { page, head_only } => (page, head_only),
        };
        match page {
            Page::Metrics => {
                let fresh = |(at, _): &(Instant, String)| now.since(*at) < PAGE_INTERVAL;
                let (_, text) = match self.figures.take().filter(fresh) {
                    Some(page) => self.figures.insert(page),
                    None => {
                        let text = metrics::text(&self.whole_status(now, running));
                        self.figures.insert((now, text))
                    }
                };
                http::answer(http::Status::Ok, text, head_only)
            }
            Page::Health => {
                let verdict = running.stream.flow().verdict(now);
                let status = if verdict.is_good() { http::Status::Ok } else { http::Status::Unavailable };
                http::answer(status, &format!("{verdict}\n"), head_only)
            }
        }
    }

    fn whole_status(&mut self, now: Instant, running: &Running) -> Status {
        let board = match &self.board {
            Some((read, board)) if now.since(*read) < BOARD_INTERVAL => board.clone(),
            _ => {
                let board = Board::of_this_machine();
                self.board = Some((now, board.clone()));
                board
            }
        };
        self.status(now, running, board)
    }

    /// What the service does.
    pub(super) fn status(&self, now: Instant, running: &Running, board: Board) -> Status {
        let stream = &running.stream;
        let figures = stream.figures(now);
        let (fps, megabits) = running.reporter.rates(&figures);
        let (number, key, datagram) = stream.identity();
        let verdict = stream.flow().verdict(now);
        let name = stream.active().map(|at| stream.config().sources[at].name.clone());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            stream: number,
            to: told_destination(stream.config()),
            key: key.to_owned(),
            datagram,
            health: Health {
                healthy: verdict.is_good(),
                idle: verdict == Verdict::Idle,
                why: verdict.to_string(),
                since_new_frame: stream.flow().since_new(now).map(|time| time.as_secs_f64()),
            },
            active: name,
            source: stream.describe(),
            sources: states(stream),
            fps,
            megabits,
            figures: figures.json(false),
            board,
            sandbox: self.sandbox.clone(),
            restart_needed: self.restart.clone(),
            paired: viewers::paired_status(now, stream),
        }
    }
}

/// Switches to the source `name`, or to none.
pub(super) fn number_of(name: &str, stream: &Streaming) -> Result<usize, String> {
    let sources = &stream.config().sources;
    sources.iter().position(|source| source.name == name).ok_or_else(|| {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        format!("no source is called {name:?}; there are {}, and {OFF}", names.join(", "))
    })
}

pub(super) fn switch(name: &str, now: Instant, stream: &mut Streaming) -> Result<(), String> {
    if name == OFF {
        stream.close();
        log::info!("switched off: no source is sent");
        return Ok(());
    }
    let number = number_of(name, stream)?;
    let before = stream.active();
    // While it is dark, it is opened anew: whoever asks for it again may have another camera there.
    let dark = matches!(stream.flow().verdict(now), Verdict::NoSignal(_) | Verdict::Silent(_));
    if before == Some(number) && !dark {
        return Ok(());
    }
    let opened = stream.open(number, now).map_err(|why| why.to_string());
    if opened.is_ok() {
        log::info!("switched to source {name}");
    }
    opened
}

/// `viewer.example:5000 (192.168.1.20:5000)`, or only the address.
fn told_destination(config: &StreamConfig) -> String {
    match &config.name {
        None => config.destination(),
        Some(name) if config.is_pending() => format!("{name} (not found yet)"),
        Some(name) => format!("{name} ({})", config.send.to),
    }
}

fn listing(stream: &Streaming) -> Reply {
    let sources = states(stream);
    let active = sources.iter().find(|source| source.active).map(|source| source.name.clone());
    Reply { ok: true, active, sources, ..Reply::default() }
}

fn states(stream: &Streaming) -> Vec<SourceState> {
    let state = |(at, source): (usize, &NamedSource)| SourceState {
        name: source.name.clone(),
        source: source.picture.source.to_string(),
        active: stream.active() == Some(at),
    };
    stream.config().sources.iter().enumerate().map(state).collect()
}
