//! The run loop of `sealview watch`: from the socket through the protocol to the outlets.
//!
//! The network has a thread of its own, which never waits for anything but the network; where there is
//! no window that is the main thread. The window, if there is one, needs the main thread.

use std::io::Stderr;
use std::sync::Arc;
use std::thread;

use super::config::WatchConfig;
use super::network::{Network, Requests};
use super::window::{self, Decode, Event, Rgb, WindowHandle};
use crate::codec::{Decoder, RgbPicture};
use crate::exit::RunError;
use crate::live::LiveText;

/// Runs `sealview watch` until it is told to end, and says why it ended if that was a failure.
///
/// `live` is where the line of figures goes when there is no window.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn watch(config: &WatchConfig, live: LiveText<Stderr>) -> Result<(), RunError> {
    let window = config.window.then(WindowHandle::new);
    let requests = Arc::new(Requests::default());
    let network = Network::start(config, window.clone(), Arc::clone(&requests), live)?;
    let Some(handle) = window else { return network.run() };

    let thread = thread::Builder::new().name("network".into()).spawn(move || network.run());
    let thread = thread.map_err(RunError::failed)?;
    let shown = {
        let requests = Arc::clone(&requests);
        window::run(&config.receive.at.to_string(), &handle, Pictures::new(), move |event| match event {
            Event::Snapshot => requests.snapshot(),
            Event::Closed => requests.quit(),
        })
    };
    requests.quit();
    let ended = thread.join().unwrap_or_else(|_| Err(RunError::Failed("the network thread panicked".into())));
    shown.map_err(RunError::failed).and(ended)
}

/// Decodes for the window.
struct Pictures {
    decoder: Decoder,
    picture: RgbPicture,
}

impl Pictures {
    fn new() -> Self {
        Self { decoder: Decoder::new(), picture: RgbPicture::default() }
    }
}

impl Decode for Pictures {
    fn decode(&mut self, jpeg: &[u8]) -> Result<Rgb<'_>, String> {
        self.decoder.decode_rgb(jpeg, &mut self.picture).map_err(|why| why.to_string())?;
        Ok(Rgb {
            width: self.picture.width as usize,
            height: self.picture.height as usize,
            pixels: &self.picture.pixels,
        })
    }
}
