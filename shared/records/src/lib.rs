//! Records of what filters do: written as JSON, numbered, queued within bounds, and sent in batches.
//!
//! A record is one JSON object in ASCII ([`JsonObject`]). Each has a number that rises by one ([`Identity`]), so that what is
//! missing and what came twice can be proved. [`Sender`] queues records within bounds and sends them to an OTLP collector; what it
//! cannot keep or deliver it counts. Nothing here knows what a record is about.

mod dropped;
mod identity;
mod json;
mod queue;
mod sample;
mod sender;

pub use dropped::{DropReason, Records};
pub use identity::Identity;
pub use json::JsonObject;
pub use queue::Limits;
pub use sample::{Sampler, Share};
pub use sender::Sender;
