//! What `weir verify` and `weir inspect` print.

use super::Output;
use crate::{Failure, print};
use serde::Serialize;
use serde_json::json;
use weir_oci::Inspection;
use weir_oci::consumers::Verdict;

fn print(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Use(error.to_string()))?;
    print::json(&text)
}

/// Prints what each consumer says.
pub(super) fn verdicts(image: &str, verdicts: &[Verdict], output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print(&json!({"image": image, "verdicts": verdicts}));
    }
    for verdict in verdicts {
        let name = verdict.consumer.name();
        let word = if verdict.is_accepted { "accepted" } else { "refused" };
        let mut lines = Vec::new();
        if verdict.is_accepted {
            lines.extend(verdict.takes.iter().map(|takes| format!("takes {takes}")));
        }
        for refusal in &verdict.refusals {
            lines.push(refusal.why.clone());
            lines.push(format!("to mend it: {}", refusal.mend));
            let words = refusal.in_its_words.iter();
            lines.extend(words.map(|words| format!("look for `{words}` in {}", verdict.consumer.speaks_in())));
        }
        lines.extend(verdict.notes.iter().map(|note| format!("note: {note}")));
        let mut lines = lines.into_iter();
        say!("{name:<14} {word:<9} {}", lines.next().unwrap_or_default())?;
        for line in lines {
            say!("{:<24} {line}", "")?;
        }
    }
    Ok(())
}

/// Prints the digests and who wants which.
pub(super) fn inspection(found: &Inspection, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print(found);
    }
    say!("image     {} ({})", found.image, found.media_type)?;
    if let Some(abi) = &found.abi {
        say!("module    plugin.wasm, proxy-wasm ABI {abi}")?;
    }
    let files: Vec<String> = found.files.iter().map(|file| format!("{} ({} bytes)", file.path, file.size)).collect();
    say!("files     {}", files.join(", "))?;
    for named in &found.digests {
        say!("{}  {}", named.digest, named.of.title())?;
        for place in &named.wanted_by {
            say!("          {place}")?;
        }
    }
    for (key, value) in &found.annotations {
        say!("{key}={value}")?;
    }
    Ok(())
}
