//! What may stand in a header, wherever one goes out: callouts, replies, edits. Envoy checks nothing of what a module gives
//! it, and bytes that end a header would begin another.

/// The most pairs that Envoy reads from a module; it reads a longer header map as empty.
pub(crate) const PAIRS: usize = 1024;
/// The most bytes in these pairs.
pub(crate) const PAIRS_BYTES: usize = 1 << 20;

/// Whether no byte would end the header.
pub(crate) fn is_value(value: &[u8]) -> bool {
    !has_below(value, b'\r' + 1) || !value.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'))
}

/// Whether a header can go out, and as one. That its name is a token is up to the core, which has it from nowhere else.
pub(crate) fn is_one(name: &[u8], value: &[u8]) -> bool {
    !name.is_empty() && !has_below(name, b'!') && is_value(value)
}

/// Whether there is a byte below `limit`, which is at most 128: eight at a time, since every request may add headers.
fn has_below(bytes: &[u8], limit: u8) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks();
    let has = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        word.wrapping_sub(ONES * u64::from(limit)) & !word & (ONES << 7) != 0
    };
    words.iter().any(has) || rest.iter().any(|byte| *byte < limit)
}

/// Those of a reply's headers that can go out: as many as Envoy reads.
pub(crate) fn sendable(headers: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> {
    let mut bytes = 0usize;
    let fit = headers.iter().filter(|(name, value)| is_one(name, value)).take(PAIRS);
    fit.take_while(move |(name, value)| {
        // Eight bytes for two lengths, and two that end the texts.
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len()).saturating_add(10);
        bytes < PAIRS_BYTES
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_begin_another_header_does_not_go_out() {
        let header = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let headers = [
            header("x-good", "a\tb \u{e9}"),
            header("x-line", "a\r\nset-cookie: b"),
            header("x-feed", "a\nb"),
            header("x-zero", "a\0b"),
            header("x name", "a"),
            header("", "a"),
            header("x-name\n", "a"),
            header("x-empty", ""),
        ];
        let names: Vec<&[u8]> = sendable(&headers).map(|(name, _)| name.as_slice()).collect();
        assert_eq!(names, [b"x-good".as_slice(), b"x-empty"]);
    }

    #[test]
    fn low_bytes_are_found_wherever_they_are() {
        for length in 1..20 {
            for at in 0..length {
                for byte in [0, 1, 31, 32, 33, 127, 128, 255] {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    assert_eq!(has_below(&bytes, 33), byte < 33, "{byte} at {at} of {length}");
                    bytes.fill(byte);
                    assert_eq!(has_below(&bytes, 33), byte < 33, "{length} of {byte}");
                }
            }
        }
    }

    #[test]
    fn no_more_goes_out_than_envoy_reads() {
        let many = vec![(b"x".to_vec(), b"y".to_vec()); 2000];
        assert_eq!(sendable(&many).count(), PAIRS);
        let large = vec![(b"x".to_vec(), vec![b'y'; 300_000]); 5];
        assert_eq!(sendable(&large).count(), 3);
    }
}
