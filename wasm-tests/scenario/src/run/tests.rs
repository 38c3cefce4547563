//! The runner against a proxy of a few lines that counts, limits and can be reconfigured.
//!
//! The fake holds state and is asked what it holds; no case scripts its calls.

use super::{run_all, run_one};
use crate::{
    Bytes, Change, Failure, Fields, FilterSpec, Gateway, LogLine, Metrics, Offset, Record, Request, Response, Sample,
    Scenario, Seen, Session, Started, Value, Verdict, World, load_text,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use weir_testing::Rows;

/// Answers 200; 403 for `/admin`; nothing for `/trap`, which costs a VM. Configuration `bad` is refused.
#[derive(Default)]
struct Fake {
    world_lags: bool,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    sent: u32,
    /// How many of the requests sent the statistics show already.
    shown: u32,
    failures: u64,
    now: Duration,
    /// What the wall clock was set off by.
    off: Vec<i64>,
    stopped: bool,
    last: Record,
}

struct FakeSession {
    state: Rc<RefCell<State>>,
    lags: bool,
}

fn refuses(filters: &[FilterSpec]) -> Option<String> {
    filters.iter().any(|f| f.config == "bad").then(|| "config at $.name: expected a text".to_owned())
}

impl Gateway for Fake {
    fn world(&self) -> World {
        if self.world_lags { World::Envoy } else { World::InProcess }
    }

    fn start(&mut self, scenario: &Scenario) -> Result<Started, Failure> {
        if scenario.filters.is_empty() {
            return Err(Failure("no port is free".to_owned()));
        }
        self.state.borrow_mut().now = Duration::from_secs(3_599);
        Ok(match refuses(&scenario.filters) {
            Some(report) => Started::Refused(report),
            None => Started::Ready(Box::new(FakeSession { state: Rc::clone(&self.state), lags: self.world_lags })),
        })
    }
}

impl Session for FakeSession {
    fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        let mut state = self.state.borrow_mut();
        state.sent += 1;
        let refused = request.path.as_slice() == b"/admin";
        state.last = Record {
            details: Bytes::from(if refused { "refused[rule-0]" } else { "via_upstream" }),
            flags: Bytes::from("-"),
            ..Record::default()
        };
        if request.path.as_slice() == b"/trap" {
            state.failures += 1;
            return Ok(Response { broken: true, ..Response::default() });
        }
        let seen = Seen { method: request.method.clone(), headers: request.headers.clone(), ..Seen::default() };
        Ok(Response {
            status: Some(if refused { 403 } else { 200 }),
            headers: Fields(vec![(Bytes::from("x-count"), Bytes::from(state.sent.to_string().as_str()))]),
            body: Bytes::from(if refused { "RBAC: access denied" } else { "ok" }),
            seen: (!refused).then_some(seen),
            ..Response::default()
        })
    }

    fn record(&mut self) -> Result<Record, Failure> {
        Ok(self.state.borrow().last.clone())
    }

    fn configure(&mut self, filters: &[FilterSpec], during: Option<&Request>) -> Result<Change, Failure> {
        let mut responses = Vec::new();
        if let Some(request) = during {
            for _ in 0..12 {
                responses.push(self.send(request)?);
            }
        }
        Ok(Change { refused: refuses(filters), during: responses })
    }

    fn advance(&mut self, by: Duration) -> Result<(), Failure> {
        self.state.borrow_mut().now += by;
        Ok(())
    }

    fn set_wall_clock(&mut self, off: Offset) -> Result<(), Failure> {
        self.state.borrow_mut().off.push(off.millis);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.state.borrow().now
    }

    fn metrics(&mut self) -> Result<Metrics, Failure> {
        let mut state = self.state.borrow_mut();
        state.shown = if self.lags { state.sent.min(state.shown + 1) } else { state.sent };
        let count = Sample::from_stat("code=.=200;.;requests_total", Value::Number(f64::from(state.shown)));
        let time = Value::Histogram { count: u64::from(state.shown), sum: 4.0 };
        Ok(Metrics(vec![count, Sample::from_stat("code=.=200;.;duration", time)]))
    }

    fn logs(&mut self) -> Result<Vec<LogLine>, Failure> {
        Ok(vec![LogLine { level: "warn".to_owned(), text: "config refused at $.name".to_owned() }])
    }

    fn vm_failures(&mut self) -> Result<u64, Failure> {
        Ok(self.state.borrow().failures)
    }

    fn stop(self: Box<Self>) -> Result<(), Failure> {
        self.state.borrow_mut().stopped = true;
        Ok(())
    }
}

