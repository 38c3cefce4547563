//! Base64 as peers write it: the standard alphabet, with or without padding.

/// Decodes `text`; `None` if it is not Base64. Trailing bits that belong to no byte are ignored, as Envoy ignores them.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if unpadded.len() != text.len() && !text.len().is_multiple_of(4) {
        return None;
    }
    if unpadded.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(unpadded.len() / 4 * 3 + 2);
    let mut bits = 0u32;
    let mut held = 0u32;
    for byte in unpadded {
        bits = (bits << 6) | u32::from(sextet(*byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            let [low, ..] = (bits >> held).to_le_bytes();
            out.push(low);
        }
    }
    Some(out)
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
