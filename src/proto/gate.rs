//! The flood gate: what a handshake's first message must show before anything costs more than a hash.
//!
//! It is that of WireGuard (J. Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", section
//! 5.4.7). A message ends in two authenticators. The first is keyed by the camera's public key: whoever does
//! not know which camera this is gets no answer and cannot even find out that there is one. The second is
//! asked for only under load, and is keyed by a cookie that the camera has sent to the address from which
//! the message claims to come: spoofed addresses get no further.
//!
//! # Construction
//!
//! With BLAKE2s (RFC 7693), `K` the camera's 32-byte public key, and `Mac` BLAKE2s keyed, with 16 bytes of
//! output:
//!
//! ```text
//! first  = Mac(key = BLAKE2s-256("sealcam 1 mac1" || K), body)
//! cookie = Mac(key = secret, address as IPv6, 16 bytes || port, big-endian)
//! second = Mac(key = cookie, body || first)
//! sealed = nonce, 24 bytes || XChaCha20-Poly1305(
//!              key = BLAKE2s-256("sealcam 1 cookie" || K), nonce, plaintext = cookie, aad = first)
//! ```
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | messages that pass without a cookie | [`FREE_PER_WINDOW`] in [`WINDOW`]; then the gate is busy for [`BUSY_FOR`] |
//! | messages that pass from one IPv4 address or IPv6 /64 | [`BURST`] at once, then one in [`PREFIX_COST`] |
//! | more from one prefix, or while the gate is busy | get a cookie; with it, as many pass again |
//! | messages with a cookie, from all prefixes | [`PROVEN_BURST`] at once, then one in [`PROVEN_COST`] |
//! | of these, kept for where viewers are that have come in | [`PROVEN_RESERVE`] |
//! | prefixes remembered | [`PREFIXES`]; those that fall on one place share its limit |
//! | a cookie | holds for at most twice [`SECRET_LIFE`], for one address and port |
//! | memory | fixed; nothing is kept of a message that does not pass |
//!
//! A cookie reply is sealed, so that only who has sent the message, or seen it, can use it; that it is no longer
//! than the message is held where the [format](crate::wire::handshake) is.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use blake2::digest::consts::U16;
use blake2::digest::{Digest, FixedOutput, KeyInit, Mac};
use blake2::{Blake2s256, Blake2sMac};
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::budget::{Budget, Rate};
use crate::time::{Duration, Instant};
use crate::wire::handshake::{MAC_LEN, SEALED_COOKIE_LEN};

/// How long the gate counts before it starts again.
pub const WINDOW: Duration = Duration::from_millis(100);

/// Messages in one [`WINDOW`] that are let through without a cookie.
pub const FREE_PER_WINDOW: u32 = 8;

/// How long cookies are asked for once there were too many messages.
pub const BUSY_FOR: Duration = Duration::from_secs(1);

/// Messages that one prefix may send at once.
pub const BURST: u32 = 5;

/// One prefix may send another message after so long.
pub const PREFIX_COST: Duration = Duration::from_millis(200);

const PREFIX_RATE: Rate = Rate { each: PREFIX_COST, burst: BURST };

/// Messages with a cookie that pass at once, whoever sends them: as many as there may be viewers, who all come
/// back at once to a camera that was away.
pub const PROVEN_BURST: u32 = 80;

/// Another passes after so long. Each costs work with public keys: whoever has many addresses must not have all of
/// the processor's time. He can keep other newcomers waiting, and none of those who are in.
pub const PROVEN_COST: Duration = Duration::from_millis(4);

/// So many of them are kept for the addresses of viewers that are in.
pub const PROVEN_RESERVE: u32 = 16;

const PROVEN_RATE: Rate = Rate { each: PROVEN_COST, burst: PROVEN_BURST };

/// Places in the table of prefixes.
pub const PREFIXES: usize = 1024;

/// How long a secret makes cookies; it is accepted for as long again.
pub const SECRET_LIFE: Duration = Duration::from_secs(120);

const NONCE_LEN: usize = SEALED_COOKIE_LEN - 2 * MAC_LEN;
const MAC_LABEL: &[u8] = b"sealcam 1 mac1";
const COOKIE_LABEL: &[u8] = b"sealcam 1 cookie";

/// An authenticator, or a cookie, which is one too.
pub type MacBytes = [u8; MAC_LEN];

type Key = Zeroizing<[u8; 32]>;

/// What both ends derive from the camera's public key.
pub struct GateKeys {
    mac: Key,
    cookie: Key,
}

impl GateKeys {
    /// For the camera with this static public key (X25519, RFC 7748).
    #[must_use]
    pub fn new(camera: &[u8; 32]) -> Self {
        Self { mac: hash(MAC_LABEL, camera), cookie: hash(COOKIE_LABEL, camera) }
    }

