//! The in-process host and real Envoy see the same, but for what `differences.yaml` allows.
//!
//! `WEIR_RUN=NAME[,NAME]` restricts the test to some runs; stale entries are then not looked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use weir_transcript::{Difference, Listed, Verdict, compare, envoy, judge, process, runs};

const DIFFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../probe/differences.yaml");

#[test]
fn the_hosts_tell_the_same_story() {
    let text = std::fs::read_to_string(DIFFERENCES).expect("differences.yaml is readable");
    let list: Vec<Listed> = serde_yaml_ng::from_str(&text).expect("differences.yaml is a list of entries");
    let only = std::env::var("WEIR_RUN").ok();
    let chosen = |name: &str| only.as_deref().is_none_or(|only| only.split(',').any(|one| one == name));

    let (mut lines, mut equal, mut differences) = (0, 0, Vec::new());
    for run in runs().into_iter().filter(|run| chosen(run.name)) {
        let envoy = envoy(&run).unwrap_or_else(|error| panic!("{} in Envoy: {error}", run.name));
        let host = process(&run).unwrap_or_else(|error| panic!("{} in process: {error}", run.name));
        assert!(
            envoy.iter().any(|line| line.call == "enter" || line.call == "begin"),
            "{}: the probe is silent",
            run.name
        );
        let comparison = compare(&envoy, &host);
        println!("{}: {} lines, {} equal", run.name, comparison.lines, comparison.equal);
        lines += comparison.lines;
        equal += comparison.equal;
        differences.extend(comparison.differences.into_iter().map(|difference| (run.name.to_owned(), difference)));
    }
    let Verdict { allowed, unlisted, stale } = judge(differences, &list);
    println!("{lines} lines compared, {equal} equal, {allowed} allowed by {} entries", list.len());
    assert!(lines > 0, "no run has that name");
    assert!(unlisted.is_empty(), "{} differences are not allowed:\n{}", unlisted.len(), report(&unlisted));
    if only.is_none() {
        let stale: Vec<String> =
            stale.iter().map(|entry| format!("  {} {}: {}", entry.run, entry.call, entry.reason)).collect();
        assert!(stale.is_empty(), "these entries of differences.yaml are needed no more:\n{}", stale.join("\n"));
    }
}

/// The differences, the same ones of several places together.
fn report(differences: &[(String, Difference)]) -> String {
    let mut together: BTreeMap<(&str, String, String), Vec<String>> = BTreeMap::new();
    for (run, difference) in differences {
        let shown = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "absent".to_owned());
        let call = difference.call.split('#').next().unwrap_or_default();
        let key = (call, shown(&difference.envoy), shown(&difference.host));
        together.entry(key).or_default().push(format!("{run}/{}", difference.place));
    }
    let mut text = String::new();
    for ((call, envoy, host), places) in together {
        let first: Vec<&str> = places.iter().take(4).map(String::as_str).collect();
        let more = if places.len() > 4 { format!(" and {} more", places.len() - 4) } else { String::new() };
        let place = first.join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{call}\n    in {place}{more}\n    - envoy   {envoy}\n    + process {host}");
    }
    text
}
