//! The in-process host and real Envoy see the same, except for the differences that `differences.yaml` allows.
//!
//! `WEIR_RUN=NAME[,NAME]` restricts the test to some runs; stale entries are then not looked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use weir_scenario::Failure;
use weir_transcript::{Comparison, Difference, Listed, Run, Verdict, compare, compare_with_list, envoy, process, runs};

const DIFFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../probe/differences.yaml");
/// How many runs go on at once.
const SIDE_BY_SIDE: usize = 6;

#[test]
fn the_hosts_give_the_same_transcript() {
    let text = std::fs::read_to_string(DIFFERENCES).expect("differences.yaml is readable");
    let mut list: Vec<Listed> = serde_yaml_ng::from_str(&text).expect("differences.yaml is a list of entries");
    let line = weir_test_envoy::envoy_line();
    list.retain(|entry| entry.is_for(&line));
    let only = std::env::var("WEIR_RUN").ok();
    let chosen = |name: &str| only.as_deref().is_none_or(|only| only.split(',').any(|one| one == name));

    let chosen: Vec<Run> = runs().into_iter().filter(|run| chosen(run.name)).collect();
    let (mut lines, mut equal, mut differences, mut broken) = (0, 0, Vec::new(), Vec::new());
    for (run, comparison) in chosen.iter().zip(compared(&chosen)) {
        let comparison = match comparison {
            Ok(comparison) => comparison,
            Err(error) => {
                broken.push(format!("{}: {error}", run.name));
                continue;
            }
        };
        println!("{}: {} lines, {} equal", run.name, comparison.lines, comparison.equal);
        lines += comparison.lines;
        equal += comparison.equal;
        differences.extend(comparison.differences.into_iter().map(|difference| (run.name.to_owned(), difference)));
    }
    let Verdict { allowed, unlisted, stale } = compare_with_list(differences, &list);
    println!("Envoy {line}: {lines} lines compared, {equal} equal, {allowed} allowed by {} entries", list.len());
    assert!(lines > 0, "no run has that name");
    assert!(unlisted.is_empty(), "{} differences are not allowed:\n{}", unlisted.len(), report(&unlisted));
    assert!(broken.is_empty(), "some runs failed:\n{}", broken.join("\n"));
    if only.is_none() {
        let stale: Vec<String> =
            stale.iter().map(|entry| format!("  {} {}: {}", entry.run, entry.call, entry.reason)).collect();
        assert!(stale.is_empty(), "no difference needs these entries of differences.yaml:\n{}", stale.join("\n"));
    }
}

/// The comparison of each run, or why there is none. Several proxies run side by side, for most of what a run does is to
/// wait.
fn compared(runs: &[Run]) -> Vec<Result<Comparison, Failure>> {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(BTreeMap::new());
    let some = || {
        loop {
            let position = next.fetch_add(1, Ordering::SeqCst);
            let Some(run) = runs.get(position) else { break };
            let comparison = comparison(run);
            all.lock().unwrap_or_else(PoisonError::into_inner).insert(position, comparison);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(some);
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

fn comparison(run: &Run) -> Result<Comparison, Failure> {
    let (envoy, host) = (envoy(run)?, process(run)?);
    let spoke = envoy.iter().any(|line| line.call == "enter" || line.call == "begin");
    if spoke { Ok(compare(&envoy, &host)) } else { Err(Failure("the probe is silent in Envoy".to_owned())) }
}

/// The differences, the same ones of several locations together.
fn report(differences: &[(String, Difference)]) -> String {
    let mut together: BTreeMap<(&str, String, String), Vec<String>> = BTreeMap::new();
    for (run, difference) in differences {
        let shown = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "absent".to_owned());
        let call = difference.call.split('#').next().unwrap_or_default();
        let key = (call, shown(&difference.envoy), shown(&difference.host));
        together.entry(key).or_default().push(format!("{run}/{}", difference.location));
    }
    let mut text = String::new();
    for ((call, envoy, host), locations) in together {
        let first: Vec<&str> = locations.iter().take(4).map(String::as_str).collect();
        let more = if locations.len() > 4 { format!(" and {} more", locations.len() - 4) } else { String::new() };
        let location = first.join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{call}\n    in {location}{more}\n    - envoy   {envoy}\n    + process {host}");
    }
    text
}
