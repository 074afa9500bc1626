//! The fields of a control message, read and written.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Control, Delivery, Farewell, Grant};
use crate::wire::{Malformed, Name, Role, StreamId};

/// What is left to be read.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated { len: self.0.len() })?;
        self.0 = rest;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    pub(super) fn epoch(&mut self) -> Result<Option<u16>, Malformed> {
        match (self.u8()?, self.u16()?) {
            (0, 0) => Ok(None),
            (1, epoch) => Ok(Some(epoch)),
            _ => Err(Malformed::Field("epoch")),
        }
    }

    pub(super) fn delivery(&mut self) -> Result<Delivery, Malformed> {
        match self.u8()? {
            0 => Ok(Delivery::Paused),
            1 => Ok(Delivery::Unicast),
            2 => Ok(Delivery::Group),
            _ => Err(Malformed::Field("delivery")),
        }
    }

    pub(super) fn farewell(&mut self) -> Result<Farewell, Malformed> {
        match self.u8()? {
            1 => Ok(Farewell::Removed),
            2 => Ok(Farewell::Stopping),
            3 => Ok(Farewell::Displaced),
            4 => Ok(Farewell::Full),
            _ => Err(Malformed::Field("farewell")),
        }
    }

    pub(super) fn role(&mut self) -> Result<Role, Malformed> {
        Role::from_wire(self.u8()?).ok_or(Malformed::Field("role"))
    }

    pub(super) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let text = core::mem::take(&mut self.0);
        if text.len() > Control::MAX_TEXT { Err(Malformed::TooLong { len: text.len() }) } else { Ok(text) }
    }

    fn address(&mut self) -> Result<Option<SocketAddr>, Malformed> {
        let (kind, ip, port) = (self.u8()?, self.take::<16>()?, self.u16()?);
        let ip = match (kind, ip) {
            (0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) if port == 0 => return Ok(None),
            (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            (6, ip) => IpAddr::V6(Ipv6Addr::from(ip)),
            _ => return Err(Malformed::Field("address")),
        };
        Ok(Some(SocketAddr::new(ip, port)))
    }

    fn name(&mut self) -> Result<Name, Malformed> {
        let wrong = Malformed::Field("name");
        let (len, bytes) = (usize::from(self.u8()?), self.take::<{ Name::MAX }>()?);
        let (name, padding) = bytes.split_at_checked(len).ok_or(wrong)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(wrong);
        }
        core::str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(wrong)
    }

    pub(super) fn grant(&mut self) -> Result<Grant, Malformed> {
        Ok(Grant {
            epoch: self.u16()?,
            key: self.take()?,
            stream: StreamId::from_bytes(self.take()?),
            signer: match (self.u8()?, self.take::<32>()?) {
                (0, key) if key == [0; 32] => None,
                (1, key) => Some(key),
                _ => return Err(Malformed::Field("signer")),
            },
            role: self.role()?,
            datagram: self.u16()?,
            max_frame: self.u32()?,
            group: self.address()?,
            camera: self.name()?,
        })
    }
}

/// What has been written.
pub(super) struct Into<'a> {
    pub(super) out: &'a mut [u8],
    pub(super) len: usize,
}

impl Into<'_> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.out[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }

    pub(super) fn grant(&mut self, grant: &Grant) -> &mut Self {
        self.put(&grant.epoch.to_be_bytes()).put(&grant.key).put(&grant.stream.to_bytes());
        self.put(&[u8::from(grant.signer.is_some())]).put(&grant.signer.unwrap_or([0; 32]));
        self.put(&[grant.role.to_wire()]);
        self.put(&grant.datagram.to_be_bytes()).put(&grant.max_frame.to_be_bytes());
        let (kind, ip) = match grant.group.map(|group| group.ip()) {
            None => (0, [0; 16]),
            Some(IpAddr::V6(ip)) => (6, ip.octets()),
            Some(IpAddr::V4(ip)) => {
                let mut padded = [0; 16];
                padded[..4].copy_from_slice(&ip.octets());
                (4, padded)
            }
        };
        self.put(&[kind]).put(&ip).put(&grant.group.map_or(0, |group| group.port()).to_be_bytes());
        let name = grant.camera.as_str().as_bytes();
        let mut padded = [0; Name::MAX];
        padded[..name.len()].copy_from_slice(name);
        // At most 32.
        self.put(&[name.len() as u8]).put(&padded)
    }
}
