//! Path normalisation, in Envoy's order: escaped slashes, RFC 3986, merged slashes. The query is not touched.

use weir_scenario::{EscapedSlashes, PathNormalization};

/// The outcome of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The path to go on with.
    Path(Vec<u8>),
    /// 400.
    Refused,
    /// 307 to this path.
    Redirect(Vec<u8>),
}

/// Normalises a request target; one that is not a path (`*`) is left alone.
pub(crate) fn normalize(target: &[u8], options: PathNormalization) -> Outcome {
    let PathNormalization { normalize_path, merge_slashes, escaped_slashes } = options;
    let end = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at_checked(end).unwrap_or((target, &[]));
    if path.first() != Some(&b'/') {
        let refused = normalize_path && path != b"*";
        return if refused { Outcome::Refused } else { Outcome::Path(target.to_vec()) };
    }
    let mut new = path.to_vec();
    let mut redirect = false;
    if escaped_slashes != EscapedSlashes::Keep {
        let unescaped = unescape(&new, |byte| byte == b'/' || byte == b'\\');
        if unescaped != new {
            match escaped_slashes {
                EscapedSlashes::Reject => return Outcome::Refused,
                EscapedSlashes::UnescapeAndRedirect => redirect = true,
                EscapedSlashes::Keep | EscapedSlashes::UnescapeAndForward => {}
            }
        }
        new = unescaped;
    }
    if normalize_path && merge_slashes {
        new = plain_dot_segments(&new);
    }
    if normalize_path {
        let Some(canonical) = canonical(&new) else { return Outcome::Refused };
        new = canonical;
    }
    if merge_slashes {
        new.dedup_by(|b, a| *a == b'/' && *b == b'/');
    }
    new.extend_from_slice(query);
    if redirect { Outcome::Redirect(new) } else { Outcome::Path(new) }
}

/// Dot segments without their path parameters. Envoy 1.39.3 and 1.40 do so with both options, before they decode anything.
fn plain_dot_segments(path: &[u8]) -> Vec<u8> {
    let plain = |segment: &[u8]| match segment {
        [b'.', b'.', b';', ..] => b"..".to_vec(),
        [b'.', b';', ..] => b".".to_vec(),
        other => other.to_vec(),
    };
    path.split(|&b| b == b'/').map(plain).collect::<Vec<_>>().join(b"/".as_slice())
}

/// Decodes the escapes of chosen bytes, once.
fn unescape(path: &[u8], chosen: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.split_first_chunk::<2>()).flatten();
        let decoded = escaped.and_then(|(digits, after)| Some((hex(digits)?, after)));
        match decoded.filter(|(decoded, _)| chosen(*decoded)) {
            Some((decoded, after)) => {
                out.push(decoded);
                rest = after;
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(text, 16).ok()
}

/// Unreserved characters decoded, backslashes turned, dot segments removed. `None` for an escaped NUL.
fn canonical(path: &[u8]) -> Option<Vec<u8>> {
    if path.windows(3).any(|window| window == b"%00") {
        return None;
    }
    let mut path = unescape(path, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    for byte in &mut path {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|&b| b == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." if last => kept.push(b""),
            b"." => {}
            b".." => {
                kept.pop();
                if last {
                    kept.push(b"");
                }
            }
            other => kept.push(other),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Some(out)
}

/// A path without its parameters: in each segment before the query, what follows the first `;`.
pub(crate) fn without_parameters(path: &[u8]) -> Vec<u8> {
    let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
    let (before, query) = path.split_at_checked(end).unwrap_or((path, b""));
    let segments = before.split(|byte| *byte == b'/');
    let kept = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    let mut out = kept.collect::<Vec<_>>().join(b"/".as_slice());
    out.extend_from_slice(query);
    out
}

#[cfg(test)]
mod tests;
