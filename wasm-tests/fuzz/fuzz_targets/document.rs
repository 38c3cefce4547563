//! Plugin configurations of any bytes, and of any JSON.
#![no_main]

use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};
use weir_fuzz::document;

fuzz_target!(|bytes: &[u8]| document::run(bytes));

// Three of four mutations change the JSON tree; the rest are libFuzzer's, with its dictionary.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if !seed.is_multiple_of(4)
        && let Some(mutant) = document::mutated(&data[..size], seed)
        && mutant.len() <= max_size
    {
        data[..mutant.len()].copy_from_slice(&mutant);
        return mutant.len();
    }
    fuzzer_mutate(data, size, max_size)
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    match document::crossed(one, other, seed) {
        Some(child) if child.len() <= out.len() => {
            out[..child.len()].copy_from_slice(&child);
            child.len()
        }
        _ => 0,
    }
});
