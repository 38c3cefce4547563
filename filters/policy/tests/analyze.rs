//! What an analysis says of random policies is what trying every request of a small world says.
//!
//! The worlds are small enough to try all of their requests with the obvious evaluator, and the words of the policies are of
//! the same letters. What an analysis finds must be decided so by that evaluator, and what it says is not there must not be
//! in the world.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

#[path = "analyze/brute.rs"]
mod brute;
#[path = "oracle/claims.rs"]
#[expect(dead_code, reason = "only a part is needed")]
mod claims;
#[path = "analyze/equal.rs"]
mod equal;
#[path = "../examples/generate.rs"]
#[expect(dead_code, reason = "the example's own entry point")]
mod generate;
#[expect(dead_code, reason = "only its random numbers are needed")]
mod generator;
#[path = "oracle/naive.rs"]
#[expect(dead_code, reason = "only a part is needed")]
mod naive;
#[path = "analyze/policies.rs"]
mod policies;
#[path = "analyze/scale.rs"]
mod scale;
