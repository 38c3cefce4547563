//! Scenarios with Envoy, its upstream and the client in containers of their own, on a network of their own.
//!
//! The containers live as long as the run (`run` starts and removes them). In the one for Envoy, [`serve`] starts an Envoy
//! for each client; in the one for the tests, [`run_far`] stands where a test expects the Envoy binary, and asks for one.
//! So the same code drives the proxies as on one machine. The only difference is that every request and every answer
//! crosses a network.
//!
//! [`compose`] checks the project that users start by hand.

pub mod compose;
mod far;
mod gateway;

pub use far::{run_far, serve};
pub use gateway::Containers;
