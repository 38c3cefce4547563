//! One line of a transcript.

use std::fmt;

/// Where a line was logged. Lines of one location are in order; lines of different locations are not compared with each
/// other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Which VM, in the order of their starts; 0 before a VM has a number.
    pub vm: u32,
    /// Context id.
    pub context: u32,
    /// Phase.
    pub phase: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vm {} context {} {}", self.vm, self.context, self.phase)
    }
}

/// A call and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where.
    pub location: Location,
    /// The call with its arguments.
    pub call: String,
    /// Status and result.
    pub outcome: String,
}

impl Line {
    /// Finds a line of the probe in a line of a log.
    #[must_use]
    pub fn parse(log: &str) -> Option<Line> {
        let (_, text) = log.split_once("weir-probe vm=")?;
        // Envoy's libraries write to the same file: the lines that follow are theirs.
        let text = text.lines().next()?;
        let (vm, text) = text.split_once(" context=")?;
        let (context, text) = text.split_once(' ')?;
        let (phase, text) = text.split_once(' ')?;
        let (call, outcome) = text.split_once(" ->")?;
        let location = Location { vm: vm.parse().ok()?, context: context.parse().ok()?, phase: phase.to_owned() };
        Some(Line { location, call: call.to_owned(), outcome: outcome.trim().to_owned() })
    }

    /// A line of the driver, not of the module.
    #[must_use]
    pub fn driver(call: String, outcome: String) -> Line {
        Line { location: Location { vm: 0, context: 0, phase: "driver".to_owned() }, call, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testing::Rows;

    #[test]
    fn a_line_is_found_behind_what_the_proxy_writes_first() {
        let log = "[wasm] wasm log probe-0: weir-probe vm=3 context=2 log get_property(a -> b) -> Ok `x -> y`";
        let location = Location { vm: 3, context: 2, phase: "log".to_owned() };
        // The call ends at the first arrow: no call may have one.
        let line = Line { location, call: "get_property(a".to_owned(), outcome: "b) -> Ok `x -> y`".to_owned() };
        assert_eq!(Line::parse(log), Some(line));
    }

    #[test]
    fn what_a_library_writes_behind_a_line_is_not_part_of_it() {
        let log = "weir-probe vm=3 context=2 log a -> Ok\nexternal/re2.cc:233: Error parsing";
        assert_eq!(Line::parse(log).map(|line| line.outcome), Some("Ok".to_owned()));
    }

    #[test]
    fn other_lines_are_passed_over() {
        let mut rows = Rows::default();
        for log in ["", "weir-probe", "weir-probe vm=x context=1 log a -> b", "wasm log probe-0: hello"] {
            rows.check(log, Line::parse(log), None);
        }
    }
}
