//! What a paired viewer must drop: `tests/vectors/paired-malformed.txt`.

use sealcam::proto::manifest::Signer;
use sealcam::proto::outcome::{Accepted, Dropped};
use sealcam::proto::paired::PairedReceiver;
use sealcam::proto::seal::Seal;
use sealcam::proto::session::Session;
use sealcam::wire::{
    Control, DatagramType, Delivery, Grant, Malformed, Manifest, MediaHeader, Plan, PublicHeader, StreamId,
    TAG_LEN,
};

use crate::golden::{self, must_drop};
use crate::handshake_vectors::session;
use crate::paired_vectors::{
    EPOCHS, MAX_FRAME, STREAM, datagrams, grant, media_key, session_afterwards, signer,
};
use crate::world::START;

type Case = (&'static str, Vec<u8>, Dropped);

/// A datagram of the vectors, opened, to be made into another.
#[derive(Clone)]
struct Opened {
    head: Vec<u8>,
    plain: Vec<u8>,
    epoch: u16,
}

impl Opened {
    fn of(datagram: &[u8]) -> Self {
        let public = PublicHeader::parse(datagram).unwrap();
        let (head, sealed) = datagram.split_at(MediaHeader::LEN);
        let mut plain = vec![0; sealed.len() - TAG_LEN];
        let seal = Seal::new(&media_key(public.epoch));
        seal.open(public.packet, head, sealed, &mut plain).unwrap();
        Self { head: head.to_vec(), plain, epoch: public.epoch }
    }

    /// With other header fields than the packet number's.
    fn with_head(&self, at: usize, bytes: &[u8]) -> Self {
        let mut changed = self.clone();
        changed.head[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    }

    fn with_plain(&self, at: usize, byte: u8) -> Self {
        let mut changed = self.clone();
        changed.plain[at] = byte;
        changed
    }

    fn cut(&self, len: usize) -> Self {
        Self { plain: self.plain[..len].to_vec(), ..self.clone() }
    }

    fn frame(&self, frame: u32) -> Self {
        self.with_head(24, &frame.to_be_bytes())
    }

    /// Sealed with the right key, as any viewer can, as packet `packet`.
    fn sealed(&self, packet: u64) -> Vec<u8> {
        let mut datagram = self.with_head(16, &packet.to_be_bytes()).head;
        let mut body = vec![0; self.plain.len() + TAG_LEN];
        Seal::new(&media_key(self.epoch)).seal(packet, &datagram, &self.plain, &mut body);
        datagram.extend_from_slice(&body);
        datagram
    }

    /// A manifest with what `change` makes of its plan, signed by `signer`.
    fn signed(&self, signer: &Signer, change: impl FnOnce(Plan) -> Plan) -> Self {
        let head: &[u8; MediaHeader::LEN] = self.head[..].try_into().unwrap();
        let mut datagram = self.head.clone();
        datagram.resize(self.head.len() + TAG_LEN + 1, 0);
        let public = PublicHeader::parse(&datagram).unwrap();
        let (header, ..) = MediaHeader::parse(public, &datagram).unwrap();
        let manifest = Manifest::parse(&header, &self.plain).unwrap();
        let plan = change(manifest.plan);
        let signature = signer.sign(head, plan, manifest.hashes);
        let mut plain = vec![0; self.plain.len()];
        Manifest { plan, signature: &signature, ..manifest }.write(&mut plain);
        Self { plain, ..self.clone() }
    }
}

const HASHES: usize = Plan::LEN + 2;
/// A packet number that has not been used, under either key.
const NEW: u64 = 1_000;
/// The frame that has begun, and the one after it.
const BEGUN: u32 = 2;
const NEXT: u32 = 3;

fn changed(datagram: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut changed = datagram.to_vec();
    changed[at] = byte;
    changed
}

/// The first manifest of the frame that has begun, a shard of it that has come, and its last one, which has not.
fn genuine() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let all = datagrams();
    let begun: Vec<_> = all.iter().filter(|one| one[27] == BEGUN as u8).collect();
    (begun[0].clone(), begun[2].clone(), begun[begun.len() - 1].clone())
}

fn heads() -> Vec<Case> {
    let bad = Dropped::Malformed;
    let (manifest, _, last) = genuine();
    let other_stream = Opened::of(&last).with_head(4, &StreamId::new(0x0102_0305, [7; 8]).to_bytes());
    let old = Opened::of(&datagrams()[0]);
    vec![
        ("nothing", vec![], bad(Malformed::Truncated { len: 0 })),
        ("no payload", last[..64].to_vec(), bad(Malformed::Truncated { len: 64 })),
        ("version 2", changed(&last, 0, 2), bad(Malformed::Version(2))),
        ("type 7", changed(&last, 1, 7), bad(Malformed::Type(7))),
        ("type 3, set aside", changed(&last, 1, 3), Dropped::Unsupported),
        ("another stream", other_stream.sealed(NEW), Dropped::OtherStream),
        ("an epoch that was not granted", changed(&last, 3, 1), Dropped::UnknownKey),
        ("a newer frame under the key before", old.frame(NEXT).sealed(NEW), Dropped::UnknownKey),
        ("shard of the frame that the new key came with", old.frame(BEGUN).sealed(NEW), Dropped::UnknownKey),
        ("a packet number that was taken", manifest.clone(), Dropped::Replayed),
        ("the last packet number", Opened::of(&last).sealed(u64::MAX), Dropped::TooOld),
        ("manifest: changed tag", changed(&Opened::of(&manifest).sealed(NEW), 575, 0x5a), Dropped::Forged),
        ("shard: changed payload", changed(&last, 48, !last[48]), Dropped::Forged),
        ("shard under the key before, which says the new epoch", wrong_key(), Dropped::Forged),
    ]
}

fn wrong_key() -> Vec<u8> {
    let last = Opened::of(&genuine().2);
    Opened { epoch: EPOCHS[0], ..last }.sealed(NEW)
}

fn manifests() -> Vec<Case> {
    let bad = |what| Dropped::Malformed(Malformed::Field(what));
    let manifest = Opened::of(&genuine().0);
    let next = manifest.frame(NEXT);
    let (own, other) = (signer(), Signer::new(&[8; 32]));
    let numbered = |plan| Plan { first_packet: NEW, ..plan };
    let end = HASHES + 27 * 16 + 64;
    let truncated = |len| Dropped::Malformed(Malformed::Truncated { len });
    let no_restart = bad("restart interval of a manifest");
    vec![
        ("manifest with a restart interval", manifest.with_head(46, &[0, 1]).sealed(NEW), no_restart),
        ("manifest without hashes", manifest.with_plain(HASHES - 1, 0).sealed(NEW), bad("number of hashes")),
        (
            "manifest that ends before its signature does",
            manifest.cut(end - 1).sealed(NEW),
            truncated(end - 1),
        ),
        (
            "manifest with more hashes than shards",
            next.with_head(28, &[0, 2]).sealed(NEW),
            bad("number of hashes"),
        ),
        ("manifest of another's signature", next.signed(&other, numbered).sealed(NEW), Dropped::NotSigned),
        ("manifest without a signature", next.sealed(NEW), Dropped::NotSigned),
        (
            "manifest with another hash than was signed",
            next.signed(&own, numbered).with_plain(HASHES, 0).sealed(NEW),
            Dropped::NotSigned,
        ),
        (
            "manifest with another plan than was signed",
            next.signed(&own, numbered).with_plain(3, 3).sealed(NEW),
            Dropped::NotSigned,
        ),
        (
            "manifest under the number of a shard",
            next.signed(&own, numbered).sealed(NEW + 2),
            Dropped::NotSigned,
        ),
        ("manifest moved to another number", manifest.sealed(NEW), Dropped::NotSigned),
        (
            "manifest of a frame that has another already",
            manifest.signed(&own, numbered).sealed(NEW),
            Dropped::NotSigned,
        ),
        (
            "manifest of a frame before the last one handed over",
            manifest.frame(u32::MAX).signed(&own, numbered).sealed(NEW),
            Dropped::Late,
        ),
        (
            "manifest of a frame larger than was granted",
            next.with_head(36, &[0, 1, 0, 0]).signed(&own, numbered).sealed(NEW),
            Dropped::TooLarge,
        ),
        (
            "manifest of shards that do not make up the frame",
            next.signed(&own, |plan| Plan { shard_len: 496, ..numbered(plan) }).sealed(NEW),
            Dropped::Inconsistent,
        ),
    ]
}

fn shards() -> Vec<Case> {
    let (_, taken, last) = genuine();
    let (taken, last_number) = (Opened::of(&taken), PublicHeader::parse(&last).unwrap().packet);
    let last = Opened::of(&last);
    vec![
        ("shard with other contents", last.with_plain(0, 0).sealed(last_number), Dropped::NotSigned),
        (
            "shard with another restart interval",
            last.with_head(46, &[0, 9]).sealed(last_number),
            Dropped::NotSigned,
        ),
        ("shard with another capture time", last.with_head(45, &[9]).sealed(last_number), Dropped::NotSigned),
        ("shard shorter than its place", last.cut(75).sealed(last_number), Dropped::Inconsistent),
        ("shard under another number", last.sealed(NEW), Dropped::NotSigned),
        ("shard that has come, under another number", taken.sealed(NEW), Dropped::NotSigned),
        ("shard of a frame long gone", last.frame(u32::MAX).sealed(NEW), Dropped::Late),
        (
            "shard of a frame larger than was granted",
            last.frame(NEXT).with_head(36, &[0, 1, 0, 0]).sealed(NEW),
            Dropped::TooLarge,
        ),
    ]
}

/// The camera's end of a session says `plain`, whatever that is, after all that was said.
fn said(plain: &[u8]) -> Vec<u8> {
    // What comes next, for its header.
    let mut out = [0; Control::MAX_DATAGRAM];
    session_afterwards().1.say(&Control::Leave, &mut out);
    let header = PublicHeader::parse(&out).unwrap();
    let mut datagram = header.to_bytes().to_vec();
    let mut body = vec![0; plain.len() + TAG_LEN];
    camera_seal().seal(header.packet, &datagram, plain, &mut body);
    datagram.extend_from_slice(&body);
    datagram
}

fn camera_seal() -> Seal {
    Seal::new(&crate::handshake_vectors::key_to_viewer())
}

fn messages() -> Vec<Case> {
    let bad = |what| Dropped::Malformed(Malformed::Field(what));
    let mut plain = [0; Control::MAX];
    let len = Control::Grant(Grant { signer: None, group: None, ..grant(5) }).write(&mut plain);
    let with = |at: usize, byte: u8| {
        let mut changed = plain[..len].to_vec();
        changed[at] = byte;
        said(&changed)
    };
    let again = {
        let mut out = [0; Control::MAX_DATAGRAM];
        let len = session().1.say(&Control::Leave, &mut out);
        out[..len].to_vec()
    };
    let forged = changed(&said(&[17, 0]), 24, 0);
    let other_end = changed(&said(&[17, 0]), 4, 0);
    let held = Control::Status { instance: 3, held: None, delivery: Delivery::Paused };
    let status = held.write(&mut [0; Control::MAX]);
    vec![
        ("session: no message", said(&[]), Dropped::Malformed(Malformed::Truncated { len: 0 })),
        ("session: message 5", said(&[5]), bad("control message")),
        ("session: alive in no role", said(&[17, 3]), bad("role")),
        ("session: alive and more", said(&[17, 0, 0]), bad("control message length")),
        ("session: farewell without reason", said(&[20, 0]), bad("farewell")),
        (
            "session: status that holds no key, but has an epoch",
            said(&[1, 9, 9, 9, 9, 0, 0, 1, 0]),
            bad("epoch"),
        ),
        ("session: status with delivery 3", said(&[1, 9, 9, 9, 9, 0, 0, 0, 3][..status]), bad("delivery")),
        (
            "session: grant without its last byte",
            said(&plain[..len - 1]),
            Dropped::Malformed(Malformed::Truncated { len: 31 }),
        ),
        ("session: grant unsigned, but with a byte of a signing key", with(48 + 31, 1), bad("signer")),
        ("session: grant with address kind 5", with(87, 5), bad("address")),
        ("session: grant with a port, but no address", with(105, 1), bad("address")),
        ("session: grant with a name of no bytes", with(106, 0), bad("name")),
        ("session: grant with a space in its name", with(108, b' '), bad("name")),
        ("session: grant with bytes behind its name", with(len - 1, 1), bad("name")),
        (
            "session: text too long",
            said(&[18; Control::MAX + 1]),
            Dropped::Malformed(Malformed::TooLong { len: 1070 }),
        ),
        ("session: another end's", other_end, Dropped::OtherStream),
        ("session: changed", forged, Dropped::Forged),
        ("session: a packet number that was taken", again, Dropped::Replayed),
    ]
}

fn all() -> Vec<Case> {
    [heads(), manifests(), shards(), messages()].into_iter().flatten().collect()
}

fn text() -> String {
    let mut text = String::from(
        "# What a viewer that has got all of paired.txt but its last datagram must drop, each by itself, and why:\n\
         # cause | case | datagram. Most are sealed with the right key, as another viewer can.\n",
    );
    for (case, datagram, why) in all() {
        text += &must_drop(case, &datagram, why);
    }
    text
}

fn media(datagram: &[u8]) -> Result<Accepted, Dropped> {
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    for epoch in EPOCHS {
        assert!(receiver.grant(&grant(epoch)));
    }
    let all = datagrams();
    for good in &all[..all.len() - 1] {
        if receiver.handle(START, good).unwrap() == Accepted::Frame {
            receiver.take_frame(&mut buffer).unwrap();
        }
    }
    assert_eq!(receiver.stream(), Some(STREAM));
    receiver.handle(START, datagram)
}

fn control(session: &mut Session, datagram: &[u8]) -> Result<(), Dropped> {
    let header = PublicHeader::parse(datagram)?;
    if sealcam::wire::SessionId::of(&header) != session.id() {
        return Err(Dropped::OtherStream);
    }
    session.hear(&header, datagram, &mut [0; Control::MAX]).map(|_| ()).map_err(Dropped::from)
}

#[test]
fn the_vectors_of_what_must_be_dropped_name_the_right_reason() {
    golden::hold(&[("paired-malformed.txt", text())]);
    for (case, datagram, why) in all() {
        if DatagramType::of(&datagram) == Ok(DatagramType::Session) {
            assert_eq!(control(&mut session_afterwards().0, &datagram), Err(why), "{case}");
        } else {
            assert_eq!(media(&datagram), Err(why), "{case}");
        }
    }
    // The datagram that is missing is taken, so it was not the state that had them dropped.
    assert_eq!(media(datagrams().last().unwrap()), Ok(Accepted::Frame));
    assert_eq!(control(&mut session_afterwards().0, &said(&[17, 0])), Ok(()));
}
