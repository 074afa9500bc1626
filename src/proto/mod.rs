//! The protocol: from a frame to sealed datagrams and back.
//!
//! | floor | modules |
//! |---|---|
//! | 1, parts that know nothing of each other | [`key_schedule`], [`random`], [`identity`], [`seal`], [`replay`], [`fragment`], [`slab`], [`pacer`], [`reassembly`], [`budget`], [`gate`] |
//! | 2 | [`handshake`], [`manifest`], [`pairing`], [`outcome`] |
//! | 3 | [`streams`]: which stream a receiver follows; [`session`]: control messages of one viewer; [`paired`]: media under keys that change |
//! | 4, the ends | [`sender`] and [`receiver`]; [`group`] and [`connection`] of paired viewers |
//!
//! # One-way streams under a shared key
//!
//! The camera and its viewers hold the same 32-byte key. Each start of the camera makes a new
//! [`StreamId`](crate::wire::StreamId), and with it a key of its own, derived by HKDF-SHA-256 (RFC 5869).
//! Datagram *n* of a stream is sealed by ChaCha20-Poly1305 (RFC 8439) with the packet number *n* as the
//! nonce: one sender, one key, one counter, so no nonce ever covers two plaintexts.
//!
//! What a holder of the key can do: watch, and forge. What anyone can see: frame sizes, the rate, the
//! addresses. What nobody without the key can do: read, change or replay a datagram unnoticed.
//!
//! # Paired viewers
//!
//! Camera and viewer each own an X25519 key pair. How they come to know each other's public key is up to people,
//! or to [`pairing`] under a short code. From then on:
//!
//! 1. A [`handshake`] (Noise IK) gives viewer and camera two session keys, one for each direction, that
//!    nobody else has, not even with both static secrets later. It is made anew every two minutes.
//! 2. In that [`session`] the camera tells the viewer the media key in use, and the one to come. Media
//!    keys are random and not derived from each other; each seals at most two minutes of one stream.
//! 3. A frame is sealed once, under the media key, for all. So that no viewer can make another one believe a
//!    frame, the camera signs each frame's [`manifest`]: the hashes of all its shards, and the packet
//!    number of each. A viewer takes nothing that is not in a signed manifest, and marks nothing as seen
//!    ([`paired`]).
//! 4. A removed viewer's session ends at once; the next media key, which it does not get, is in use 300 ms later.
//!
//! Nonces: a session seals its *n*-th datagram with nonce *n*, under a key for one direction of one handshake; a
//! media key is used by one sender and never again once another has taken over, and packet numbers count from 0
//! under each. Nothing in this module knows the time of day; whatever must not be accepted twice is refused
//! because its key is gone or its number was taken.
//!
//! What binds what, and what is lost when a key is stolen, is in [`handshake`]; what a flood can cost in
//! [`gate`] and [`group`].

pub mod budget;
pub mod connection;
pub mod fragment;
pub mod gate;
pub mod group;
pub mod handshake;
pub mod identity;
pub mod key_schedule;
pub mod manifest;
pub mod outcome;
pub mod pacer;
pub mod paired;
pub mod pairing;
pub mod random;
pub mod reassembly;
pub mod receiver;
pub mod replay;
pub mod seal;
pub mod sender;
pub mod session;
pub mod slab;
pub mod streams;
