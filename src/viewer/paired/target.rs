//! Which camera is meant by a name, an address or a host name.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use crate::exit::RunError;
use crate::keys::cameras::{Camera, CamerasList};
use crate::proto::identity::PublicKey;
use crate::viewer::config::PeerConfig;
use crate::wire::{DEFAULT_PORT, Name};

/// The camera that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it is called here.
    pub title: String,
    /// Its key.
    pub key: PublicKey,
    /// Where it may be, the likeliest first; none, if it was never reached.
    pub addresses: Vec<SocketAddr>,
    /// Its name in the address book, if it stands there, and the newest address there.
    pub known: Option<(Name, Option<SocketAddr>)>,
}

impl Target {
    /// Finds the camera of `config` in `list`, which is in the file `path`, or by its address; `look_up` asks for
    /// the addresses of a host.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn find(
        config: &PeerConfig,
        list: &CamerasList,
        path: &Path,
        look_up: impl FnOnce(&str, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> Result<Self, RunError> {
        let spoken = Spoken::parse(&config.camera)?;
        let entry = spoken.name().and_then(|name| list.by_name(name));
        if let Some(camera) = entry {
            return Self::of_entry(camera, &spoken, config, path);
        }
        let addresses = match spoken.place {
            Place::Ip(address) => vec![address],
            Place::Host(host) => {
                let found = look_up(host, spoken.port.unwrap_or(DEFAULT_PORT));
                found.map_err(|why| no_such_host(host, path, &why))?
            }
        };
        let entry = match &config.key {
            Some(key) => list.by_key(key),
            None => Some(at_address(&addresses, spoken.port, list, &config.camera, path)?),
        };
        let (Some(key), known) = (config.key.or(entry.map(|camera| camera.key)), entry.map(known)) else {
            unreachable!("without a key there is an entry");
        };
        let title = entry.map_or_else(|| config.camera.clone(), |camera| camera.name.to_string());
        Ok(Self { title, key, addresses, known })
    }

    fn of_entry(
        camera: &Camera,
        spoken: &Spoken<'_>,
        config: &PeerConfig,
        path: &Path,
    ) -> Result<Self, RunError> {
        let name = camera.name;
        if config.key.is_some_and(|key| key != camera.key) {
            return Err(RunError::Usage(format!(
                "--key: {} says another key for {name}: leave --key out, or `sealview cameras forget {name}` first \
                 if the camera has a new one",
                path.display()
            )));
        }
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for mut address in camera.addresses.iter().copied() {
            address.set_port(spoken.port.unwrap_or(address.port()));
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        // Without one it is looked for on the local network.
        Ok(Self { title: name.to_string(), key: camera.key, addresses, known: Some(known(camera)) })
    }
}

fn known(camera: &Camera) -> (Name, Option<SocketAddr>) {
    (camera.name, camera.addresses.first().copied())
}

/// The one camera of the list that was last at one of these addresses.
fn at_address<'a>(
    addresses: &[SocketAddr],
    port: Option<u16>,
    list: &'a CamerasList,
    spoken: &str,
    path: &Path,
) -> Result<&'a Camera, RunError> {
    let is_there = |known: &SocketAddr| {
        addresses.iter().any(|at| at.ip() == known.ip() && port.is_none_or(|port| port == known.port()))
    };
    let mut there = list.iter().filter(|camera| camera.addresses.iter().any(is_there));
    let Some(first) = there.next() else {
        return Err(RunError::Usage(format!(
            "{spoken}: its key is needed: no camera in {} has that name or address; give --key sealpub1..., which \
             `sealcam identity` shows on the camera's machine",
            path.display()
        )));
    };
    let mut others = String::new();
    for camera in there {
        write!(others, " and {}", camera.name).ok();
    }
    if others.is_empty() {
        return Ok(first);
    }
    Err(RunError::Usage(format!(
        "{spoken}: {}{others} were both there last, as {} says: give the camera's name",
        first.name,
        path.display()
    )))
}

fn no_such_host(host: &str, path: &Path, why: &io::Error) -> RunError {
    RunError::Failed(format!(
        "{host}: no camera in {} is called so (`sealview cameras` shows all), and no such host is found: {why}",
        path.display()
    ))
}

/// What a person has said.
#[derive(Debug, PartialEq, Eq)]
struct Spoken<'a> {
    place: Place<'a>,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    /// With the port that is meant.
    Ip(SocketAddr),
    /// Or a name of the address book.
    Host(&'a str),
}

impl<'a> Spoken<'a> {
    fn parse(text: &'a str) -> Result<Self, RunError> {
        let wrong = |why: &str| {
            RunError::Usage(format!(
                "CAMERA: {text:?}: {why}: write a name of `sealview cameras`, or an address or host name, as in \
                 192.168.1.30, [2001:db8::30]:{DEFAULT_PORT} or barn.local:{DEFAULT_PORT}"
            ))
        };
        let spoken = if let Ok(address) = text.parse::<SocketAddr>() {
            Self { place: Place::Ip(address), port: Some(address.port()) }
        } else if let Some(ip) = as_ip(text) {
            Self { place: Place::Ip(SocketAddr::new(ip, DEFAULT_PORT)), port: None }
        } else if let Some((host, port)) = text.rsplit_once(':') {
            let port = port.parse().map_err(|_| wrong("behind the colon there is no port"))?;
            Self { place: Place::Host(host), port: Some(port) }
        } else {
            Self { place: Place::Host(text), port: None }
        };
        match spoken.place {
            Place::Host(host) if host.is_empty() || host.contains([':', '/', ' ']) => {
                Err(wrong("that is no name"))
            }
            Place::Ip(address) if address.ip().is_multicast() => {
                Err(wrong("a group cannot be connected to (--multicast joins the one that the camera names)"))
            }
            _ if spoken.port == Some(0) => Err(wrong("no camera has port 0")),
            _ => Ok(spoken),
        }
    }

    fn name(&self) -> Option<Name> {
        match self.place {
            Place::Host(host) => host.parse().ok(),
            Place::Ip(_) => None,
        }
    }
}

fn as_ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text).parse().ok()
}

/// Asks the system for the addresses of a host.
pub(super) fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    // Cameras without a name in the domain name system have one on the local network (RFC 6762).
    let local = format!("{host}.local");
    let asked = (host, port).to_socket_addrs();
    let found = asked.or_else(|why| (local.as_str(), port).to_socket_addrs().map_err(|_| why));
    let found: Vec<_> = found?.collect();
    if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
