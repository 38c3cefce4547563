//! Query parameters as Envoy's `parseAndDecodeQueryString` reads them: split at `&`, then at the first `=`, both parts
//! percent-decoded, `+` left alone, a bad escape left as it is.

/// The first parameter called `name`: its value is left in `out`. `false` if there is none; `out` is empty then.
pub(crate) fn first_value(path: &[u8], name: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    find(path, name).is_some_and(|value| {
        out.extend(decoded(value));
        true
    })
}

/// The first parameter called `name`, still encoded.
pub(crate) fn find<'p>(path: &'p [u8], name: &[u8]) -> Option<&'p [u8]> {
    let mut parameters = weir_matching::query(path)?.split(|byte| *byte == b'&');
    parameters.find_map(|parameter| {
        let mut halves = parameter.splitn(2, |byte| *byte == b'=');
        let key = halves.next()?;
        decoded(key).eq(name.iter().copied()).then(|| halves.next().unwrap_or_default())
    })
}

/// The bytes that `text` stands for.
pub(crate) fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        if let (b'%', [high, low, more @ ..]) = (*first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = more;
            return Some(high * 16 + low);
        }
        rest = after;
        Some(*first)
    })
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
