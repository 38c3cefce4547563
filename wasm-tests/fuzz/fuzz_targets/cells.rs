//! Rate limits over cells of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::cells::run(bytes));
