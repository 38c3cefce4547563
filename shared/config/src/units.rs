//! Numbers with a unit: durations and sizes, as people write them in YAML.

use crate::{Cursor, Value};
use std::time::Duration;

/// Reads a duration such as `2s`, `0.25s`, `500ms` or `1m`, between two bounds, both included.
///
/// ```
/// use std::time::Duration;
/// use weir_config::{read_document, units::duration};
///
/// let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
/// let read = |json: &[u8]| read_document(json, |at| duration(&at, bounds.clone()));
/// assert_eq!(read(br#""1.5s""#), Ok(Duration::from_millis(1500)));
/// assert_eq!(read(br#""1m""#), Ok(Duration::from_secs(60)));
/// assert_eq!(read(br#""2m""#).unwrap_err().0[0].message, "expected a duration from 100ms to 1m");
/// ```
#[inline(never)]
pub fn duration(at: &Cursor<'_>, bounds: std::ops::RangeInclusive<Duration>) -> Option<Duration> {
    let text = at.text()?;
    let Some(found) = parse_duration(text) else {
        return at.problem(format!("`{text}` is not a duration such as `2s`, `0.25s`, `500ms` or `1m`"));
    };
    if bounds.contains(&found) {
        return Some(found);
    }
    at.problem(format!("expected a duration from {} to {}", shown(*bounds.start()), shown(*bounds.end())))
}

/// Reads a size in bytes between two bounds, both included: a whole number, or one with `KiB` or `MiB`.
///
/// ```
/// use weir_config::{read_document, units::bytes};
///
/// let read = |json: &[u8]| read_document(json, |at| bytes(&at, 65_536, 16 << 20));
/// assert_eq!(read(br#""4MiB""#), Ok(4 << 20));
/// assert_eq!(read(b"65536"), Ok(65_536));
/// assert_eq!(read(br#""1KiB""#).unwrap_err().0[0].message, "expected a size from 64KiB to 16MiB");
/// ```
#[inline(never)]
pub fn bytes(at: &Cursor<'_>, low: u64, high: u64) -> Option<u64> {
    let found = match at.value() {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => parse_bytes(text),
        _ => None,
    };
    match found {
        Some(found) if (low..=high).contains(&found) => Some(found),
        Some(_) => at.problem(format!("expected a size from {}KiB to {}MiB", low >> 10, high >> 20)),
        None => at.problem("expected a size: a number of bytes, or a text such as `64KiB` or `4MiB`"),
    }
}

/// Reads a share, a number from 0 to 1, in millionths.
#[inline(never)]
pub fn millionths(at: &Cursor<'_>) -> Option<u32> {
    let share = match at.value() {
        Value::Number(number) => number.as_f64().filter(|share| (0.0..=1.0).contains(share)),
        _ => None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1,000,000")]
    let millionths = share.map(|share| (share * 1e6 + 0.5) as u32);
    millionths.or_else(|| at.problem("expected a number from 0 to 1"))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, shift) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 10),
        (_, Some(number)) => (number, 20),
        (None, None) => (text, 0),
    };
    digits(number)?.checked_mul(1u64.checked_shl(shift)?)
}

/// Units of Go's durations, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration as Go's `time.ParseDuration` reads it, which is what Istio and Kubernetes use, but for a sign: one or more
/// numbers, each with a unit from `ns` to `h`. None where it is not one, is not a whole number of nanoseconds, or has more of
/// them than 64 bits hold.
///
/// ```
/// use std::time::Duration;
/// use weir_config::units::parse_duration;
///
/// assert_eq!(parse_duration("1m30s"), Some(Duration::from_secs(90)));
/// assert_eq!(parse_duration("1.5"), None);
/// ```
#[inline(never)]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut nanos = 0u64;
    loop {
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let end = after.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        nanos = nanos.checked_add(nanos_of(number, unit)?)?;
        if after.is_empty() {
            return Some(Duration::from_nanos(nanos));
        }
        rest = after;
    }
}

/// A number of a unit. There may be a fraction, and either side of its point may be empty.
fn nanos_of(number: &str, unit: &str) -> Option<u64> {
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let Some((whole, fraction)) = number.split_once('.') else {
        return digits(number)?.checked_mul(*unit);
    };
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    if number.len() < 2 || unit.checked_rem(scale)? != 0 {
        return None;
    }
    let part = |text: &str| if text.is_empty() { Some(0) } else { digits(text) };
    part(whole)?.checked_mul(*unit)?.checked_add(part(fraction)?.checked_mul(unit.checked_div(scale)?)?)
}

/// `str::parse` takes a sign too.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A bound, which is a whole number of some unit.
fn shown(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (secs, 0) if secs >= 60 && secs % 60 == 0 => format!("{}m", secs / 60),
        (secs, 0) => format!("{secs}s"),
        (secs, millis) => format!("{}ms", secs * 1000 + u64::from(millis)),
    }
}

#[cfg(test)]
mod tests;
