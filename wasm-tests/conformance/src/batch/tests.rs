//! Batches against a proxy of a few lines: it refuses a document that says `bad`, and answers 403 to `/deny`.

use super::{Ask, Batch, Row, run, run_all};
use crate::json::{decided, exchange, scenario};
use serde_json::{Value, json};
use std::time::Duration;
use weir_scenario::{
    Change, Failure, FilterSpec, Gateway, LogLine, Metrics, Module, Offset, Proxy, Record, Request, Response, Scenario,
    Seen, Session, Started, World,
};
use weir_testing::Outcome;

#[derive(Default)]
struct Fake {
    starts: usize,
    failures: u64,
}

struct FakeSession(u64);

impl Gateway for Fake {
    fn world(&self) -> World {
        World::InProcess
    }

    fn start(&mut self, scenario: &Scenario) -> Result<Started, Failure> {
        self.starts += 1;
        let text = scenario.filters.iter().map(|filter| filter.config.to_string()).collect::<String>();
        if text.contains("quota") {
            return Ok(Started::Refused("quota mode is not supported".to_owned()));
        }
        if text.contains("bad") {
            return Ok(Started::Refused("unknown field `bad`".to_owned()));
        }
        Ok(Started::Ready(Box::new(FakeSession(self.failures))))
    }
}

impl Session for FakeSession {
    fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        let denied = request.path.as_slice() == b"/deny";
        let seen = (!denied).then(Seen::default);
        Ok(Response { status: Some(if denied { 403 } else { 200 }), seen, ..Response::default() })
    }

    fn record(&mut self) -> Result<Record, Failure> {
        Ok(Record::default())
    }

    fn configure(&mut self, _: &[FilterSpec], _: Option<&Request>) -> Result<Change, Failure> {
        Ok(Change::default())
    }

    fn advance(&mut self, _: Duration) -> Result<(), Failure> {
        Ok(())
    }

    fn set_wall_clock(&mut self, _: Offset) -> Result<(), Failure> {
        Ok(())
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn metrics(&mut self) -> Result<Metrics, Failure> {
        Ok(Metrics::default())
    }

    fn logs(&mut self) -> Result<Vec<LogLine>, Failure> {
        Ok(Vec::new())
    }

    fn vm_failures(&mut self) -> Result<u64, Failure> {
        Ok(self.0)
    }

    fn stop(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

fn row(name: &str, config: &str, ask: Ask) -> Row {
    Row { name: name.to_owned(), config: json!(config), ask }
}

fn answer(path: &str, allow: bool) -> Ask {
    Ask::Answer(vec![exchange(Request { path: path.into(), ..Request::default() }, decided(allow))])
}

fn batch(rows: Vec<Row>) -> Batch {
    let build = |rows: &[&Row]| {
        let config: Vec<Value> = rows.iter().map(|row| row.config.clone()).collect();
        scenario(Module::Policy, json!(config), Proxy::default())
    };
    Batch { part: "file.yaml".to_owned(), rows, parts: true, build: Box::new(build) }
}

#[test]
fn rows_share_a_proxy_and_each_is_judged() {
    let mut fake = Fake::default();
    let rows = vec![
        row("allowed", "a", answer("/", true)),
        row("denied", "b", answer("/deny", false)),
        row("flipped", "c", answer("/deny", true)),
        row("skipped", "d", Ask::Skip("why".to_owned())),
    ];
    let found = run(&mut fake, &batch(rows));
    assert_eq!(fake.starts, 1);
    let of = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, outcome)| outcome.clone()).unwrap();
    assert_eq!(of("allowed"), Outcome::Passed);
    assert_eq!(of("denied"), Outcome::Passed);
    assert!(matches!(of("flipped"), Outcome::Failed(text) if text.contains("status: expected 200, found 403")));
    assert_eq!(of("skipped"), Outcome::skip("why"));
}

#[test]
fn a_refused_configuration_is_the_fault_of_one_row() {
    let mut fake = Fake::default();
    let rows = vec![
        row("good", "a", answer("/", true)),
        row("at fault", "bad", answer("/", true)),
        row("not supported", "quota", answer("/", true)),
        row("to be refused", "bad", Ask::Refuse),
        row("not refused", "a", Ask::Refuse),
    ];
    let found = run(&mut fake, &batch(rows));
    let of = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, outcome)| outcome.clone()).unwrap();
    assert_eq!(of("good"), Outcome::Passed);
    assert_eq!(of("at fault"), Outcome::Failed("refused: unknown field `bad`".to_owned()));
    assert_eq!(of("not supported"), Outcome::skip("quota mode is not supported"));
    assert_eq!(of("to be refused"), Outcome::Passed);
    assert!(matches!(of("not refused"), Outcome::Failed(_)));
}

#[test]
fn a_failed_vm_fails_the_batch() {
    let gateway = || -> Box<dyn Gateway> { Box::new(Fake { failures: 1, ..Fake::default() }) };
    let batches =
        [batch(vec![row("allowed", "a", answer("/", true))]), batch(vec![row("also", "a", answer("/", true))])];
    let scores = run_all(&gateway, &batches);
    assert_eq!(scores.len(), 1);
    assert_eq!((scores[0].passed(), scores[0].failed().len()), (2, 2));
    assert_eq!(scores[0].failed()[0], "the end: 1 VMs failed");
}
