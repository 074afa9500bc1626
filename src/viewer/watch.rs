//! `sealview watch` and `sealview connect`: from the network through the protocol to the outlets.
//!
//! The network has a thread of its own, which never waits for anything but the network; where there is
//! no window that is the main thread. The window, if there is one, needs the main thread.

use std::io::Stderr;
use std::sync::Arc;
use std::thread;

use super::config::{ConnectConfig, ViewConfig, WatchConfig};
use super::decode::WindowDecoder;
use super::network::{Feed, Network, PairedFeed, Requests, SharedFeed};
use super::paired::Peer;
use super::window::{self, Event, WindowHandle};
use crate::exit::RunError;
use crate::live::LiveText;
use crate::time::Instant;

/// Runs `sealview watch` until it is told to end, and says why it ended if that was a failure.
///
/// `live` is where the line of figures goes when there is no window.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn watch(config: &WatchConfig, live: LiveText<Stderr>) -> Result<(), RunError> {
    let open = |now| Ok(Feed::Shared(Box::new(SharedFeed::open(config, now)?)));
    show(&config.view, &config.receive.at.to_string(), open, live)
}

/// Runs `sealview connect` likewise.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn connect(config: &ConnectConfig, live: LiveText<Stderr>) -> Result<(), RunError> {
    let peer = Peer::find(&config.peer)?;
    let title = peer.target.title.clone();
    let open = |now| Ok(Feed::Paired(Box::new(PairedFeed::open(peer, config.multicast, now)?)));
    show(&config.view, &title, open, live)
}

fn show(
    config: &ViewConfig,
    title: &str,
    open: impl FnOnce(Instant) -> Result<Feed, RunError>,
    live: LiveText<Stderr>,
) -> Result<(), RunError> {
    let window = config.window.then(WindowHandle::new);
    let requests = Arc::new(Requests::default());
    let network = Network::start(config, open, window.clone(), Arc::clone(&requests), live)?;
    let Some(handle) = window else { return network.run() };

    let thread = thread::Builder::new().name("network".into()).spawn(move || network.run());
    let thread = thread.map_err(RunError::failed)?;
    let shown = {
        let requests = Arc::clone(&requests);
        window::run(title, &handle, WindowDecoder::new(), move |event| match event {
            Event::Snapshot => requests.snapshot(),
            Event::Closed => requests.quit(),
        })
    };
    requests.quit();
    let ended = thread.join().unwrap_or_else(|_| Err(RunError::Failed("the network thread panicked".into())));
    shown.map_err(RunError::failed).and(ended)
}
