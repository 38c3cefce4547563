//! What is kept of the request headers until the stream ends.
//!
//! Later filters and the route may have removed or rewritten them by then, and a header map costs a crossing.

use crate::peer::{PEER_HEADER, PEER_HEADER_BYTES};
use weir_metrics::VALUE_BYTES;
use weir_model::Headers;

/// What telemetry remembers about one stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub(crate) grpc: bool,
    pub(crate) host: Vec<u8>,
    pub(crate) peer: Vec<u8>,
}

/// Which headers a configuration needs besides `content-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) host: bool,
    pub(crate) peer: bool,
}

impl Stream {
    /// Takes what is wanted out of the request headers. The first value of a repeated header counts, as in Envoy.
    pub(crate) fn capture(&mut self, headers: &Headers<'_>, wanted: Wanted) {
        let mut typed = false;
        for (name, value) in headers.iter() {
            match name {
                b"content-type" if !typed => {
                    typed = true;
                    self.grpc = is_grpc(value);
                }
                b":authority" if wanted.host && self.host.is_empty() => {
                    self.host.extend_from_slice(value.get(..VALUE_BYTES).unwrap_or(value));
                }
                PEER_HEADER if wanted.peer && self.peer.is_empty() && value.len() <= PEER_HEADER_BYTES => {
                    self.peer.extend_from_slice(value);
                }
                _ => {}
            }
        }
    }
}

/// `application/grpc`, alone or followed by a message format or parameters; gRPC-Web is not gRPC.
fn is_grpc(content_type: &[u8]) -> bool {
    match content_type.strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_model::PairsBuilder;

    fn captured(pairs: &[(&[u8], &[u8])], wanted: Wanted) -> Stream {
        let mut builder = PairsBuilder::default();
        for (name, value) in pairs {
            builder.push(name, value);
        }
        let bytes = builder.finish();
        let mut stream = Stream::default();
        stream.capture(&Headers::new(&bytes), wanted);
        stream
    }

    #[test]
    fn grpc_is_told_by_the_first_content_type() {
        let cases: [(&[u8], bool); 8] = [
            (b"application/grpc", true),
            (b"application/grpc+proto", true),
            (b"application/grpc;charset=x", true),
            (b"application/grpc-web", false),
            (b"application/grpcx", false),
            (b"application/json", false),
            (b"", false),
            (b"\xff\xfe", false),
        ];
        for (value, grpc) in cases {
            let wanted = Wanted { host: false, peer: false };
            assert_eq!(captured(&[(b"content-type", value)], wanted).grpc, grpc, "{value:?}");
            let both: [(&[u8], &[u8]); 2] = [(b"content-type", value), (b"content-type", b"application/grpc")];
            assert_eq!(captured(&both, wanted).grpc, grpc, "{value:?}");
        }
    }

    #[test]
    fn only_what_is_wanted_is_kept_and_never_much() {
        let long = vec![b'h'; 60 * 1024];
        let pairs: [(&[u8], &[u8]); 4] =
            [(b":authority", &long), (b":authority", b"two"), (PEER_HEADER, &long), (PEER_HEADER, b"peer")];
        let all = captured(&pairs, Wanted { host: true, peer: true });
        assert_eq!((all.host.len(), all.peer.as_slice()), (VALUE_BYTES, b"peer".as_slice()));
        let none = captured(&pairs, Wanted { host: false, peer: false });
        assert!(none.host.is_empty() && none.peer.is_empty());
    }
}
