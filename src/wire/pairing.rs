//! The six datagrams of pairing. What is in them: `proto::pairing`.
//!
//! All are 160 bytes, so that none answers with more than it was sent.

use super::{Malformed, SessionId, VERSION};

/// Which datagram of pairing; the odd ones are the camera's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Step {
    /// The viewer names the channel and gives its element of SPAKE2.
    Hello = 24,
    /// The camera gives its element.
    Element = 25,
    /// The viewer shows that it knows the code, and who it is.
    Introduction = 26,
    /// The camera does the same.
    Response = 27,
    /// The viewer says that it has seen that.
    Confirmation = 28,
    /// The camera says that it has stored the viewer.
    Done = 29,
}

impl Step {
    pub(super) const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            24 => Some(Self::Hello),
            25 => Some(Self::Element),
            26 => Some(Self::Introduction),
            27 => Some(Self::Response),
            28 => Some(Self::Confirmation),
            29 => Some(Self::Done),
            _ => None,
        }
    }
}

/// One datagram of pairing.
///
/// ```text
/// version = 1, type = 24..=29, 0, 0 | run, 12 | body, 144
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairing {
    /// Which step.
    pub step: Step,
    /// Random, chosen by the viewer for one run.
    pub run: SessionId,
    /// As the step says; what it does not use is zero.
    pub body: [u8; Self::BODY],
}

impl Pairing {
    /// Bytes on the wire.
    pub const LEN: usize = 160;
    /// Bytes of the body.
    pub const BODY: usize = Self::LEN - 4 - SessionId::LEN;

    /// Reads the datagram.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if length or head are wrong.
    pub fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        let whole: &[u8; Self::LEN] = datagram.try_into().map_err(|_| Malformed::Field("pairing length"))?;
        let [version, step, zero0, zero1, rest @ ..] = whole;
        let step = Step::from_wire(*step).ok_or(Malformed::Type(*step))?;
        if *version != VERSION || *zero0 != 0 || *zero1 != 0 {
            return Err(Malformed::Field("pairing head"));
        }
        let (run, body) = rest.split_at(SessionId::LEN);
        let mut parsed =
            Self { step, run: SessionId::from_bytes([0; SessionId::LEN]), body: [0; Self::BODY] };
        if let Some(run) = run.first_chunk() {
            parsed.run = SessionId::from_bytes(*run);
        }
        parsed.body.copy_from_slice(body);
        Ok(parsed)
    }

    /// Writes the datagram.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = VERSION;
        bytes[1] = self.step as u8;
        bytes[4..4 + SessionId::LEN].copy_from_slice(&self.run.to_bytes());
        bytes[4 + SessionId::LEN..].copy_from_slice(&self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_goes_both_ways_and_nothing_else_is_taken() {
        for byte in 0..=255 {
            let Some(step) = Step::from_wire(byte) else { continue };
            let one = Pairing { step, run: SessionId::from_bytes([byte; 12]), body: [byte; Pairing::BODY] };
            let bytes = one.to_bytes();
            assert_eq!(Pairing::parse(&bytes), Ok(one));
            assert!(Pairing::parse(&bytes[..159]).is_err());
            for at in [0, 2, 3] {
                let mut wrong = bytes;
                wrong[at] ^= 1;
                assert!(Pairing::parse(&wrong).is_err());
            }
        }
    }
}
