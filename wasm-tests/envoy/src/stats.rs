//! What Envoy's statistics say about VMs and about discovery.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_scenario::{Failure, LogLine, Metrics};

use crate::proxy::{Proxy, admin_failure};

/// Envoy's counts of Wasm VMs, over all plugins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmStats {
    /// `wasm.envoy.wasm.runtime.v8.created`
    pub created: u64,
    /// `wasm.envoy.wasm.runtime.v8.active`
    pub active: u64,
    /// The sum of every `vm_reload...`: tries to replace a VM that died.
    pub reloads: u64,
}

impl VmStats {
    /// From Envoy's statistics by name.
    pub(crate) fn of(stats: &BTreeMap<String, u64>) -> Self {
        let get = |name: &str| stats.get(name).copied().unwrap_or(0);
        let reload = |(name, value): (&String, &u64)| {
            let last = name.rsplit('.').next().unwrap_or_default();
            last.starts_with("vm_reload").then_some(*value)
        };
        Self {
            created: get("wasm.envoy.wasm.runtime.v8.created"),
            active: get("wasm.envoy.wasm.runtime.v8.active"),
            reloads: stats.iter().filter_map(reload).sum(),
        }
    }
}

impl Proxy {
    /// The metrics, as Prometheus shows them, once filters have added to them what they have counted until now.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn metrics(&self) -> Result<Metrics, Failure> {
        Ok(Metrics::parse(&self.envoy.counted("/stats/prometheus").map_err(admin_failure)?))
    }

    /// Counters and gauges by Envoy's own names.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn stats(&self) -> Result<BTreeMap<String, u64>, Failure> {
        parse(&self.envoy.admin_get("/stats?format=json").map_err(admin_failure)?)
    }

    /// The same of those whose name matches a regular expression.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn stats_like(&self, expression: &str) -> Result<BTreeMap<String, u64>, Failure> {
        let path = format!("/stats?format=json&filter={expression}");
        parse(&self.envoy.admin_get(&path).map_err(admin_failure)?)
    }

    /// What Envoy counts of Wasm VMs.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn vm_stats(&self) -> Result<VmStats, Failure> {
        Ok(VmStats::of(&self.stats()?))
    }
}

/// Counters and gauges of `/stats?format=json`.
fn parse(text: &str) -> Result<BTreeMap<String, u64>, Failure> {
    let tree: Value = serde_json::from_str(text).map_err(|error| Failure(format!("statistics: {error}")))?;
    let stats = tree.get("stats").and_then(Value::as_array).into_iter().flatten();
    let one = |stat: &Value| Some((stat.get("name")?.as_str()?.to_owned(), stat.get("value")?.as_u64()?));
    Ok(stats.filter_map(one).collect())
}

/// Lines of Envoy's log, each with what follows it up to the next: `[time][thread][level][logger] [place] text`.
pub(crate) fn log_lines(lines: Vec<String>) -> Vec<LogLine> {
    let mut out: Vec<LogLine> = Vec::new();
    for line in lines {
        match (log_line(&line), out.last_mut()) {
            (Some(parsed), _) => out.push(parsed),
            (None, Some(last)) => {
                last.text.push('\n');
                last.text.push_str(&line);
            }
            (None, None) => out.push(LogLine { level: "info".to_owned(), text: line }),
        }
    }
    out
}

fn log_line(line: &str) -> Option<LogLine> {
    let (_time, rest) = line.strip_prefix('[')?.split_once("][")?;
    let (_thread, rest) = rest.split_once("][")?;
    let (level, rest) = rest.split_once("][")?;
    let (_logger, rest) = rest.split_once("] ")?;
    let text = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(rest, |(_place, text)| text);
    let level = if level == "warning" { "warn" } else { level };
    Some(LogLine { level: level.to_owned(), text: text.to_owned() })
}

/// What a log complains about, as one text: all that is not `info`.
pub(crate) fn complaints(lines: Vec<String>) -> String {
    let loud = log_lines(lines).into_iter().filter(|line| line.level != "info");
    loud.map(|line| format!("[{}] {}\n", line.level, line.text)).collect()
}

/// How many VMs trapped, by the log: the host logs each once.
pub(crate) fn traps(lines: &[LogLine]) -> u64 {
    let trap = |line: &&LogLine| line.text.starts_with("Function: ") && line.text.contains(" failed: ");
    lines.iter().filter(trap).count() as u64
}

#[cfg(test)]
mod tests;
