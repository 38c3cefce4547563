//! What came of each patch and plugin of a manifest.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::envoyfilter::{Context, Patches};
use crate::extension::Plugins;

/// What came of each patch and plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many listeners, chains, filters, routes, clusters and resources each EnvoyFilter changed.
    pub places: BTreeMap<String, usize>,
    /// Patches and plugins that changed nothing in this proxy. That is in order where they are for others.
    pub idle: Vec<Idle>,
    /// Filters that ask for a configuration that istiod does not have. The listener waits for it, by default without end.
    pub unanswered: Vec<String>,
    /// Listeners that patches changed and that a stock Envoy does not run ([`stock`](crate::stock)): requests do not show
    /// what the change does.
    pub unseen: Vec<String>,
    /// Resources that several objects have under one name. Envoy refuses such an answer.
    pub repeated: Vec<String>,
}

/// A patch or a plugin that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Kind, namespace and name of the object.
    pub object: String,
    /// The item of `configPatches`; absent for plugins.
    pub patch: Option<usize>,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            Some(index) => write!(f, "{}: `spec.configPatches[{index}]`: {}", self.object, self.reason),
            None => write!(f, "{}: {}", self.object, self.reason),
        }
    }
}

impl Report {
    /// Whether everything in the manifest changed something, and everything that is asked for is there.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Self { places: _, idle, unanswered, unseen, repeated } = self;
        idle.is_empty() && unanswered.is_empty() && unseen.is_empty() && repeated.is_empty()
    }

    pub(crate) fn new(patches: &Patches, plugins: &Plugins, asked: &[String], answers: &[Value]) -> Self {
        let mut report = Self::default();
        for (object, index, reason) in &patches.passed_over {
            report.idle.push(Idle { object: object.clone(), patch: Some(*index), reason });
        }
        for patch in &patches.all {
            *report.places.entry(patch.object.clone()).or_default() += patch.places.get();
            // What is to be removed may be absent.
            if patch.places.get() == 0 && !patch.removes() {
                let reason = match patch.context {
                    Context::Waypoint => "no Istio up to 1.31 applies the context WAYPOINT",
                    _ => "nothing in this proxy matches it",
                };
                report.idle.push(Idle { object: patch.object.clone(), patch: Some(patch.index), reason });
            }
        }
        for plugin in plugins.titles().filter(|(_, resource)| !asked.contains(resource)).map(|(title, _)| title) {
            report.idle.push(Idle { object: plugin, patch: None, reason: "no listener of this proxy matches it" });
        }
        let names: Vec<_> = answers.iter().filter_map(|answer| answer.get("name")?.as_str()).collect();
        report.unanswered = asked.iter().filter(|name| !names.contains(&name.as_str())).cloned().collect();
        let repeated = |name: &&String| names.iter().filter(|other| *other == name).count() > 1;
        report.repeated = asked.iter().filter(repeated).cloned().collect();
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for idle in &self.idle {
            writeln!(f, "{idle}")?;
        }
        for name in &self.unanswered {
            writeln!(f, "filter `{name}` asks for a configuration that istiod does not have")?;
        }
        for name in &self.unseen {
            writeln!(f, "listener `{name}` is changed, and a stock Envoy does not run it")?;
        }
        for name in &self.repeated {
            writeln!(f, "several objects have a configuration for the filter `{name}`")?;
        }
        Ok(())
    }
}
