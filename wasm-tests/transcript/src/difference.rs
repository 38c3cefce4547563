//! Puts two transcripts side by side.

use crate::line::{Line, Location};
use std::collections::BTreeMap;

/// A line that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub location: Location,
    /// The call with its arguments; `#2` and so on where a location has it more than once.
    pub call: String,
    /// The outcome in real Envoy; `None` where the line is missing.
    pub envoy: Option<String>,
    /// The same for the in-process host.
    pub host: Option<String>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many lines there are in either.
    pub lines: usize,
    /// How many are the same.
    pub equal: usize,
    /// The others.
    pub differences: Vec<Difference>,
}

/// Compares two transcripts. A call is matched with the same call of the same location, the second with the second. The
/// order of the phases of each stream is compared as well.
#[must_use]
pub fn compare(envoy: &[Line], host: &[Line]) -> Comparison {
    let (envoy, host) = (index(envoy), index(host));
    let mut comparison = Comparison::default();
    let mut keys: Vec<&(Location, String)> = envoy.keys().chain(host.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let (left, right) = (envoy.get(key), host.get(key));
        comparison.lines += 1;
        if left == right {
            comparison.equal += 1;
            continue;
        }
        let (location, call) = key.clone();
        comparison.differences.push(Difference { location, call, envoy: left.cloned(), host: right.cloned() });
    }
    comparison
}

fn index(lines: &[Line]) -> BTreeMap<(Location, String), String> {
    let mut seen: BTreeMap<(Location, String), usize> = BTreeMap::new();
    let mut index = BTreeMap::new();
    let mut phases: BTreeMap<(u32, u32), Vec<&str>> = BTreeMap::new();
    for Line { location, call, outcome } in lines {
        let count = seen.entry((location.clone(), call.clone())).or_default();
        *count += 1;
        let call = if *count == 1 { call.clone() } else { format!("{call}#{count}") };
        index.insert((location.clone(), call), outcome.clone());
        // A root's callbacks come from timers and threads, so only a stream's have one order.
        if location.context > 1 {
            let order = phases.entry((location.vm, location.context)).or_default();
            if order.last() != Some(&location.phase.as_str()) {
                order.push(&location.phase);
            }
        }
    }
    for ((vm, context), order) in phases {
        let location = Location { vm, context, phase: "order".to_owned() };
        index.insert((location, "phases".to_owned()), order.join(" "));
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testing::Rows;

    fn line(context: u32, phase: &str, call: &str, outcome: &str) -> Line {
        let location = Location { vm: 3, context, phase: phase.to_owned() };
        Line { location, call: call.to_owned(), outcome: outcome.to_owned() }
    }

    #[test]
    fn the_same_lines_are_equal_in_any_order_of_the_roots_phases() {
        let one = [line(1, "tick", "a", "1"), line(1, "configure", "a", "2")];
        let other = [line(1, "configure", "a", "2"), line(1, "tick", "a", "1")];
        assert_eq!(compare(&one, &other), Comparison { lines: 2, equal: 2, differences: Vec::new() });
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let table = [
            ("outcome", vec![line(1, "tick", "a", "1")], vec![line(1, "tick", "a", "2")], 1),
            ("missing", vec![line(1, "tick", "a", "1")], vec![], 1),
            ("one more", vec![], vec![line(1, "tick", "a", "1")], 1),
            ("twice", vec![line(1, "t", "a", "1"), line(1, "t", "a", "1")], vec![line(1, "t", "a", "1")], 1),
            (
                "order of a stream's phases",
                vec![line(2, "log", "a", "1"), line(2, "done", "a", "1")],
                vec![line(2, "done", "a", "1"), line(2, "log", "a", "1")],
                1,
            ),
        ];
        let mut rows = Rows::default();
        for (name, envoy, host, differences) in table {
            rows.check(name, compare(&envoy, &host).differences.len(), differences);
        }
    }
}
