//! One Envoy process and what stands around it: find, verify, start, upstream, client.
