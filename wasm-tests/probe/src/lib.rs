//! A module that tries every hostcall, with good and bad arguments, in every phase, and logs one line for each.
//!
//! It speaks the proxy-wasm ABI 0.2.1 by hand: an SDK would hide statuses, refuse bad arguments, or panic. What varies from
//! run to run (clock, ports, ids) is replaced by a word for its shape, so that the lines of two hosts can be compared.
//! The plugin configuration, `part=NAME key=value ...`, chooses what is tried; see [`plan`].

mod abi;
mod exports;
mod host;
mod kept;
mod parts;
mod plan;
mod report;
mod start;
