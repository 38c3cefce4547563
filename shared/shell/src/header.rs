//! What may stand in a header, wherever one goes out: callouts, replies, edits. Envoy checks nothing of what a module gives
//! it, and bytes that end a header would begin another.

/// The most pairs that Envoy reads from a module; it reads a longer header map as empty.
pub(crate) const PAIRS: usize = 1024;
/// The most bytes in these pairs.
pub(crate) const PAIRS_BYTES: usize = 1 << 20;

/// Whether the name is a token of RFC 9110, section 5.6.2, or a pseudo-header.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let token = name.strip_prefix(b":").unwrap_or(name);
    let is_token = |byte: &u8| {
        matches!(byte, b'a'..=b'z' | b'-' | b'0'..=b'9' | b'A'..=b'Z')
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^'..=b'`' | b'|' | b'~')
    };
    !token.is_empty() && token.iter().all(is_token)
}

/// Whether no byte would end the header.
pub(crate) fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte > b'\r' || !matches!(byte, b'\0' | b'\r' | b'\n'))
}

/// Those of a reply's headers that can go out: as many as Envoy reads.
pub(crate) fn sendable(headers: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> {
    let mut bytes = 0usize;
    let fit = headers.iter().filter(|(name, value)| is_name(name) && is_value(value)).take(PAIRS);
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
    fn names_are_tokens() {
        let tokens = (0..=u8::MAX).filter(|byte| is_name(&[*byte]));
        let others = b"!#$%&'*+-.^_`|~";
        let expected = (0..=u8::MAX).filter(|byte| byte.is_ascii_alphanumeric() || others.contains(byte));
        assert_eq!(tokens.collect::<Vec<u8>>(), expected.collect::<Vec<u8>>());
    }

    #[test]
    fn no_more_goes_out_than_envoy_reads() {
        let many = vec![(b"x".to_vec(), b"y".to_vec()); 2000];
        assert_eq!(sendable(&many).count(), PAIRS);
        let large = vec![(b"x".to_vec(), vec![b'y'; 300_000]); 5];
        assert_eq!(sendable(&large).count(), 3);
    }
}
