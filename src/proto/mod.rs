//! The protocol: from a frame to sealed datagrams and back.
//!
//! Parts that know nothing of each other (floor 1): [`key_schedule`], [`seal`], [`replay`],
//! [`fragment`], [`slab`], [`pacer`], [`reassembly`], [`gate`], [`budget`]. The two ends put them together (floor 4):
//! [`sender`] and [`receiver`], with [`streams`] deciding which stream a receiver follows (floor 3).
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
