//! What the targets of both ends of a pairing share.

mod random;

use std::net::SocketAddr;

use arbitrary::Arbitrary;
pub use random::Counted;
use sealcam::wire::{Control, Delivery, Farewell, Grant, Role, StreamId};

/// One of few enough addresses that they are used again.
pub fn address(which: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, which / 16 % 4, which % 4], 5000 + u16::from(which % 2)))
}

/// What either end may say, the other end's messages too.
#[derive(Debug, Arbitrary)]
pub enum Message {
    Status {
        held: Option<u16>,
        delivery: u8,
    },
    PathAnswer {
        token: [u8; 8],
    },
    /// With the token that was asked for last.
    RightPathAnswer,
    Request {
        number: u8,
        text: Vec<u8>,
    },
    Leave,
    Grant {
        epoch: u8,
        other_stream: bool,
        signer: u8,
        role: u8,
        max_frame: u32,
        group: Option<u8>,
    },
    Alive {
        role: u8,
    },
    Reply {
        number: u8,
        text: Vec<u8>,
    },
    PathChallenge {
        token: [u8; 8],
    },
    Farewell {
        why: u8,
    },
}

impl Message {
    /// The message; what a grant says beyond this one's fields is that of `genuine`.
    pub fn control<'a>(&'a self, token: [u8; 8], genuine: &dyn Fn(u8) -> Grant) -> Control<'a> {
        let role = |role: u8| Role::ALL[usize::from(role % 3)];
        let cut = |text: &'a [u8]| &text[..text.len().min(Control::MAX_TEXT)];
        match self {
            Self::Status { held, delivery } => {
                let all = [Delivery::Paused, Delivery::Unicast, Delivery::Group];
                Control::Status { instance: 1, held: *held, delivery: all[usize::from(delivery % 3)] }
            }
            Self::PathAnswer { token } => Control::PathAnswer(*token),
            Self::RightPathAnswer => Control::PathAnswer(token),
            Self::Request { number, text } => {
                Control::Request { number: u32::from(*number), text: cut(text) }
            }
            Self::Leave => Control::Leave,
            Self::Grant { epoch, other_stream, signer, role: may, max_frame, group } => {
                let mut grant = Grant { role: role(*may), max_frame: *max_frame, ..genuine(*epoch) };
                if *other_stream {
                    grant.stream = StreamId::new(9, [9; 8]);
                }
                match signer {
                    0 => grant.signer = None,
                    1 => grant.signer = Some([1; 32]),
                    _ => {}
                }
                grant.group = group.map(address);
                Control::Grant(grant)
            }
            Self::Alive { role: may } => Control::Alive(role(*may)),
            Self::Reply { number, text } => Control::Reply { number: u32::from(*number), text: cut(text) },
            Self::PathChallenge { token } => Control::PathChallenge(*token),
            Self::Farewell { why } => {
                let all = [Farewell::Removed, Farewell::Stopping, Farewell::Displaced];
                Control::Farewell(all[usize::from(why % 3)])
            }
        }
    }
}
