//! Serialised messages of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::protobuf::run(bytes));
