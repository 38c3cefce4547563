//! What is kept of the headers until the stream ends: routes and other filters remove peer metadata.

use super::peer::{PEER_HEADER, PEER_HEADER_BYTES};
use weir_model::Headers;

/// What telemetry remembers about one stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The `x-envoy-peer-metadata` of the request.
    pub(crate) peer: Vec<u8>,
    /// The `x-envoy-peer-metadata` of the response, where it is read before the end.
    pub(crate) upstream_peer: Box<[u8]>,
}

impl Stream {
    /// Takes what is wanted out of the request headers: the first value, as Envoy does; none if it is too long.
    #[inline(never)]
    pub(crate) fn capture(&mut self, headers: &Headers<'_>) {
        if let Some(value) = headers.first(PEER_HEADER).filter(|value| value.len() <= PEER_HEADER_BYTES) {
            self.peer.extend_from_slice(value);
        }
    }

    /// Keeps what the response says of its sender; nothing if it is too long. The last response counts.
    pub(crate) fn capture_response(&mut self, value: Option<&[u8]>) {
        self.upstream_peer = value.filter(|value| value.len() <= PEER_HEADER_BYTES).unwrap_or_default().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_model::PairsBuilder;
    use weir_testing::Rows;

    #[test]
    fn the_first_value_is_kept_and_never_much() {
        let long = vec![b'h'; 60 * 1024];
        let mut rows = Rows::default();
        for (name, values, kept) in [
            ("two values", &[b"peer".as_slice(), b"other"][..], b"peer".as_slice()),
            ("a first value that is too long", &[&long, b"peer"], b""),
            ("an empty value", &[b""], b""),
            ("no value", &[], b""),
        ] {
            let mut pairs = PairsBuilder::default();
            pairs.push(b":authority", b"shop");
            for value in values {
                pairs.push(PEER_HEADER, value);
            }
            let bytes = pairs.finish();
            let mut stream = Stream::default();
            stream.capture(&Headers::new(&bytes));
            rows.check(name, stream.peer, kept);
        }
    }

    #[test]
    fn the_last_response_counts_and_is_never_kept_if_it_is_too_long() {
        let (longest, long) = (vec![b'h'; PEER_HEADER_BYTES], vec![b'h'; PEER_HEADER_BYTES + 1]);
        let mut stream = Stream::default();
        let mut rows = Rows::default();
        for (name, value, kept) in [
            ("the first response", Some(b"peer".as_slice()), b"peer".as_slice()),
            ("a later one", Some(b"other"), b"other"),
            ("the longest value", Some(&longest), &longest),
            ("a value that is too long", Some(&long), b""),
            ("a value again", Some(b"peer"), b"peer"),
            ("a response without the header", None, b""),
        ] {
            stream.capture_response(value);
            rows.check(name, &*stream.upstream_peer, kept);
        }
    }
}
