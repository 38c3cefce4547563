//! What the fuzz targets do with their bytes.
//!
//! Each module has one function `run` for one target of `fuzz_targets`. It panics if something is wrong, and libFuzzer
//! keeps the bytes. A target checks more than that nothing panics: its module says what.

pub mod cells;
pub mod document;
pub mod life;
pub mod protobuf;
pub mod source;
pub mod stream;
