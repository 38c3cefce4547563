//! `weir analyze`: what a set of policies means, without traffic.
//!
//! The policy core answers, and its own code has decided every request that is printed. Where the time ends first, what is
//! not known is named.

mod graph;
mod options;
mod report;
mod request;
mod workloads;

pub(crate) use options::Analyze;

use crate::explain::{Policies, Whose, read_sources};
use crate::input::{self, Source};
use crate::{Failure, page, print};
use options::Output;
use report::{OfWorkload, Report};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use web_time::Instant;
use weir_config::Mode;
use weir_policy::{Analysis, Budget, Explainer};
use workloads::{Places, workloads};

/// Analyzes what the options name.
pub(crate) fn analyze(options: &Analyze) -> Result<(), Failure> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if options.paths().iter().chain(&options.against).filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::Use("standard input is one of the files, and not several".to_owned()));
    }
    if options.paths().is_empty() {
        return Err(Failure::Use("what is to be analyzed is missing: give files or folders with policies".to_owned()));
    }
    let new = input::read_all(&options.paths())?;
    let old = input::read_all(&options.against)?;
    let mut is_over = after(options.budget);
    let mut budget = Budget::new(&mut is_over);
    let places = Places::of(&new)?;
    let mut of = Vec::new();
    let mut whose = workloads(&new, &options.whose)?;
    // Of a set that is compared workloads may be gone, or new.
    for more in if old.is_empty() { Vec::new() } else { workloads(&old, &options.whose)? } {
        if !whose.iter().any(|known| known.workload == more.workload) {
            whose.push(more);
        }
    }
    let is_one = whose.len() == 1;
    for whose in &whose {
        let policies = side(&new, whose)?;
        let replaced = if options.against.is_empty() { None } else { Some(side(&old, whose)?) };
        of.push(one(policies, replaced, options, &mut budget)?);
    }
    let unused = if is_one { BTreeSet::new() } else { places.unused(&of) };
    let report = Report { of, unused, places, is_against: !options.against.is_empty() };
    if let Some(path) = &options.graph {
        let picture = graph::picture(&report);
        page::write(path, &picture)
            .map_err(|error| Failure::Use(format!("`{}` cannot be written: {error}", path.display())))?;
    }
    match options.output {
        Output::Text => print::whole(report.text().trim_end())?,
        Output::Markdown => print::whole(report.markdown().trim_end())?,
        Output::Json => print::json(&format!("{:#}", report.json()))?,
        Output::Github => print::whole(report.github().trim_end())?,
    }
    if report.has_findings() { Err(Failure::Quiet(1)) } else { Ok(()) }
}

/// Whether that much time has passed since now.
#[expect(clippy::disallowed_methods, reason = "an operator waits for a command")]
fn after(budget: Duration) -> impl FnMut() -> bool {
    let begun = Instant::now();
    move || begun.elapsed() >= budget
}

/// The policies of one workload. Refused files do not count as a finding.
fn side(sources: &[Source], whose: &Whose) -> Result<Policies, Failure> {
    let sources = sources.iter().map(|source| Source::new(&source.name, source.text.clone())).collect();
    read_sources(sources, whose).map_err(|failure| match failure {
        Failure::No(message) => Failure::Use(message),
        failure => failure,
    })
}

/// The rules that ask for expressions in CEL.
fn asking(policies: &mut Explainer) -> Vec<String> {
    let rules = policies.rules_with_expressions();
    rules.iter().map(|rule| format!("{}/{}[{}]", rule.namespace, rule.policy, rule.index)).collect()
}

/// All about one workload.
fn one(
    policies: Policies,
    replaced: Option<Policies>,
    options: &Analyze,
    budget: &mut Budget<'_>,
) -> Result<OfWorkload, Failure> {
    let protocol = options.protocol.decided_as();
    let id = policies.of.clone();
    let is_off = policies.mode == Mode::Off;
    let count = policies.requests.count();
    let mut new = policies.into_explainer(protocol)?;
    let provider = new.asked_provider();
    let mut with_expressions = asking(&mut new);
    let mut analysis = match replaced {
        None => Analysis::new(protocol, new),
        Some(old) => {
            let mut old = old.into_explainer(protocol)?;
            with_expressions.extend(asking(&mut old));
            with_expressions.sort();
            with_expressions.dedup();
            Analysis::against(protocol, new, old)
        }
    };
    // What was asked for by an option comes first.
    let differences = (!options.against.is_empty()).then(|| analysis.differences(budget));
    let rules = if is_off { Vec::new() } else { analysis.rules(budget) };
    let policies = if is_off { Vec::new() } else { analysis.policies(&rules, budget) };
    let everybody = analysis.everybody(budget);
    let reach = (options.reach || options.graph.is_some()).then(|| analysis.reach(budget));
    Ok(OfWorkload {
        id,
        is_off,
        count,
        provider,
        with_expressions,
        differences,
        rules,
        policies,
        everybody,
        reach,
        shows_reach: options.reach,
        shows_examples: options.examples,
    })
}
