//! What is kept of the request headers until the stream ends: routes and later filters remove peer metadata.

use crate::peer::{PEER_HEADER, PEER_HEADER_BYTES};
use weir_model::Headers;

/// What telemetry remembers about one stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The `x-envoy-peer-metadata` of the request.
    pub(crate) peer: Vec<u8>,
}

impl Stream {
    /// Takes what is wanted out of the request headers: the first value, as Envoy does; none if it is too long.
    pub(crate) fn capture(&mut self, headers: &Headers<'_>) {
        if let Some(value) = headers.first(PEER_HEADER).filter(|value| value.len() <= PEER_HEADER_BYTES) {
            self.peer.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_model::PairsBuilder;

    #[test]
    fn the_first_value_is_kept_and_never_much() {
        let long = vec![b'h'; 60 * 1024];
        for (values, kept) in [
            (&[b"peer".as_slice(), b"other"][..], b"peer".as_slice()),
            (&[&long, b"peer"], b""),
            (&[b""], b""),
            (&[], b""),
        ] {
            let mut pairs = PairsBuilder::default();
            pairs.push(b":authority", b"shop");
            for value in values {
                pairs.push(PEER_HEADER, value);
            }
            let bytes = pairs.finish();
            let mut stream = Stream::default();
            stream.capture(&Headers::new(&bytes));
            assert_eq!(stream.peer, kept);
        }
    }
}
