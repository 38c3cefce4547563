//! What `weir render` prints, in a real Envoy: every form in every context, applied as istiod and the istio-agent or Envoy
//! Gateway would, decides requests by its files; and each failure policy does what the page on operations says. Needs
//! `make build`, and for failures `make test-modules`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

mod contexts;
mod failures;
mod forms;
mod gateway;
mod rules;
