//! Capture from V4L2 devices.
//!
//! | file | what it does |
//! |---|---|
//! | `capture` | the source: keeps a camera going, through silence, errors and unplugging |
//! | `settings` | what to capture, in plain values |
//! | `session`, `start` | one open, streaming device: negotiation, the newest good frame |
//! | `queue`, `mapping` | the driver's buffers: which is where, and their memory |
//! | `inspect` | is this buffer a whole frame, and from when |
//! | `negotiate` | which mode to take: decisions on plain values |
//! | `formats`, `colour`, `device` | what a device offers, what its samples mean, who it is |
//! | `by_id`, `known` | names that survive renumbering, and telling a camera from another by them |
//! | `controls` | exposure, focus and the like: what there is, and setting it |
//! | `reason`, `listing` | sentences for people |
//! | `sys` | every ioctl, through the C library |
//!
//! The bindings, types and codes are those of the `v4l` crate; its streams and its own calls are not used:
//! they bypass the C library, so that a preloaded compatibility layer does not see them.

mod by_id;
mod capture;
mod colour;
mod controls;
mod device;
mod formats;
mod inspect;
mod known;
mod listing;
mod mapping;
mod negotiate;
mod queue;
mod reason;
mod session;
mod settings;
mod start;
mod sys;

pub use by_id::LINKS;
pub use capture::Camera;
pub use controls::{Control, ControlKind, ControlSetting, ControlValue};
pub use device::{Identity, Kind};
pub use formats::{Encoding, Extent, Interval, Offer, Rates, Size, SizeOffer, is_bayer};
pub use negotiate::{
    DEFAULT_RATE, DEFAULT_SIZE, FormatChoice, Mode, RAW_PREFERENCE, UnknownFormat, Wish, modes, next_smaller,
};
pub use settings::{CameraSettings, Reopen};

pub(super) use by_id::stable_link;
pub(super) use controls::controls;
pub(super) use device::Device;
pub(super) use formats::offers;
pub(super) use reason::code;
pub(super) use sys::Refused;
