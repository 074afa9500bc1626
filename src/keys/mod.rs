//! Key files and what is kept between runs.
