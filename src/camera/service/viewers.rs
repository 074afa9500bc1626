//! Paired viewers: what they ask for, who is let in, whether anybody watches.

use super::Service;
use crate::camera::control::{Reply, Request, ViewerState, parse_line};
use crate::camera::crowd::Crowd;
use crate::camera::run::Running;
use crate::camera::status::Paired;
use crate::camera::streaming::Streaming;
use crate::keys::identity::{public_key_from_text, public_key_to_text};
use crate::keys::list::MOST;
use crate::keys::viewers::Viewer;
use crate::proto::budget::{Budget, Rate};
use crate::proto::group::ViewerStatus;
use crate::proto::pairing::{CODE_LIFE, SecretLength};
use crate::time::{Duration, Instant};
use crate::wire::{Control, Name, Role};

/// The source is closed when nobody has watched for so long, if that was asked for.
pub(super) const PAUSE_AFTER: Duration = Duration::from_secs(5);

/// Lines of the log about what one viewer asks for: as many as a person makes with a slider, and no flood.
const NOTES: Rate = Rate { each: Duration::from_secs(1), burst: 20 };

/// Viewers in one answer: each takes at most about 200 bytes of a datagram.
const PER_ANSWER: usize = 4;

impl Service {
    /// Answers viewers, and closes or opens the source as they go and come.
    pub(super) fn attend_viewers(&mut self, now: Instant, running: &mut Running) {
        while let Some((asked, line, name, role)) = running.stream.crowd_mut().and_then(next_request) {
            let reply = match parse_line(&line) {
                Err(refusal) => *refusal,
                Ok(request) if request.role() > role => {
                    let needed = request.role();
                    if self.may_note(now, name) {
                        log::warn!("viewer {name} may {role} and is refused what takes {needed}");
                    }
                    Reply::refusal(format!(
                        "permission denied: it takes the role {needed}, and yours is {role}"
                    ))
                }
                Ok(Request::Status {}) => Reply::refusal("the status is told on the camera itself only"),
                Ok(request) => {
                    if request.role() > Role::View && self.may_note(now, name) {
                        let asked = serde_json::to_string(&request).unwrap_or_default();
                        log::info!("viewer {name} asks: {asked}");
                    }
                    self.house.answer(now, request, running)
                }
            };
            let mut line = reply.to_line();
            if line.len() > Control::MAX_TEXT {
                line = Reply::refusal("it is done, but the answer is too long for a datagram").to_line();
            }
            if let Some(crowd) = running.stream.crowd_mut() {
                crowd.reply(asked, line.trim_ascii_end());
            }
        }
        self.pause_or_go_on(now, running);
    }

    /// What a viewer asks for goes to the log, but does not fill it.
    fn may_note(&mut self, now: Instant, name: Name) -> bool {
        if self.notes.len() >= MOST {
            self.notes.clear();
        }
        self.notes.entry(name).or_insert(Budget::FULL).spend(now, NOTES, 0)
    }

    fn pause_or_go_on(&mut self, now: Instant, running: &mut Running) {
        let on_demand = running.stream.config().audience.paired().is_some_and(|paired| paired.on_demand);
        let Some(crowd) = running.stream.crowd().filter(|_| on_demand) else { return };
        if crowd.is_watched() {
            self.unwatched = None;
            if let Some(number) = self.house.paused.take() {
                log::info!("somebody watches: opening the source");
                self.open(number, now, &mut running.stream);
            }
            return;
        }
        let Some(number) = running.stream.active() else {
            self.unwatched = None;
            return;
        };
        if now.since(*self.unwatched.get_or_insert(now)) >= PAUSE_AFTER {
            log::info!("nobody watches: the source is closed until somebody does");
            self.house.paused = Some(number);
            self.retry_at = None;
            self.unwatched = None;
            running.stream.close();
        }
    }
}

type Asked = (crate::proto::group::Asked, Vec<u8>, Name, Role);

fn next_request(crowd: &mut Crowd) -> Option<Asked> {
    let (asked, request) = crowd.next_request()?;
    Some((asked, request.text.to_vec(), request.name, request.role))
}

const NOBODY: &str = "this service sends under a shared key: it has no viewers";

/// Who is let in, and who of them watches.
pub(super) fn list(now: Instant, from: usize, running: &mut Running) -> Reply {
    let Some(crowd) = running.stream.crowd_mut() else { return Reply::refusal(NOBODY) };
    let all = match crowd.listed() {
        Ok(all) => all,
        Err(why) => return Reply::refusal(why.to_string()),
    };
    let states = all.iter().skip(from).take(PER_ANSWER).map(|viewer| {
        let status = crowd.viewers().find(|status| status.name == viewer.name);
        state(now, viewer, status)
    });
    let viewers: Vec<_> = states.collect();
    let next = from + viewers.len();
    Reply { ok: true, next: (next < all.len()).then_some(next), viewers, ..Reply::default() }
}

