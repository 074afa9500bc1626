//! JPEG to samples and back.
