//! CUSTOM policies beside Envoy's own ext_authz: the same request through a proxy with what istiod would build, and through
//! one with Weir, in front of the same server. What the server was asked, what the upstream saw and what the client got are
//! equal, but for what the tests name.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::string_slice, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a client measures how long it waits")]

mod compare;
#[path = "../rbac/istio/mod.rs"]
#[expect(dead_code, reason = "the test beside this one uses more of it")]
mod istio;
mod load;
mod native;
