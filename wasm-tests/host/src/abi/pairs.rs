//! The wire form of header pairs: count, sizes, then names and values each ended by a NUL, little endian.
//!
//! Like Envoy's `toPairs`, reading forgives nothing and reports nothing: malformed bytes read as no pairs.

/// The most that a module may hand over.
const MOST_BYTES: usize = 1 << 20;
const MOST_PAIRS: usize = 1024;

/// Names and values, in order.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads pairs; empty when they are over 1 MiB, over 1,024, cut short, followed by more, or not ended by NUL.
pub(crate) fn read(bytes: &[u8]) -> Pairs {
    if bytes.len() > MOST_BYTES { Pairs::new() } else { parse(bytes).unwrap_or_default() }
}

fn parse(bytes: &[u8]) -> Option<Pairs> {
    let (count, mut sizes) = word(bytes)?;
    if count > MOST_PAIRS {
        return None;
    }
    let (_, mut rest) = sizes.split_at_checked(count.checked_mul(8)?)?;
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        let (name, after) = word(sizes)?;
        let (value, after) = word(after)?;
        sizes = after;
        let name = ended(&mut rest, name)?;
        out.push((name, ended(&mut rest, value)?));
    }
    rest.is_empty().then_some(out)
}

fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

fn ended(rest: &mut &[u8], size: usize) -> Option<Vec<u8>> {
    let (text, after) = rest.split_at_checked(size)?;
    let (&end, after) = after.split_first()?;
    *rest = after;
    (end == 0).then(|| text.to_vec())
}

/// Writes pairs.
pub(crate) fn write<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    let word = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = word(pairs.len()).to_vec();
    for (name, value) in pairs {
        out.extend(word(name.as_ref().len()));
        out.extend(word(value.as_ref().len()));
    }
    for (name, value) in pairs {
        out.extend_from_slice(name.as_ref());
        out.push(0);
        out.extend_from_slice(value.as_ref());
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests;
