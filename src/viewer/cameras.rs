//! `sealview cameras`: the viewer's address book, and what the local network says.

pub mod find;

use super::args::{AddCameraArgs, CamerasArgs, CamerasCommand};
use crate::commands::{say, state};
use crate::exit::RunError;
use crate::keys::cameras::{Camera, CamerasFile, CamerasList};
use crate::keys::identity::{public_key_from_text, public_key_to_text};
use crate::net::Interface;
use crate::net::discovery::Wanted;
use crate::wire::Name;

/// Does what `sealview cameras` was asked to.
///
/// # Errors
///
/// [`RunError`] if the list cannot be read or written, or does not allow it.
pub fn cameras(args: &CamerasArgs) -> Result<(), RunError> {
    // What is wrong in the command is told before anything is made on the disk.
    match &args.command {
        Some(CamerasCommand::Add(camera)) => {
            let camera = checked(camera)?;
            add(&CamerasFile::new(state(args.state.as_deref())?), camera)
        }
        Some(CamerasCommand::List) | None => {
            say(&as_text(&CamerasFile::new(state(args.state.as_deref())?).read()?))
        }
        Some(CamerasCommand::Find { interface }) => {
            find(CamerasFile::new(state(args.state.as_deref())?), interface.as_ref())
        }
        Some(CamerasCommand::Forget { name }) => {
            forget(&CamerasFile::new(state(args.state.as_deref())?), *name)
        }
    }
}

fn checked(args: &AddCameraArgs) -> Result<Camera, RunError> {
    let key = public_key_from_text(&args.key).map_err(|why| RunError::usage(format!("KEY: {why}")))?;
    let mut camera = Camera::new(args.name, key);
    if let Some(address) = args.address {
        camera.reached_at(address);
    }
    Ok(camera)
}

fn add(file: &CamerasFile, camera: Camera) -> Result<(), RunError> {
    let (name, fingerprint) = (camera.name, camera.key.fingerprint());
    file.edit(|list| list.add(camera))?;
    say(&format!("{name} is known; fingerprint {fingerprint}.\n"))
}

fn forget(file: &CamerasFile, name: Name) -> Result<(), RunError> {
    if file.edit(|list| Ok(list.remove(name)))?.is_none() {
        return Err(RunError::usage(format!("no camera is called {name}: `sealview cameras` shows all")));
    }
    say(&format!("{name} is forgotten.\n"))
}

fn find(mut file: CamerasFile, interface: Option<&Interface>) -> Result<(), RunError> {
    let list = file.read()?;
    let found = find::find(Wanted::All, interface, find::FOR, |_| false);
    say(&find::as_text(&found, &list))
}

fn as_text(list: &CamerasList) -> String {
    if list.is_empty() {
        return "No camera is known yet. `sealcam identity` on a camera's machine shows what to type here.\n"
            .into();
    }
    let widest = list.iter().map(|camera| camera.name.as_str().len()).max().unwrap_or_default();
    let line = |camera: &Camera| {
        let addresses: String = camera.addresses.iter().map(|address| format!(" {address}")).collect();
        let (name, key) = (camera.name, &camera.key);
        format!("{name:<widest$} {} {}{addresses}\n", key.fingerprint(), public_key_to_text(key))
    };
    list.iter().map(line).collect()
}
