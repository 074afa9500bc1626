//! `sealview pair`: takes the code that the camera shows, and remembers the camera.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use super::args::PairArgs;
use super::cameras::find::called;
use crate::clock;
use crate::commands::{say, state};
use crate::exit::RunError;
use crate::keys::cameras::{Camera, CamerasFile, CamerasList};
use crate::keys::list::ListError;
use crate::keys::{KernelRandom, identity};
use crate::proto::identity::PublicKey;
use crate::proto::pairing::{Code, Failure, Output, Partner, Run};
use crate::time::{Duration, Instant};
use crate::wire::pairing::Pairing;
use crate::wire::{DEFAULT_PORT, Name, Role};

/// At least so long is waited for an answer in one go: a wait of no time at all would be one without end.
const SHORTEST: Duration = Duration::from_millis(1);

/// Pairs with the camera, and puts it into the address book.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend; nothing is stored then.
pub fn pair(args: &PairArgs) -> Result<(), RunError> {
    let code: Code = args.code.parse().map_err(|why| RunError::Usage(format!("CODE: {why}")))?;
    let folder = state(args.state.as_deref())?;
    let own = identity::load_or_create(&folder).map_err(RunError::failed)?;
    // A book that cannot be read is told before the code is used up.
    let mut book = CamerasFile::new(folder);
    book.read()?;
    let addresses = addresses(&args.camera)?;
    let name = args.name.unwrap_or_else(own_name);
    let own = Partner { key: own.secret.public(), name, role: Role::View };
    let mut last = RunError::Failed(format!("{} has no address", args.camera));
    for address in addresses {
        match exchange(address, &code, own) {
            Ok(camera) => return remember(&book, args.save_as, camera, address),
            Err((Failure::NoAnswer, why)) => last = why,
            // The camera was there; another address of it would only use up another of the three tries.
            Err((_, why)) => return Err(why),
        }
    }
    Err(last)
}

/// `NAME`, `NAME:PORT`, or an address with or without a port.
fn addresses(camera: &str) -> Result<Vec<SocketAddr>, RunError> {
    let wrong = |why: io::Error| {
        RunError::Failed(format!(
            "{camera} cannot be looked up: {why}; nor does it announce itself on the local network: write its address \
             instead"
        ))
    };
    if let Ok(ip) = camera.trim_matches(['[', ']']).parse() {
        return Ok(vec![SocketAddr::new(ip, DEFAULT_PORT)]);
    }
    if let Ok(address) = camera.parse() {
        return Ok(vec![address]);
    }
    let (host, port) = match camera.rsplit_once(':') {
        Some((host, port)) => {
            let port = port.parse();
            (
                host,
                Some(
                    port.map_err(|_| RunError::Usage(format!("CAMERA: {camera}: no port after the colon")))?,
                ),
            )
        }
        None => (camera, None),
    };
    // Cameras without a name in the domain name system have one on the local network (RFC 6762), or announce it.
    let (local, at) = (format!("{host}.local"), port.unwrap_or(DEFAULT_PORT));
    let found = (host, at).to_socket_addrs().or_else(|_| (local.as_str(), at).to_socket_addrs());
    match found {
        Ok(found) => Ok(found.collect()),
        Err(why) => match called(host, port) {
            announced if announced.is_empty() => Err(wrong(why)),
            announced => Ok(announced),
        },
    }
}

/// What this machine is called, as far as that makes a name.
fn own_name() -> Name {
    let host = std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let host = host.or_else(|| std::env::var("COMPUTERNAME").ok());
    let near = host.and_then(|host| Name::near(host.trim().split('.').next().unwrap_or_default()));
    near.unwrap_or_else(|| "viewer".parse().unwrap_or_else(|_| unreachable!("it is a name")))
}