    /// The first authenticator of a message whose other bytes are `body`.
    #[must_use]
    pub fn first_mac(&self, body: &[u8]) -> MacBytes {
        mac(&*self.mac, &[body])
    }

    /// Opens the cookie that the camera has sent in answer to the message with `first_mac`; `None` if
    /// somebody else made it, or for another message.
    #[must_use]
    pub fn open_cookie(&self, first_mac: &MacBytes, sealed: &[u8; SEALED_COOKIE_LEN]) -> Option<MacBytes> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let (body, tag) = rest.split_first_chunk::<MAC_LEN>()?;
        let tag: &MacBytes = tag.first_chunk()?;
        let mut cookie = [0; MAC_LEN];
        let buffers = InOutBuf::new(body, &mut cookie).ok()?;
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(*nonce), first_mac, buffers, &Tag::from(*tag))
            .ok()?;
        Some(cookie)
    }

    fn seal_cookie(
        &self,
        first_mac: &MacBytes,
        cookie: &MacBytes,
        nonce: [u8; NONCE_LEN],
    ) -> [u8; SEALED_COOKIE_LEN] {
        let mut sealed = [0; SEALED_COOKIE_LEN];
        let (head, rest) = sealed.split_at_mut(NONCE_LEN);
        let (body, tag) = rest.split_at_mut(MAC_LEN);
        head.copy_from_slice(&nonce);
        let buffers = InOutBuf::new(cookie, body).unwrap_or_else(|_| unreachable!("both are a cookie long"));
        let made = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), first_mac, buffers)
            .unwrap_or_else(|_| unreachable!("a cookie is far below the cipher's limit of 256 GiB"));
        tag.copy_from_slice(&made);
        sealed
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.cookie).into())
    }
}

impl fmt::Debug for GateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GateKeys(..)")
    }
}

/// The second authenticator: of a message whose other bytes are `body`, with the cookie for its address.
#[must_use]
pub fn second_mac(cookie: &MacBytes, body: &[u8], first_mac: &MacBytes) -> MacBytes {
    mac(cookie, &[body, first_mac])
}

/// A first message as the gate sees it.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// Where it claims to come from.
    pub from: SocketAddr,
    /// Whether a viewer is there that is in.
    pub known: bool,
    /// All of it before the authenticators.
    pub body: &'a [u8],
    /// The first authenticator.
    pub first_mac: &'a MacBytes,
    /// The second one; anything if the sender has no cookie.
    pub second_mac: &'a MacBytes,
}

/// What is to be done with a first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Worth the work with public keys.
    Pass,
    /// Answer with this sealed cookie and forget the message.
    Cookie([u8; SEALED_COOKIE_LEN]),
    /// No answer: whoever sent it does not know this camera's key.
    Stranger,
    /// No answer: too many with a cookie, from that prefix or from all.
    Limited,
}

/// What has come to the gate so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateCounters {
    /// [`Verdict::Pass`].
    pub passed: u64,
    /// [`Verdict::Cookie`].
    pub cookies: u64,
    /// [`Verdict::Stranger`].
    pub strangers: u64,
    /// [`Verdict::Limited`].
    pub limited: u64,
}

/// The camera's side. Allocates only in [`Gate::new`].
pub struct Gate {
    keys: GateKeys,
    secret: Key,
    secret_before: Option<Key>,
    /// Since when `secret` makes cookies.
    changed: Instant,
    window: Instant,
    in_window: u32,
    busy_until: Instant,
    /// Where a prefix stands follows from this, so that nobody can choose whose place to share.
    placing: Key,
    /// What each place may still let through.
    budgets: Box<[Budget]>,
    /// The same for messages with a cookie, which come from where they say.
    proven: Box<[Budget]>,
    /// And for all of these together.
    proven_by_all: Budget,
    counters: GateCounters,
}

impl Gate {
    /// For the camera with this public key. The 64 `random` bytes must be such that nobody can guess them.
    #[must_use]
    pub fn new(camera: &[u8; 32], random: &[u8; 64], now: Instant) -> Self {
        let (secret, placing) = random.split_at(32);
        let key = |bytes: &[u8]| {
            let mut key = Key::default();
            key.copy_from_slice(bytes);
            key
        };
        Self {
            keys: GateKeys::new(camera),
            secret: key(secret),
            secret_before: None,
            changed: now,
            window: now,
            in_window: 0,
            busy_until: now,
            placing: key(placing),
            budgets: vec![Budget::FULL; PREFIXES].into_boxed_slice(),
            proven: vec![Budget::FULL; PREFIXES].into_boxed_slice(),
            proven_by_all: Budget::FULL,
            counters: GateCounters::default(),
        }
    }

