//! A scenario: filters, a proxy, a world, and steps in order.

use crate::{Expect, FilterSpec, Offset, Proxy, Request, Span, Surroundings, Text};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// Worlds in which it cannot run.
    #[serde(default)]
    pub worlds: WorldSkips,
    /// The filters, in chain order, before the router.
    pub filters: Vec<FilterSpec>,
    /// The proxy.
    #[serde(default)]
    pub proxy: Proxy,
    /// What surrounds it.
    #[serde(default)]
    pub world: Surroundings,
    /// What booting with these filters must come to.
    #[serde(default)]
    pub start: Outcome,
    /// Room left in a wall-clock window before the first step.
    pub window: Option<Window>,
    /// The steps.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// Worlds in which a scenario cannot run, each with the reason; absent means that it runs there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldSkips {
    /// The in-process host.
    pub in_process: Option<String>,
    /// A real Envoy on this machine.
    pub envoy: Option<String>,
    /// A real Envoy in a container.
    pub docker: Option<String>,
}

/// Fixed windows are aligned to the wall clock. Before the first step the runner advances to the beginning of the next
/// window of `length` unless at least `room` is left of the present one, so that a scenario does not straddle two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Window {
    /// The window's length.
    pub length: Span,
    /// What must be left of it.
    pub room: Span,
}

/// What the proxy must make of a configuration. Written `accepted`, or `{refused: [texts]}` where each text must occur in
/// what the proxy reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OutcomeAsWritten")]
pub enum Outcome {
    /// It takes it.
    #[default]
    Accepted,
    /// It refuses it, and says each of these.
    Refused(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OutcomeAsWritten {
    Word(AcceptedWord),
    Refused(RefusedMap),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum AcceptedWord {
    Accepted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedMap {
    refused: Vec<String>,
}

impl From<OutcomeAsWritten> for Outcome {
    fn from(written: OutcomeAsWritten) -> Self {
        match written {
            OutcomeAsWritten::Word(AcceptedWord::Accepted) => Outcome::Accepted,
            OutcomeAsWritten::Refused(RefusedMap { refused }) => Outcome::Refused(refused),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "StepAsWritten")]
pub enum Step {
    /// A request, as often as `repeat` says, each answered as expected.
    Exchange(Exchange),
    /// Time passes.
    Advance(Span),
    /// The wall clock is set off from the true time, and the monotonic clock does not notice.
    WallClock(Offset),
    /// The filters' configuration is swapped.
    Configure(Configure),
    /// Counters and gauges hold these values, since the proxy started.
    Counters(Vec<CounterCheck>),
    /// Histograms hold so many samples, since the proxy started.
    Histograms(Vec<HistogramCheck>),
    /// Envoy's log since the proxy started.
    Logs(LogCheck),
}

/// A request and what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// How often, one after the other; `{{n}}` in the request is the number of the time, from 1.
    pub repeat: u32,
    /// What must come of each.
    pub expect: Expect,
}

/// A swap of the filters' configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Configure {
    /// The new filters: the same modules in the same order.
    pub filters: Vec<FilterSpec>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Outcome,
    /// A request that is sent over and over from before the swap until after it.
    pub during: Option<Request>,
    /// What must come of every one of those.
    #[serde(default)]
    pub expect_during: Expect,
}

/// A check of a counter or gauge: the sum over the series of a name that carry the given labels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CounterCheck {
    /// Metric name as Prometheus shows it.
    pub name: String,
    /// Labels that the series must carry; others are not looked at. An empty text stands for an absent label too.
    #[serde(default)]
    pub labels: BTreeMap<String, Text>,
    /// Exactly this sum; 0 where no series carries the labels.
    pub value: Option<u64>,
    /// At least this sum.
    pub at_least: Option<u64>,
    /// Exactly so many series carry the labels.
    pub series: Option<usize>,
    /// At most so many series carry the labels.
    pub series_at_most: Option<usize>,
}

/// A check of a histogram: the samples over the series of a name that carry the given labels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HistogramCheck {
    /// Metric name as Prometheus shows it, without `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// As for counters.
    #[serde(default)]
    pub labels: BTreeMap<String, Text>,
    /// Exactly so many samples.
    pub count: Option<u64>,
    /// At least so many samples.
    pub at_least: Option<u64>,
    /// The sum of the samples is at least this.
    pub sum_at_least: Option<u64>,
}

/// A check of Envoy's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct LogCheck {
    /// Each must occur in some line.
    pub contain: Vec<String>,
    /// None may occur in any line.
    pub lack: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StepAsWritten {
    request: Option<Request>,
    repeat: Option<u32>,
    expect: Option<Expect>,
    advance: Option<Span>,
    wall_clock: Option<Offset>,
    configure: Option<Configure>,
    counters: Option<Vec<CounterCheck>>,
    histograms: Option<Vec<HistogramCheck>>,
    logs: Option<LogCheck>,
}

impl TryFrom<StepAsWritten> for Step {
    type Error = String;

    fn try_from(written: StepAsWritten) -> Result<Self, String> {
        let StepAsWritten { request, repeat, expect, advance, wall_clock, configure, counters, histograms, logs } =
            written;
        let has_request = request.is_some();
        let mut steps = Vec::new();
        steps.extend(advance.map(Step::Advance));
        steps.extend(wall_clock.map(Step::WallClock));
        steps.extend(configure.map(Step::Configure));
        steps.extend(counters.map(Step::Counters));
        steps.extend(histograms.map(Step::Histograms));
        steps.extend(logs.map(Step::Logs));
        if !has_request && (repeat.is_some() || expect.is_some()) {
            return Err("`repeat` and `expect` belong to a `request`".to_owned());
        }
        if let Some(request) = request {
            let repeat = repeat.unwrap_or(1);
            let expect = expect.ok_or("a `request` needs an `expect`")?;
            if repeat == 0 || expect == Expect::default() {
                return Err("a `request` is sent at least once and something is expected of it".to_owned());
            }
            steps.push(Step::Exchange(Exchange { request, repeat, expect }));
        }
        match (steps.pop(), steps.is_empty()) {
            (Some(step), true) => step.checked(),
            _ => Err(
                "a step is one of `request`, `advance`, `wallClock`, `configure`, `counters`, `histograms` and `logs`"
                    .to_owned(),
            ),
        }
    }
}

impl Step {
    /// Refuses a step that checks nothing: it could not fail.
    fn checked(self) -> Result<Step, String> {
        let empty = match &self {
            Step::Exchange(_) | Step::Advance(_) | Step::WallClock(_) | Step::Configure(_) => false,
            Step::Counters(checks) => {
                checks.is_empty()
                    || checks.iter().any(|c| {
                        c.value.is_none() && c.at_least.is_none() && c.series.is_none() && c.series_at_most.is_none()
                    })
            }
            Step::Histograms(checks) => {
                checks.is_empty()
                    || checks.iter().any(|c| c.count.is_none() && c.at_least.is_none() && c.sum_at_least.is_none())
            }
            Step::Logs(check) => check.contain.is_empty() && check.lack.is_empty(),
        };
        if empty { Err("a check that checks nothing".to_owned()) } else { Ok(self) }
    }
}