/// One run with whoever is at `address`.
fn exchange(address: SocketAddr, code: &Code, own: Partner) -> Result<Partner, (Failure, RunError)> {
    let failed = |why: io::Error| (Failure::NoAnswer, RunError::Failed(format!("{address}: {why}")));
    let any: SocketAddr = if address.is_ipv4() {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    let mut random = KernelRandom::new().map_err(failed)?;
    let mut run = Run::new(code, own, clock::now(), &mut random);
    loop {
        let now = clock::now();
        if let Some(why) = run.failure(now) {
            return Err((why, RunError::Failed(format!("{address}: {why}"))));
        }
        if let Some(said) = run.poll_transmit(now) {
            // What the network does not take now is said again.
            socket.send_to(&said.to_bytes(), address).ok();
        }
        if let Output::Paired(camera) = hear(&socket, address, &mut run, now).map_err(failed)? {
            return Ok(camera);
        }
    }
}

/// Waits for an answer until something is to be said again.
fn hear(socket: &UdpSocket, address: SocketAddr, run: &mut Run, now: Instant) -> io::Result<Output> {
    socket.set_read_timeout(Some(run.next_wake().since(now).max(SHORTEST)))?;
    let mut bytes = [0; Pairing::LEN + 1];
    // Time is over, or the network says that nobody listens: the run tells when that is enough.
    let Ok((len, from)) = socket.recv_from(&mut bytes) else { return Ok(Output::Wait) };
    if from.ip().to_canonical() != address.ip().to_canonical() {
        return Ok(Output::Wait);
    }
    Ok(Pairing::parse(&bytes[..len]).map_or(Output::Wait, |heard| run.handle(clock::now(), &heard)))
}

fn remember(
    file: &CamerasFile,
    save_as: Option<Name>,
    camera: Partner,
    address: SocketAddr,
) -> Result<(), RunError> {
    let wanted = save_as.unwrap_or(camera.name);
    let name = file
        .edit(|book| keep(book, wanted, save_as.is_some(), camera.key, address))
        .map_err(|why| RunError::Failed(format!("paired, but the camera cannot be remembered: {why}")))?;
    if save_as.is_some_and(|wanted| wanted != name) {
        say(&format!("Another camera is called {wanted} here.\n"))?;
    }
    say(&format!(
        "Paired with {name} at {address}; you may {}. Its key's fingerprint is {}. Watch it with\n  sealview connect {name}\n",
        camera.role,
        camera.key.fingerprint()
    ))
}

/// Puts the camera into the book under the name that was asked for or, if it is not in there yet, a free one like
/// the `wanted` name.
fn keep(
    book: &mut CamerasList,
    wanted: Name,
    is_asked_for: bool,
    key: PublicKey,
    address: SocketAddr,
) -> Result<Name, ListError> {
    let before = book.by_key(&key).cloned();
    if let Some(mut entry) = before {
        if !is_asked_for || entry.name == wanted {
            entry.reached_at(address);
            let name = entry.name;
            return book.put(entry).map(|()| name);
        }
        book.remove(entry.name);
    }
    let mut entry = Camera::new(book.free_name(wanted), key);
    entry.reached_at(address);
    let name = entry.name;
    book.add(entry).map(|()| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_costs_no_code_and_no_other_camera() {
        let mut book = CamerasList::new();
        let name = |text: &str| text.parse::<Name>().unwrap();
        let at = |host: u8| SocketAddr::from(([10, 0, 0, host], DEFAULT_PORT));
        let key = |number: u8| PublicKey::from_bytes([number; 32]);
        // (wanted, asked for, key; called)
        let cases = [
            ("barn", false, 1, "barn"),
            ("barn", false, 2, "barn-2"),
            ("barn", true, 3, "barn-3"),
            // Paired again, each keeps the name that it has here, unless another one is asked for.
            ("barn", false, 2, "barn-2"),
            ("stable", false, 2, "barn-2"),
            ("stable", true, 2, "stable"),
            ("stable", true, 2, "stable"),
            ("barn", true, 2, "barn-2"),
        ];
        for (nth, (wanted, is_asked_for, number, called)) in cases.into_iter().enumerate() {
            let kept = keep(&mut book, name(wanted), is_asked_for, key(number), at(nth as u8)).unwrap();
            assert_eq!(kept.as_str(), called, "case {nth}");
            let entry = book.by_key(&key(number)).unwrap();
            assert_eq!((entry.name, entry.addresses[0]), (name(called), at(nth as u8)));
        }
        assert_eq!(book.len(), 3);
    }
}
