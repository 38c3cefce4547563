use super::{Fault, inflate};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write as _;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn deflated(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Numbers that are the same in each run.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Bytes of every kind: few symbols or all, with copies near and far, short and long.
fn samples() -> Vec<Vec<u8>> {
    let mut random = random(7);
    let mut samples = vec![Vec::new(), vec![0], vec![b'a'; 100_000], (0..=255).collect()];
    for symbols in [1, 2, 3, 16, 256] {
        let mut bytes = Vec::new();
        while bytes.len() < 120_000 {
            let reach = u64::try_from(bytes.len().min(32_768)).unwrap();
            if reach > 0 && random(3) == 0 {
                let back = usize::try_from(random(reach) + 1).unwrap();
                for _ in 0..random(300) {
                    bytes.push(bytes[bytes.len() - back]);
                }
            } else {
                bytes.push(u8::try_from(random(symbols)).unwrap());
            }
        }
        samples.push(bytes);
    }
    samples
}

#[test]
fn what_another_deflates_is_inflated() {
    for bytes in samples() {
        for level in [0, 1, 6, 9] {
            let mut packed = deflated(&bytes, level);
            packed.extend(b"rest");
            let (found, rest) = inflate(&packed, bytes.len()).unwrap();
            assert!(found == bytes, "{} bytes at level {level}", bytes.len());
            assert_eq!(rest, b"rest");
            if !bytes.is_empty() {
                assert_eq!(inflate(&packed, bytes.len() - 1), Err(Fault::TooLarge));
            }
        }
    }
}

/// A fixed block of `a` and a copy, by the tables of the standard: flate2 makes none of such a size.
#[test]
fn a_block_of_the_fixed_codes_is_inflated() {
    // Python's zlib.compressobj(level=9, wbits=-15, strategy=Z_FIXED) of 40 times `ab`.
    assert_eq!(inflate(&[0x4b, 0x4c, 0x4a, 0xa4, 0x2a, 0x04, 0x00], 80).unwrap().0, b"ab".repeat(40));
}

/// What miniz, which flate2 is made of, inflates of damaged bytes is the same here. It also refuses codes that leave bits
/// unused; zlib and this reader refuse them where a symbol needs such bits, and the checksum tells what came of the rest.
#[test]
fn of_damaged_bytes_it_makes_what_miniz_makes() {
    let mut random = random(11);
    let text = b"{\"paths\": [\"/items/1\", \"/items/2\"], \"methods\": [\"GET\"]}".repeat(20);
    let mut verdicts = [0; 2];
    for level in [0, 1, 9] {
        let sound = deflated(&text, level);
        for _ in 0..3_000 {
            let mut bytes = sound.clone();
            for _ in 0..=random(2) {
                let at = usize::try_from(random(u64::try_from(bytes.len()).unwrap())).unwrap();
                bytes[at] ^= 1 << random(8);
            }
            let most = 1 << 20;
            let ours = inflate(&bytes, most).map(|(bytes, _)| bytes);
            let mut theirs = vec![0; most];
            let mut inflater = flate2::Decompress::new(false);
            let status = inflater.decompress(&bytes, &mut theirs, flate2::FlushDecompress::Finish);
            theirs.truncate(usize::try_from(inflater.total_out()).unwrap());
            if matches!(status, Ok(flate2::Status::StreamEnd)) {
                assert!(ours == Ok(theirs), "{bytes:?}");
            }
            verdicts[usize::from(ours.is_ok())] += 1;
        }
    }
    assert!(verdicts[0] > 500 && verdicts[1] > 500, "{verdicts:?}");
}

/// Ten bits each: a text of a megabyte could hold eight hundred thousand.
#[test]
fn blocks_without_anything_in_them_are_bounded() {
    let empty = |count: usize| {
        let mut bits: Vec<bool> = Vec::new();
        for number in 0..count {
            bits.extend([number + 1 == count, true, false]);
            bits.extend([false; 7]);
        }
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0u8, |byte, (at, bit)| byte | (u8::from(*bit) << at));
        bits.chunks(8).map(byte).collect::<Vec<u8>>()
    };
    assert_eq!(inflate(&empty(1000), 10).map(|(bytes, _)| bytes), Ok(Vec::new()));
    assert_eq!(inflate(&empty(100_000), 10), Err(Fault::Damaged));
}
