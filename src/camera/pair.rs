//! `sealcam pair`: shows a code, and waits until a viewer has used it.

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;

use super::args::PairArgs;
use super::control::client::ask;
use super::control::{self, PairingState, Request};
use super::crowd::machine_name;
use crate::commands::say;
use crate::exit::RunError;
use crate::qr::QrCode;
use crate::signals::Signals;
use crate::time::Duration;
use crate::wire::DEFAULT_PORT;

/// How often the service is asked.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// Shows a code of the running service and waits until it has been used, or is over.
///
/// # Errors
///
/// [`RunError`] if there is no service, or nobody has used the code.
pub fn pair(args: &PairArgs) -> Result<(), RunError> {
    let signals = Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).map_err(RunError::failed)?;
    let request = Request::Pair { role: Some(args.role.to_string()), scanned: args.qr };
    let (reply, _) = ask(&control::find(args.service.control.as_deref()), &request)?;
    let Some(PairingState::Open { seconds, code: Some(code), port, .. }) = reply.pairing else {
        return Err(RunError::Failed("the service has opened no code".into()));
    };
    show(&code, port, seconds, args)?;
    loop {
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        // Whatever ends the wait, the next look tells.
        ppoll(&mut fds, Some(TimeSpec::from_duration(ASK_EVERY)), None).ok();
        if signals.next().map_err(RunError::failed)?.is_some() {
            ask(&control::find(args.service.control.as_deref()), &Request::PairCancel {})?;
            return Err(RunError::Failed("stopped: the code holds no longer".into()));
        }
        let (reply, _) = ask(&control::find(args.service.control.as_deref()), &Request::Pairing {})?;
        match reply.pairing {
            Some(PairingState::Open { .. }) => {}
            Some(PairingState::Used { viewer, role }) => {
                return say(&format!("Paired: {viewer} is let in, with the role {role}.\n"));
            }
            Some(PairingState::Failed { why }) => {
                return Err(RunError::Failed(format!(
                    "a viewer has the right code, but cannot be let in: {why}; run `sealcam pair` again after that"
                )));
            }
            Some(PairingState::Burnt) => {
                return Err(RunError::Failed(
                    "three wrong codes came: somebody mistyped it, or is guessing; run `sealcam pair` again"
                        .into(),
                ));
            }
            Some(PairingState::Expired) | None => {
                return Err(RunError::Failed(
                    "nobody has used the code in time: run `sealcam pair` again".into(),
                ));
            }
        }
    }
}

fn show(code: &str, port: u16, seconds: u64, args: &PairArgs) -> Result<(), RunError> {
    let camera = machine_name();
    let port = if port == DEFAULT_PORT { String::new() } else { format!(":{port}") };
    let mut text = format!(
        "Within {seconds} seconds, on the viewer's machine (or with this machine's address in the place of its name):\n\n  \
         sealview pair {camera}{port} {code}\n\n\
         The viewer will have the role {}.\n",
        args.role
    );
    if args.qr {
        let drawn =
            QrCode::new(code).map_err(|_| RunError::Failed("the code is too long for a QR code".into()))?;
        text += &format!("\n{drawn}\n");
    }
    say(&text)
}
