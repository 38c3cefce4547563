//! Google's Service Extensions plugins. Their source is closed, so these are the rules of their documentation: a container
//! image with the single file `plugin.wasm`, and a part of the proxy-wasm ABI.

use super::{Consumer, Refusal, Verdict, agent, envoy};
use crate::inspect::{listings, what_is};
use crate::layer;
use crate::store::Choice;
use crate::{Digest, Error, Image, Module};

const CONSUMER: Consumer = Consumer::Gcp;

/// What the names of functions have that belong to timers, metrics, shared data, queues and calls to others, which plugins
/// do not have.
const NOT_OFFERED: [&str; 8] =
    ["tick_period", "metric", "shared_data", "shared_queue", "enqueue", "dequeue", "http_call", "grpc"];

pub(super) fn judge(image: &Image<'_>, pin: Option<&Digest>) -> Result<Verdict, Error> {
    let Some(chosen) = image.choose(Choice::Agent)? else {
        let refusal = Refusal::new("the index has no image for linux/amd64", super::PACK);
        return Ok(Verdict::new(CONSUMER, None, vec![refusal], Vec::new()));
    };
    let mut refusals = Vec::new();
    if let Some(pin) = pin.filter(|pin| **pin != chosen.digest && **pin != image.root().digest()) {
        let what = what_is(image, pin)?.unwrap_or("nothing in this image");
        let why = format!("the pin {pin} is the digest of {what}, and an image is named by that of its manifest");
        refusals.push(Refusal::new(why, format!("write `...@{}`", chosen.digest)));
    }
    let found = match agent::module_of(CONSUMER, image, &chosen.manifest, agent::UNPACKED_LIMIT)? {
        Ok(found) => found,
        Err(refusal) => {
            refusals.push(Refusal { in_its_words: None, ..refusal });
            return Ok(Verdict::new(CONSUMER, None, refusals, Vec::new()));
        }
    };
    let beside: Vec<String> = listings(image)?
        .into_iter()
        .flat_map(|listing| listing.entries)
        .filter(|entry| entry.is_file && entry.name() != layer::PLUGIN)
        .map(|entry| entry.path)
        .collect();
    if !beside.is_empty() {
        let why =
            format!("it takes an image with the single file `plugin.wasm`; this one also has {}", beside.join(", "));
        refusals.push(Refusal::new(
            why,
            "make an image of that file alone: `FROM scratch`, `COPY plugin.wasm plugin.wasm`",
        ));
    }
    refusals.extend(envoy::refusal_of(CONSUMER, &found.module));
    refusals.extend(not_offered(&found.module));
    Ok(Verdict::new(CONSUMER, Some(found.takes), refusals, Vec::new()))
}

fn not_offered(module: &[u8]) -> Option<Refusal> {
    let mut imports = Module::read(module).ok()?.imports;
    imports.retain(|name| NOT_OFFERED.iter().any(|part| name.contains(part)));
    if imports.is_empty() {
        return None;
    }
    Some(Refusal::new(
        format!(
            "plugins have no timers, metrics, shared data, queues or calls; the module imports {}",
            imports.join(", ")
        ),
        "load a module that does without them; those of Weir do not",
    ))
}