fn state(now: Instant, viewer: &Viewer, status: Option<ViewerStatus>) -> ViewerState {
    ViewerState {
        name: viewer.name.to_string(),
        role: viewer.role.to_string(),
        key: public_key_to_text(&viewer.key),
        address: status.and_then(|status| status.address).map(|address| address.to_string()),
        joined_s: status.map(|status| now.since(status.joined).as_secs()),
    }
}

/// Lets a viewer in.
pub(super) fn add(
    now: Instant,
    name: &str,
    key: &str,
    role: Option<&str>,
    running: &mut Running,
) -> Result<Reply, String> {
    let crowd = running.stream.crowd_mut().ok_or(NOBODY)?;
    let name: Name = name.parse().map_err(|why| format!("name: {why}"))?;
    let role: Role = role.unwrap_or("view").parse().map_err(|why| format!("role: {why}"))?;
    let key = public_key_from_text(key).map_err(|why| format!("key: {why}"))?;
    let viewer = Viewer { name, role, key };
    crowd.list().edit_at_once(|list| list.add(viewer)).map_err(|why| why.to_string())?;
    crowd.reload(now);
    log::info!("viewer {name} is let in, with the role {role}");
    Ok(Reply { ok: true, viewers: vec![state(now, &viewer, None)], ..Reply::default() })
}

/// Lets a viewer in no longer.
pub(super) fn remove(now: Instant, name: &str, running: &mut Running) -> Result<Reply, String> {
    let crowd = running.stream.crowd_mut().ok_or(NOBODY)?;
    let name: Name = name.parse().map_err(|why| format!("name: {why}"))?;
    let removed = match crowd.list().edit_at_once(|list| Ok(list.remove(name))) {
        Ok(removed) => removed,
        Err(why) if why.is_of_the_system() && crowd.put_out(now, name) => {
            return Err(format!(
                "{name} is out for now, but still stands on the list, and is let in again when the camera next \
                 reads it: {why}"
            ));
        }
        Err(why) => return Err(why.to_string()),
    };
    let viewer = removed.ok_or_else(|| format!("no viewer is called {name}"))?;
    crowd.reload(now);
    Ok(Reply { ok: true, viewers: vec![state(now, &viewer, None)], ..Reply::default() })
}

/// Opens a code for pairing.
pub(super) fn open_pairing(
    now: Instant,
    role: Option<&str>,
    scanned: bool,
    running: &mut Running,
) -> Result<Reply, String> {
    let crowd = running.stream.crowd_mut().ok_or(NOBODY)?;
    let role: Role = role.unwrap_or("view").parse().map_err(|why| format!("role: {why}"))?;
    let length = if scanned { SecretLength::Scanned } else { SecretLength::Typed };
    crowd.open_pairing(now, role, length);
    log::info!("pairing is open for {} s, for the role {role}", CODE_LIFE.as_secs());
    Ok(Reply { ok: true, pairing: crowd.pairing(now, true), ..Reply::default() })
}

/// What has become of the code.
pub(super) fn pairing(now: Instant, running: &Running) -> Reply {
    let pairing = running.stream.crowd().map(|crowd| crowd.pairing(now, false));
    match pairing {
        None => Reply::refusal(NOBODY),
        Some(pairing) => Reply { ok: true, pairing, ..Reply::default() },
    }
}

/// Closes the code.
pub(super) fn close_pairing(running: &mut Running) -> Reply {
    let Some(crowd) = running.stream.crowd_mut() else { return Reply::refusal(NOBODY) };
    crowd.close_pairing();
    Reply { ok: true, ..Reply::default() }
}

/// How things stand with paired viewers, if the stream is for them.
pub(super) fn paired_status(now: Instant, stream: &Streaming) -> Option<Paired> {
    let crowd = stream.crowd()?;
    let counters = crowd.counters();
    let watching = crowd.viewers().map(|status| ViewerState {
        name: status.name.to_string(),
        role: status.role.to_string(),
        key: String::new(),
        address: status.address.map(|address| address.to_string()),
        joined_s: Some(now.since(status.joined).as_secs()),
    });
    Some(Paired {
        signed: crowd.is_signed(),
        viewers: watching.collect(),
        confirmed: counters.confirmed,
        not_listed: counters.not_listed,
        full: counters.full,
        cookies: counters.gate.cookies,
        turned_away: counters.gate.strangers + counters.gate.limited + counters.handshakes_failed,
        refused: counters.forged + counters.replayed + counters.unknown_session + counters.malformed,
        moved: counters.moved,
        key_changes: counters.key_changes,
        unwatched: stream.unwatched(),
    })
}
