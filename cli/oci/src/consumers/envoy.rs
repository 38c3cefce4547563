//! Envoy, which pulls no image. It loads `plugin.wasm` from a file, or over HTTP, where `remote.sha256` is of the bytes served.
//!
//! After `src/wasm.cc` and `src/bytecode_util.cc` of proxy-wasm-cpp-host.

use super::{Consumer, Refusal, Verdict, agent};
use crate::inspect::what_is;
use crate::module::ENVOY_ABIS;
use crate::store::Choice;
use crate::{Digest, Error, Image, Module, ModuleError};

/// The version of the ABI that only Higress's own Envoy knows besides.
const HIGRESS_ABI: &str = "0.2.100";

pub(super) fn judge(image: &Image<'_>, pin: Option<&Digest>) -> Result<Verdict, Error> {
    let consumer = Consumer::Envoy;
    let verdict = |takes, refusals| Ok(Verdict::new(consumer, takes, refusals, Vec::new()));
    let Some(chosen) = image.choose(Choice::Agent)? else {
        return verdict(None, vec![Refusal::new("the index has no image for linux/amd64", super::PACK)]);
    };
    let found = match agent::module_of(consumer, image, &chosen.manifest, agent::UNPACKED_LIMIT)? {
        Ok(found) => found,
        Err(refusal) => {
            let why = format!("no module can be taken out of the image for it: {}", refusal.why);
            return verdict(None, vec![Refusal::new(why, refusal.mend)]);
        }
    };
    let mut refusals = Vec::from_iter(refusal_of(consumer, &found.module));
    let digest = Digest::of(&found.module);
    if let Some(pin) = pin.filter(|pin| **pin != digest) {
        let what = what_is(image, pin)?.unwrap_or("nothing in this image");
        let why = format!(
            "the pin {pin} is the digest of {what}; `remote.sha256` is of the bytes that are served, `plugin.wasm`"
        );
        let mend = format!("write `sha256: {}`, and serve `plugin.wasm` as it is, not gzipped", digest.hex());
        refusals.push(Refusal::new(why, mend));
    }
    verdict(Some(found.takes), refusals)
}

/// Whether the Envoy behind a consumer would load these bytes.
pub(super) fn refusal_of(consumer: Consumer, module: &[u8]) -> Option<Refusal> {
    match Module::read(module) {
        Ok(module) if ENVOY_ABIS.contains(&module.abi.as_str()) => None,
        Ok(module) if consumer == Consumer::Higress && module.abi == HIGRESS_ABI => None,
        Ok(module) => {
            let why = format!("`plugin.wasm` speaks version {} of the ABI, which its Envoy does not know", module.abi);
            let mend = format!("build it for one of the versions {}", ENVOY_ABIS.join(", "));
            Some(Refusal::new(why, mend).saying(UNKNOWN_ABI))
        }
        Err(error) => Some(Refusal { why: format!("`plugin.wasm` {error}"), ..mend(&error) }),
    }
}

const UNKNOWN_ABI: &str = "Missing or unknown Proxy-Wasm ABI version";

fn mend(error: &ModuleError) -> Refusal {
    let (mend, words) = match error {
        ModuleError::NotWasm => ("pack the file that the linker wrote, neither compressed nor as text (`.wat`)", None),
        ModuleError::Component => {
            ("build it for the target `wasm32-wasip1`, and leave out `wasm-tools component new`", None)
        }
        ModuleError::Damaged(_) => ("build or fetch it once more", None),
        ModuleError::NoAbi => ("build it on a proxy-wasm SDK, and keep its exports when stripping", Some(UNKNOWN_ABI)),
    };
    Refusal { why: String::new(), mend: mend.to_owned(), in_its_words: words.map(str::to_owned) }
}
