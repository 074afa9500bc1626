//! `sealcam viewers`: whom the camera lets in.
//!
//! The commands edit the list's file under its lock. A running service sees that the file has changed
//! ([`ListFile::changed`](crate::keys::list_file::ListFile::changed)) and takes it up by itself. Every answer
//! names the file: a service's is another one than that of whoever types the command.

use std::path::Path;

use serde::Serialize;

use super::args::{AddViewerArgs, ViewersArgs, ViewersCommand};
use crate::commands::{say, state};
use crate::exit::RunError;
use crate::keys::identity::{public_key_from_text, public_key_to_text};
use crate::keys::viewers::{Viewer, ViewersFile, ViewersList};
use crate::wire::Name;

/// One viewer, for programs.
#[derive(Serialize)]
struct Shown {
    name: String,
    role: &'static str,
    fingerprint: String,
    key: String,
}

/// Does what `sealcam viewers` was asked to.
///
/// # Errors
///
/// [`RunError`] if the list cannot be read or written, or does not allow it.
pub fn viewers(args: &ViewersArgs) -> Result<(), RunError> {
    // What is wrong in the command is told before anything is made on the disk.
    match &args.command {
        ViewersCommand::Add(viewer) => {
            let viewer = checked(viewer)?;
            add(&ViewersFile::new(state(args.state.as_deref())?), viewer)
        }
        ViewersCommand::List { json } => {
            let mut file = ViewersFile::new(state(args.state.as_deref())?);
            let list = file.read()?;
            say(&if *json { as_json(&list) } else { as_text(&list, &file.path()) })
        }
        ViewersCommand::Remove { name } => remove(&ViewersFile::new(state(args.state.as_deref())?), *name),
    }
}

fn checked(args: &AddViewerArgs) -> Result<Viewer, RunError> {
    let key = public_key_from_text(&args.key).map_err(|why| RunError::usage(format!("KEY: {why}")))?;
    Ok(Viewer { name: args.name, role: args.role, key })
}

fn add(file: &ViewersFile, viewer: Viewer) -> Result<(), RunError> {
    file.edit(|list| list.add(viewer))?;
    say(&format!(
        "{} is let in, with the role {}; fingerprint {} (list: {}).\n",
        viewer.name,
        viewer.role,
        viewer.key.fingerprint(),
        file.path().display()
    ))
}

fn remove(file: &ViewersFile, name: Name) -> Result<(), RunError> {
    let path = file.path();
    let Some(viewer) = file.edit(|list| Ok(list.remove(name)))? else {
        return Err(RunError::usage(format!(
            "no viewer is called {name} in {}: `sealcam viewers list` shows all",
            path.display()
        )));
    };
    let fingerprint = viewer.key.fingerprint();
    say(&format!("{name} is let in no longer; fingerprint {fingerprint} (list: {}).\n", path.display()))
}

fn as_text(list: &ViewersList, path: &Path) -> String {
    if list.is_empty() {
        return format!(
            "Nobody is let in yet (list: {}). `sealview identity` on a viewer's machine shows what to type here.\n",
            path.display()
        );
    }
    let widest = list.iter().map(|viewer| viewer.name.as_str().len()).max().unwrap_or_default();
    let line = |viewer: &Viewer| {
        let Viewer { name, role, key } = viewer;
        format!("{name:<widest$} {:<5} {} {}\n", role.name(), key.fingerprint(), public_key_to_text(key))
    };
    list.iter().map(line).collect()
}

fn as_json(list: &ViewersList) -> String {
    let shown: Vec<Shown> = list
        .iter()
        .map(|viewer| Shown {
            name: viewer.name.to_string(),
            role: viewer.role.name(),
            fingerprint: viewer.key.fingerprint().to_string(),
            key: public_key_to_text(&viewer.key),
        })
        .collect();
    serde_json::to_string(&shown).unwrap_or_else(|_| unreachable!("texts alone")) + "\n"
}
