//! Lengths of time as a scenario writes them: `250ms`, `2s`, `1m`, `1h`; and with a sign, `+1h` or `-24h`.

use serde::Deserialize;
use std::time::Duration;

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
        let number = units.iter().find_map(|&(unit, millis)| {
            let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
            count.checked_mul(millis)
        });
        let millis =
            number.ok_or_else(|| format!("`{text}` is not a length of time such as `250ms`, `2s`, `1m` or `1h`"))?;
        Ok(Span(Duration::from_millis(millis)))
    }
}

/// By how much a clock is off, forward or back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Offset {
    /// In milliseconds; below zero it is behind.
    pub millis: i64,
}

impl TryFrom<String> for Offset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (sign, length) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(length), _) => (1, length),
            (_, Some(length)) => (-1, length),
            _ => return Err(format!("`{text}` is not an offset such as `+1h`, `-24h` or `+0s`")),
        };
        let Span(length) = Span::try_from(length.to_owned())?;
        let millis = i64::try_from(length.as_millis()).map_err(|_| format!("`{text}` is too much"))?;
        Ok(Offset { millis: sign * millis })
    }
}