    /// Judges a first message. `random` fills its argument with bytes that nobody can guess; it is called for
    /// a cookie's nonce and for a new secret.
    pub fn judge(&mut self, now: Instant, knock: &Knock<'_>, mut random: impl FnMut(&mut [u8])) -> Verdict {
        let verdict = self.look(now, knock, &mut random);
        let counters = &mut self.counters;
        *match verdict {
            Verdict::Pass => &mut counters.passed,
            Verdict::Cookie(_) => &mut counters.cookies,
            Verdict::Stranger => &mut counters.strangers,
            Verdict::Limited => &mut counters.limited,
        } += 1;
        verdict
    }

    fn look(&mut self, now: Instant, knock: &Knock<'_>, random: &mut impl FnMut(&mut [u8])) -> Verdict {
        if !is_mac(&*self.keys.mac, &[knock.body], knock.first_mac) {
            return Verdict::Stranger;
        }
        self.renew(now, random);
        let busy = self.is_busy(now);
        let from = knock.from.ip();
        if self.has_cookie(knock) {
            // A budget of its own: what comes from anyone in that address's name does not use it up.
            let reserve = if knock.known { 0 } else { PROVEN_RESERVE };
            let passes = self.spend(now, from, true) && self.proven_by_all.spend(now, PROVEN_RATE, reserve);
            return if passes { Verdict::Pass } else { Verdict::Limited };
        }
        if !busy && self.spend(now, from, false) {
            return Verdict::Pass;
        }
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce);
        let cookie = cookie(&self.secret, knock.from);
        Verdict::Cookie(self.keys.seal_cookie(knock.first_mac, &cookie, nonce))
    }

    /// What has come so far.
    #[must_use]
    pub const fn counters(&self) -> GateCounters {
        self.counters
    }

    fn renew(&mut self, now: Instant, random: &mut impl FnMut(&mut [u8])) {
        let age = now.since(self.changed);
        if age < SECRET_LIFE {
            return;
        }
        let mut fresh = Key::default();
        random(&mut *fresh);
        let before = core::mem::replace(&mut self.secret, fresh);
        // After a long silence the last secret is as old as one that has been given up.
        let in_time = age < SECRET_LIFE * 2;
        self.secret_before = in_time.then_some(before);
        // Not later than its time, or the secret before would be accepted for longer than it may.
        self.changed = if in_time { self.changed + SECRET_LIFE } else { now };
    }

    /// Counts a message, and says whether there have been too many.
    fn is_busy(&mut self, now: Instant) -> bool {
        if now.since(self.window) >= WINDOW {
            self.window = now;
            self.in_window = 0;
        }
        self.in_window = self.in_window.saturating_add(1);
        if self.in_window > FREE_PER_WINDOW {
            self.busy_until = now + BUSY_FOR;
        }
        now < self.busy_until
    }

    fn has_cookie(&self, knock: &Knock<'_>) -> bool {
        let secrets = core::iter::once(&self.secret).chain(&self.secret_before);
        let mut cookies = secrets.map(|secret| cookie(secret, knock.from));
        cookies.any(|cookie| is_mac(&cookie, &[knock.body, knock.first_mac], knock.second_mac))
    }

    /// Takes one from the budget of a prefix.
    fn spend(&mut self, now: Instant, from: IpAddr, proven: bool) -> bool {
        let [low, high, ..] = mac(&*self.placing, &[&prefix(from)]);
        let place = usize::from(u16::from_le_bytes([low, high])) % PREFIXES;
        let budgets = if proven { &mut self.proven } else { &mut self.budgets };
        budgets[place].spend(now, PREFIX_RATE, 0)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gate({:?})", self.counters)
    }
}

fn hash(label: &[u8], camera: &[u8; 32]) -> Key {
    Zeroizing::new(Blake2s256::new().chain_update(label).chain_update(camera).finalize().into())
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> Blake2sMac<U16> {
    let keyed = <Blake2sMac<U16> as KeyInit>::new_from_slice(key);
    let mut keyed = keyed.unwrap_or_else(|_| unreachable!("16 or 32 bytes, as BLAKE2s allows"));
    for part in parts {
        Mac::update(&mut keyed, part);
    }
    keyed
}

fn mac(key: &[u8], parts: &[&[u8]]) -> MacBytes {
    keyed(key, parts).finalize_fixed().into()
}

/// Compares in constant time.
fn is_mac(key: &[u8], parts: &[&[u8]], given: &MacBytes) -> bool {
    keyed(key, parts).verify_slice(given).is_ok()
}

fn cookie(secret: &Key, from: SocketAddr) -> MacBytes {
    mac(&**secret, &[&address(from.ip()), &from.port().to_be_bytes()])
}

/// The address as IPv6 (RFC 4291 section 2.5.5.2), so that both ways to write one are the same.
fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// What shares one limit: an IPv4 address, or an IPv6 /64, which is what one customer gets.
fn prefix(ip: IpAddr) -> [u8; 16] {
    let mut bytes = address(ip);
    if ip.to_canonical().is_ipv6() {
        bytes[8..].fill(0);
    }
    bytes
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
