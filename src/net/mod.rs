//! Media sockets.