fn scenario(rest: &str) -> Scenario {
    let text = format!("name: a\ndescription: b\n{rest}");
    load_text(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn steps(steps: &str) -> Scenario {
    scenario(&format!("filters: [{{module: policy, config: good}}]\nsteps:\n{steps}"))
}

#[test]
fn what_is_as_expected_passes() {
    let cases = [
        "- {request: {}, expect: {status: 200, body: ok, upstreamSaw: true, headers: {values: {x-count: 1}}}}",
        "- {request: {path: /admin}, expect: {status: [403, 429], upstreamSaw: false, details: {contains: rule-0}, flags: '-'}}",
        "- {request: {headers: {x-a: 1}}, expect: {upstreamHeaders: {values: {x-a: 1}, absent: [x-b]}}}",
        "- {request: {headers: {x-a: 'v{{n}}'}}, repeat: 1, expect: {upstreamHeaders: {values: {x-a: v1}}}}",
        "- {request: {}, repeat: 2, expect: {status: 200}}\n- counters: [{name: requests_total, labels: {code: 200}, value: 2, series: 1}]",
        "- {request: {}, repeat: 2, expect: {status: 200}}\n- histograms: [{name: duration, count: 2, sumAtLeast: 4}]",
        "- {advance: 1s}\n- logs: {contain: [$.name], lack: [panic]}",
        "- configure: {filters: [{module: policy, config: bad}], expect: {refused: ['$.name', a text]}, during: {}, expectDuring: {status: 200}}",
    ];
    let mut rows = Rows::default();
    for case in cases {
        let mut fake = Fake::default();
        rows.check(case, run_one(&mut fake, &steps(case)), Verdict::Passed);
        rows.check(format!("{case}: stopped"), fake.state.borrow().stopped, true);
    }
}

#[test]
fn what_differs_fails() {
    let cases = [
        ("- {request: {}, expect: {status: 403}}", "status", "403"),
        ("- {request: {}, expect: {status: [403, 429]}}", "status", "one of [403, 429]"),
        ("- {request: {}, expect: {broken: true}}", "response broken off", "true"),
        ("- {request: {}, expect: {body: no}}", "body", "`no`"),
        ("- {request: {}, expect: {body: {size: 3}}}", "body size", "3"),
        ("- {request: {}, expect: {body: {contains: x}}}", "body", "something with `x`"),
        ("- {request: {}, expect: {headers: {present: [x-a]}}}", "response header `x-a`", "present"),
        ("- {request: {}, expect: {headers: {absent: [x-count]}}}", "response header `x-count`", "absent"),
        (
            "- {request: {}, expect: {headers: {values: {x-count: {between: [2, 9]}}}}}",
            "response header `x-count`",
            "a number from 2 to 9",
        ),
        ("- {request: {}, expect: {grpcStatus: 7}}", "grpc-status", "`7`"),
        ("- {request: {}, expect: {upstreamSaw: false}}", "upstream saw the request", "no"),
        ("- {request: {path: /admin}, expect: {upstreamHeaders: {present: [x-a]}}}", "request at the upstream", "some"),
        ("- {request: {path: /admin}, expect: {upstreamBodySize: 0}}", "request at the upstream", "some"),
        ("- {request: {}, expect: {upstreamBodySize: 3}}", "body size at the upstream", "3"),
        (
            "- {request: {}, expect: {upstreamTrailers: {present: [x-a]}}}",
            "request trailer at the upstream `x-a`",
            "present",
        ),
        ("- {request: {}, expect: {trailers: {present: [x-a]}}}", "response trailer `x-a`", "present"),
        ("- {request: {}, expect: {records: 2}}", "lines of the access log", "`2`"),
        ("- {request: {}, expect: {details: refused}}", "response code details", "`refused`"),
        ("- {request: {}, expect: {flags: UH}}", "response flags", "`UH`"),
        ("- {request: {}, expect: {policy: deny}}", "filter state `wasm.weir.policy`", "`deny`"),
        ("- counters: [{name: requests_total, value: 1}]", "counter `requests_total`", "1"),
        (
            "- counters: [{name: requests_total, labels: {code: 200}, atLeast: 1}]",
            "counter `requests_total` with code: `200`",
            "at least 1",
        ),
        ("- counters: [{name: requests_total, series: 2}]", "series of `requests_total`", "2"),
        ("- counters: [{name: requests_total, seriesAtMost: 0}]", "series of `requests_total`", "at most 0"),
        ("- histograms: [{name: duration, count: 1}]", "samples of `duration`", "1"),
        ("- histograms: [{name: duration, sumAtLeast: 5}]", "sum of `duration`", "at least 5"),
        ("- logs: {contain: [started]}", "log", "a line with `started`"),
        ("- logs: {lack: [refused]}", "log", "no line with `refused`"),
        ("- {request: {path: /trap}, expect: {status: 0}}", "VM failures", "0"),
        ("- configure: {filters: [{module: policy, config: bad}]}", "configuration", "accepted"),
        (
            "- configure: {filters: [{module: policy, config: good}], expect: {refused: [x]}}",
            "configuration",
            "refused",
        ),
        (
            "- configure: {filters: [{module: policy, config: bad}], expect: {refused: [zz]}}",
            "configuration",
            "refused with `zz`",
        ),
        (
            "- configure: {filters: [{module: policy, config: good}], during: {path: /trap}, expectDuring: {status: 200}}",
            "status",
            "200",
        ),
    ];
    let mut rows = Rows::default();
    for (case, field, expected) in cases {
        let first = match run_one(&mut Fake::default(), &steps(case)) {
            Verdict::Failed(mismatches) => mismatches.into_iter().next().map(|first| (first.field, first.expected)),
            Verdict::Passed | Verdict::Skipped(_) => None,
        };
        rows.check(case, first, Some((field.to_owned(), expected.to_owned())));
    }
}

#[test]
fn start_is_checked() {
    let filters = |config: &str| format!("filters: [{{module: policy, config: {config}}}]\n");
    let one_step = "steps: [{request: {}, expect: {status: 200}}]";
    let refused = "start: {refused: ['$.name']}\n";
    let verdict = |text: String| run_one(&mut Fake::default(), &scenario(&text));
    assert_eq!(verdict(filters("bad") + refused), Verdict::Passed);
    assert!(matches!(verdict(filters("bad") + one_step), Verdict::Failed(_)));
    assert!(matches!(verdict(filters("good") + refused), Verdict::Failed(_)));
    let Verdict::Failed(mismatches) = verdict(format!("filters: []\n{one_step}")) else { panic!() };
    assert_eq!(mismatches[0].actual, "no port is free");
}

#[test]
fn a_window_gets_its_room() {
    let text = |room| {
        format!(
            "window: {{length: 1h, room: {room}}}\nfilters: [{{module: policy, config: good}}]\nsteps: [{{request: {{}}, expect: {{status: 200}}}}]"
        )
    };
    let mut rows = Rows::default();
    for (room, now) in [("500ms", 3_599_000), ("2s", 3_600_001)] {
        let mut fake = Fake::default();
        rows.check(room, run_one(&mut fake, &scenario(&text(room))), Verdict::Passed);
        rows.check(room, fake.state.borrow().now, Duration::from_millis(now));
    }
}

#[test]
fn the_wall_clock_is_set_off_and_put_right() {
    let mut fake = Fake::default();
    let case = steps("- wallClock: +1h\n- wallClock: -24h\n- wallClock: +0s\n- logs: {contain: [$.name]}");
    assert_eq!(run_one(&mut fake, &case), Verdict::Passed);
    assert_eq!(fake.state.borrow().off, [3_600_000, -86_400_000, 0]);
}

#[test]
fn a_lagging_world_is_asked_again_but_not_slept_through() {
    let case =
        steps("- {request: {}, repeat: 3, expect: {status: 200}}\n- counters: [{name: requests_total, value: 3}]");
    let mut fake = Fake { world_lags: true, ..Fake::default() };
    assert_eq!(run_one(&mut fake, &case), Verdict::Passed);
    let mut fake = Fake { world_lags: true, ..Fake::default() };
    assert!(matches!(run_one(&mut fake, &steps("- advance: 1h")), Verdict::Failed(_)));
}

#[test]
fn the_report_reads_well() {
    let mut skipped = steps("- {request: {}, expect: {status: 200}}");
    skipped.name = "later".to_owned();
    skipped.worlds.in_process = Some("needs a kernel".to_owned());
    let good = steps("- {request: {}, expect: {status: 200}}");
    let mut bad = steps(
        "- {request: {}, expect: {status: 200}}\n- {request: {path: /admin}, repeat: 2, expect: {status: 200, body: ok, details: via_upstream}}\n- counters: [{name: requests_total, labels: {code: 403}, value: 1}]",
    );
    bad.name = "bad".to_owned();
    let mut out = Vec::new();
    let summary = run_all(&mut Fake::default(), &[good, skipped, bad], &mut out).unwrap();
    assert!(!summary.good());
    let expected = "\
pass a
skip later: needs a kernel
FAIL bad: b
  step 2: GET /admin (example.com, h1), time 1 of 2
    status
      - expected 200
      + actual   403 with body `RBAC: access denied`
    body
      - expected `ok`
      + actual   `RBAC: access denied`
    response code details
      - expected `via_upstream`
      + actual   `refused[rule-0]`
  step 2: GET /admin (example.com, h1), time 2 of 2
    status
      - expected 200
      + actual   403 with body `RBAC: access denied`
    body
      - expected `ok`
      + actual   `RBAC: access denied`
    response code details
      - expected `via_upstream`
      + actual   `refused[rule-0]`
  step 3: counters
    counter `requests_total` with code: `403`
      - expected 1
      + actual   0; series of that name:
                 {code=200} 4
1 passed, 1 failed, 1 skipped
  skipped later: needs a kernel
  failed bad
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
