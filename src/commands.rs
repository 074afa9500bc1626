//! What the commands of both programs have in common: they say something on standard output, or show whose
//! key is whose.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::exit::RunError;
use crate::keys::identity::{self, IdentityError, public_key_to_text};
use crate::keys::list::ListError;
use crate::keys::state::StateFolder;
use crate::qr::QrCode;
use crate::wire::Name;

/// Writes to standard output; a reader that has gone away is no failure.
///
/// # Errors
///
/// [`RunError::Failed`] if it cannot be written.
pub fn say(text: &str) -> Result<(), RunError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(RunError::failed(why)),
        _ => Ok(()),
    }
}

/// The state folder, for showing or editing what is in it.
///
/// # Errors
///
/// [`RunError::Failed`] if it cannot be used.
pub fn state(asked: Option<&Path>) -> Result<StateFolder, RunError> {
    StateFolder::open_to_edit(asked).map_err(RunError::failed)
}

impl From<ListError> for RunError {
    fn from(why: ListError) -> Self {
        if why.is_of_the_system() { Self::failed(why) } else { Self::usage(why) }
    }
}

/// What `identity` shows.
#[derive(Debug, Clone, Copy)]
pub struct ShowIdentity<'a> {
    /// Where the identity is kept, if not in the usual place.
    pub state: Option<&'a Path>,
    /// What the other end is to call this machine; its host name if not given.
    pub name: Option<Name>,
    /// Draw the QR code even where nobody sees it.
    pub qr: bool,
    /// Where the key is wanted, and by which command.
    pub wanted: Wanted,
}

/// Which end wants to know a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The viewer wants the camera's.
    ByViewer,
    /// The camera wants the viewer's.
    ByCamera,
}

impl Wanted {
    const fn end_and_command(self) -> (&'static str, &'static str) {
        match self {
            Self::ByViewer => ("viewer", "sealview cameras add"),
            Self::ByCamera => ("camera", "sealcam viewers add"),
        }
    }
}

/// Shows this machine's public key: as text alone on the first line, with the line to type at the other end, and
/// as a QR code. The key is made if there is none.
///
/// # Errors
///
/// [`RunError`] if there is no identity and none can be made.
pub fn show_identity(show: &ShowIdentity<'_>) -> Result<(), RunError> {
    let state = state(show.state)?;
    let identity = identity::load_or_create(&state).map_err(|why| match why {
        IdentityError::File(_) => RunError::usage(why),
        _ => RunError::failed(why),
    })?;
    let public = identity.secret.public();
    let (key, (end, command)) = (public_key_to_text(&public), show.wanted.end_and_command());
    let name = show.name.or_else(machine_name).map_or_else(|| "NAME".to_owned(), |name| name.to_string());
    let mut text = format!(
        "{key}\n\
         Fingerprint {}; the secret half is in {}{}.\n\
         On the {end}'s machine:\n  \
         {command} {name} {key}\n",
        public.fingerprint(),
        identity::path(&state).display(),
        if identity.is_new { ", made just now" } else { "" },
    );
    let on_terminal = io::stdout().is_terminal();
    if on_terminal || show.qr {
        // In capitals the code is smaller, and the key is the same.
        let code = QrCode::new(&key.to_ascii_uppercase()).map_err(RunError::failed)?;
        text += &if on_terminal { code.in_colours() } else { code.to_string() };
    }
    say(&text)
}

/// What this machine is called, as far as that can be a name.
#[must_use]
pub fn machine_name() -> Option<Name> {
    #[cfg(unix)]
    let name = nix::unistd::gethostname().ok()?;
    #[cfg(not(unix))]
    let name = std::env::var_os("COMPUTERNAME")?;
    let name = name.to_string_lossy();
    // What Linux, and what an installer, call a machine that nobody has named.
    if ["(none)", "localhost"].contains(&&*name) {
        return None;
    }
    // The first label is what people call it.
    Name::near(name.split('.').next()?)
}
