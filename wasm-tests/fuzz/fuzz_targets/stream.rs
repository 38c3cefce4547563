//! Header blocks, attribute lists and attribute values of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::stream::run(bytes));
