//! The receiver: what becomes of the frames that arrive.
