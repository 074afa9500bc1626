//! The newest frame on the screen.
//!
//! Three threads meet here. The network thread puts frames and words into a [`WindowHandle`] and
//! never waits. A decoder's thread takes the newest frame as soon as the last picture was drawn. The
//! window's own thread, which [`run`] keeps until the window is closed, draws when there is something
//! new to draw and sleeps otherwise.
//!
//! Keys: `q` and the window's close button end it, Esc leaves the full screen or else ends it, `f` or a
//! double click switches the full screen, `s` asks for a snapshot, `i` or Tab shows the figures.

mod app;
mod display;
mod icon;
mod overlay;
mod pictures;

pub use pictures::{Decode, Rgb};

use super::frame::Frame;
use crate::outlet::queue::Latest;
use app::App;
use display::Display;
use eframe::egui;
use pictures::Pictures;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the person at the window asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Write a snapshot of the newest frame.
    Snapshot,
    /// The window was closed; [`run`] is about to return.
    Closed,
}

/// What the window says besides the picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Why there is no picture, or no new one: "waiting for the camera on 239.1.2.3:5000 …",
    /// "wrong key: …". `None` while frames come. The window itself tells how old its picture is.
    pub trouble: Option<String>,
    /// The figures: names and values.
    pub rows: Vec<(&'static str, String)>,
}

/// Why there is no window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowError {
    /// No display is named in the environment.
    NoDisplay,
    /// The display does not do what is needed.
    Open {
        /// The system's words.
        reason: String,
    },
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDisplay => f.write_str(
                "no display: neither WAYLAND_DISPLAY nor DISPLAY is set; \
                 with --no-window there are live figures instead",
            ),
            Self::Open { reason } => {
                write!(f, "cannot open a window: {reason}; with --no-window there are live figures instead")
            }
        }
    }
}

impl std::error::Error for WindowError {}

/// The other threads' side of the window. Clones are handles on the same window.
///
/// It works before the window is open and after it was closed; nothing here waits.
#[derive(Clone)]
pub struct WindowHandle {
    shared: Arc<Shared>,
}

struct Shared {
    frames: Latest<Frame>,
    pictures: Pictures,
    view: Mutex<View>,
    notice: Mutex<Option<String>>,
    figures_shown: AtomicBool,
    closing: AtomicBool,
    context: egui::Context,
}

impl Default for WindowHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl WindowHandle {
    /// For a window that is still to be opened.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                frames: Latest::new(),
                pictures: Pictures::default(),
                view: Mutex::default(),
                notice: Mutex::default(),
                figures_shown: AtomicBool::new(false),
                closing: AtomicBool::new(false),
                context: egui::Context::default(),
            }),
        }
    }

    /// Shows `frame` unless a newer one comes first.
    pub fn show(&self, frame: &Frame) {
        self.shared.frames.put(frame.clone());
    }

    /// Sets the words. Cheap when nothing changed; a few times a second is enough.
    pub fn tell(&self, view: View) {
        let mut current = self.shared.view.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = current.trouble != view.trouble
            || (self.shared.figures_shown.load(Ordering::Relaxed) && current.rows != view.rows);
        *current = view;
        drop(current);
        if seen {
            self.shared.context.request_repaint();
        }
    }

    /// Shows `text` for a few seconds: "saved sealview-1.jpg".
    pub fn notice(&self, text: String) {
        *self.shared.notice.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        self.shared.context.request_repaint();
    }

    /// Closes the window, also one that is not open yet.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.context.request_repaint();
    }

    /// Pictures drawn.
    #[must_use]
    pub fn shown(&self) -> u64 {
        self.shared.pictures.shown()
    }

    /// Frames that could not be decoded; the picture before them stayed.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.shared.pictures.undecodable()
    }
}

/// Opens the window and returns when it is closed. Must be called in the program's main thread,
/// at most once; macOS and Windows know no windows of other threads.
///
/// `address` stands in the title. `events` is called in the window's thread and must not wait.
///
/// # Errors
///
/// There is no display, or it cannot show the window.
pub fn run(
    address: &str,
    handle: &WindowHandle,
    decoder: impl Decode + 'static,
    events: impl Fn(Event) + 'static,
) -> Result<(), WindowError> {
    if !display::is_named(Display::of_environment()) {
        return Err(WindowError::NoDisplay);
    }
    let shared = Arc::clone(&handle.shared);
    let decoding = start_decoding(&shared, decoder)?;
    let outcome = display::open(address, &shared.context, {
        let shared = Arc::clone(&shared);
        move || App::new(shared, Box::new(events))
    });
    shared.frames.close();
    shared.pictures.close();
    // The decoder is at most one picture away from its end.
    let _ = decoding.join();
    outcome
}

fn start_decoding(
    shared: &Arc<Shared>,
    decoder: impl Decode + 'static,
) -> Result<thread::JoinHandle<()>, WindowError> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("decoder".into())
        .spawn(move || {
            let repaint = || shared.context.request_repaint();
            shared.pictures.decode_from(&shared.frames, decoder, repaint);
        })
        .map_err(|error| WindowError::Open { reason: format!("no thread for the decoder: {error}") })
}
