//! The file of budgets: as read, as written, and how two of them differ.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use weir_test_host::Bill;

/// What heads the file.
const HEAD: &str = "\
# What every scenario costs in the in-process host, exactly: `make budget` compares, `WEIR_BUDGET=write make budget` rewrites.
#
# panics     functions of a module that are reachable from an export and call a function that never returns, failures of the
#            allocator excepted; may only fall
# streams    streams of the scenario; what follows is the sum over them
# hostcalls  calls from the module to the host, WASI included
# bytes      bytes that the host handed to the module in blocks of the module's allocator
# allocations  those blocks
# instructions  Wasm instructions, as wasmtime counts fuel
# whole      instructions of the whole scenario: start and configuration of every VM, ticks and streams
";

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budgets {
    pub(crate) panics: BTreeMap<String, u64>,
    pub(crate) scenarios: BTreeMap<String, Price>,
}

/// What a scenario costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    streams: u64,
    hostcalls: u64,
    bytes: u64,
    allocations: u64,
    instructions: u64,
    whole: u64,
}

impl Price {
    pub(crate) fn of(bill: &Bill) -> Self {
        let Bill { streams, in_streams, whole } = bill;
        Price {
            streams: *streams,
            hostcalls: in_streams.hostcalls_total(),
            bytes: in_streams.bytes,
            allocations: in_streams.allocations,
            instructions: in_streams.instructions,
            whole: whole.instructions,
        }
    }

    fn columns(&self) -> [(&'static str, u64); 6] {
        let Price { streams, hostcalls, bytes, allocations, instructions, whole } = *self;
        [
            ("streams", streams),
            ("hostcalls", hostcalls),
            ("bytes", bytes),
            ("allocations", allocations),
            ("instructions", instructions),
            ("whole", whole),
        ]
    }
}

impl Budgets {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| format!("budgets.toml: {e}"))
    }

    /// One line for each number that is not as it was; empty when all are.
    pub(crate) fn diff(&self, actual: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let modules: BTreeSet<&String> = self.panics.keys().chain(actual.panics.keys()).collect();
        for name in modules {
            let (was, is) = (self.panics.get(name), actual.panics.get(name));
            if was != is {
                let shown = |count: Option<&u64>| count.map_or("none".to_owned(), u64::to_string);
                lines.push(format!("{name}.wasm: panics {} -> {}", shown(was), shown(is)));
            }
        }
        let names: BTreeSet<&String> = self.scenarios.keys().chain(actual.scenarios.keys()).collect();
        for name in names {
            match (self.scenarios.get(name), actual.scenarios.get(name)) {
                (Some(was), Some(is)) => {
                    for ((column, was), (_, is)) in was.columns().into_iter().zip(is.columns()) {
                        if was != is {
                            lines.push(format!("{name}: {column} {was} -> {is}{}", percent(was, is)));
                        }
                    }
                }
                (None, Some(_)) => lines.push(format!("{name}: has no budget")),
                (Some(_), None) => lines.push(format!("{name}: has a budget and was not run")),
                (None, None) => {}
            }
        }
        lines
    }
}

/// The relative change, with one decimal; nothing where there was nothing before.
fn percent(was: u64, is: u64) -> String {
    let (old, new) = (i128::from(was), i128::from(is));
    match ((new - old) * 1000).checked_div(old) {
        Some(tenths) => {
            let sign = if new < old { '-' } else { '+' };
            format!(" ({sign}{}.{} %)", tenths.abs() / 10, tenths.abs() % 10)
        }
        None => String::new(),
    }
}

impl fmt::Display for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEAD}\n[panics]\n")?;
        for (module, count) in &self.panics {
            writeln!(f, "{module} = {count}")?;
        }
        write!(f, "\n[scenarios]\n")?;
        for (name, price) in &self.scenarios {
            let columns: Vec<String> =
                price.columns().iter().map(|(name, count)| format!("{name} = {count}")).collect();
            writeln!(f, "{name} = {{ {} }}", columns.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
