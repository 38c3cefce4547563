//! The Istio samples, applied as istiod and the istio-agent would, in a real Envoy: it accepts them, and decides requests by
//! them. Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

mod forms;
mod mesh;
mod samples;
mod swap;
