//! The values of headers that are added to a check: text with Envoy's command operators.
//!
//! Envoy evaluates them as it does those of `request_headers_to_add`, and Istio hands them on unseen. Of its operators the
//! one that reads request headers is here; a provider with another one is refused.

use weir_config::Cursor;
use weir_model::Headers;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// `%REQ(NAME?OTHER):LENGTH%`
    Request {
        name: Vec<u8>,
        other: Option<Vec<u8>>,
        length: Option<usize>,
    },
}

impl Format {
    /// Reads `text`; what is not supported is a problem at `at`.
    #[inline(never)]
    pub(super) fn parse(at: &Cursor<'_>, text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        if text.bytes().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
            return at.problem("a header's value has no line breaks");
        }
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            pieces.push(Piece::Text(before.as_bytes().to_vec()));
            let Some((command, after)) = after.split_once('%') else {
                return at.problem("a `%` begins an operator of Envoy's and nothing ends it; `%%` is a `%`");
            };
            pieces.push(match command {
                "" => Piece::Text(b"%".to_vec()),
                command => match request_header(command) {
                    Some(piece) => piece,
                    None => {
                        return at.problem(format!(
                            "of Envoy's operators only `%REQ(NAME)%` is supported, not `%{command}%`"
                        ));
                    }
                },
            });
            rest = after;
        }
        pieces.push(Piece::Text(rest.as_bytes().to_vec()));
        Some(Self(pieces))
    }

    /// The value for a request; `None` where it is empty, since Envoy adds no such header.
    pub(super) fn value(&self, headers: &Headers<'_>) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => value.extend_from_slice(text),
                Piece::Request { name, other, length } => {
                    let found = headers.first(name).or_else(|| headers.first(other.as_deref()?));
                    let found = found.unwrap_or_default();
                    value.extend_from_slice(length.and_then(|length| found.get(..length)).unwrap_or(found));
                }
            }
        }
        (!value.is_empty()).then_some(value)
    }
}

fn request_header(command: &str) -> Option<Piece> {
    let (names, after) = command.strip_prefix("REQ(")?.split_once(')')?;
    let length = match after {
        "" => None,
        after => Some(after.strip_prefix(':')?.parse().ok()?),
    };
    let lower = |name: &str| match name.to_ascii_lowercase().into_bytes() {
        // Envoy keeps `host` as `:authority`.
        name if name == b"host" => b":authority".to_vec(),
        name => name,
    };
    let (name, other) = names.split_once('?').map_or((names, None), |(name, other)| (name, Some(lower(other))));
    (!name.is_empty()).then(|| Piece::Request { name: lower(name), other, length })
}

#[cfg(test)]
mod tests;
