//! Rows that share one proxy, and their outcomes.
//!
//! A proxy takes longer to start than to answer hundreds of requests, so rows are put together where one configuration can
//! hold them. If the proxy refuses it, each row is tried alone, so that the one which is at fault shows.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use weir_scenario::{Exchange, Failure, Gateway, Mismatch, Scenario, Session, Started, ask, make_room};
use weir_testing::{Outcome, Score};

/// What a row asks of a proxy.
pub(crate) enum Ask {
    /// Nothing: it cannot be run, for the reason.
    Skip(String),
    /// To refuse the row's configuration.
    Refuse,
    /// To take it, and to answer so.
    Answer(Vec<Exchange>),
}

/// A row of a case file.
pub(crate) struct Row {
    /// How a report names it.
    pub(crate) name: String,
    /// Its part of the configuration, in the form that its batch builds from.
    pub(crate) config: Value,
    /// What is asked.
    pub(crate) ask: Ask,
}

/// Makes the scenario without steps of the rows that are in it.
type Build = Box<dyn Fn(&[&Row]) -> Scenario + Send + Sync>;

/// Rows that one proxy can hold.
pub(crate) struct Batch {
    /// The case file, followed by its section.
    pub(crate) part: String,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// Whether each row has a part of the configuration, so that one can be at fault.
    pub(crate) parts: bool,
    /// Makes the proxy.
    pub(crate) build: Build,
}

/// Reasons for which a module refuses what Istio, Envoy or envoyproxy/ratelimit take: part of the report, and the reason.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("metadata is not supported", "metadata is not supported"),
    ("a format is not supported", "a format is not supported"),
    ("quota mode is not supported", "quota mode is not supported"),
    ("regular expressions are not supported", "regular expressions are not supported"),
];

/// Runs all batches, two at a time; the scores in the order of the files.
pub(crate) fn run_all(gateway: &(dyn Fn() -> Box<dyn Gateway> + Sync), batches: &[Batch]) -> Vec<Score> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, String, Outcome)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut gateway = gateway();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(batch) = batches.get(number) else { break };
                    for (name, outcome) in run(&mut *gateway, batch) {
                        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        found.push((number, name, outcome));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(number, ..)| *number);
    let mut scores: Vec<Score> = Vec::new();
    let mut indexes: BTreeMap<&str, usize> = BTreeMap::new();
    for batch in batches {
        indexes.entry(&batch.part).or_insert_with(|| {
            scores.push(Score::new(&batch.part));
            scores.len() - 1
        });
    }
    for (number, name, outcome) in found {
        let index = batches.get(number).and_then(|batch| indexes.get(batch.part.as_str()));
        if let Some(score) = index.and_then(|index| scores.get_mut(*index)) {
            score.add(name, outcome);
        }
    }
    scores
}

/// The outcome of each row of a batch.
fn run(gateway: &mut dyn Gateway, batch: &Batch) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::new();
    let mut together = Vec::new();
    for row in &batch.rows {
        match &row.ask {
            Ask::Skip(reason) => outcomes.push((row.name.clone(), Outcome::skip(reason))),
            Ask::Refuse => outcomes.extend(run_rows(gateway, batch, &[row])),
            Ask::Answer(_) => together.push(row),
        }
    }
    if !together.is_empty() {
        outcomes.extend(run_rows(gateway, batch, &together));
    }
    outcomes
}

/// The outcome of rows in a proxy of their own.
fn run_rows(gateway: &mut dyn Gateway, batch: &Batch, rows: &[&Row]) -> Vec<(String, Outcome)> {
    let all = |outcome: Outcome| rows.iter().map(|row| (row.name.clone(), outcome.clone())).collect();
    let scenario = (batch.build)(rows);
    match gateway.start(&scenario) {
        Err(failure) => all(machinery(&failure)),
        Ok(Started::Ready(session)) => answers(session, &scenario, rows),
        Ok(Started::Refused(report)) => match rows {
            [Row { ask: Ask::Refuse, .. }] => all(Outcome::Passed),
            [_, _, ..] if batch.parts => rows.iter().flat_map(|row| run_rows(gateway, batch, &[row])).collect(),
            _ => all(refused(&report)),
        },
    }
}

/// Sends the requests of rows to a proxy that runs, and stops it.
fn answers(mut session: Box<dyn Session>, scenario: &Scenario, rows: &[&Row]) -> Vec<(String, Outcome)> {
    let mut room = scenario.window.map_or(Ok(()), |window| make_room(&mut *session, window));
    let mut outcomes: Vec<(String, Outcome)> = Vec::new();
    for row in rows {
        let outcome = match (&room, &row.ask) {
            (Err(failure), _) => machinery(failure),
            (Ok(()), Ask::Answer(exchanges)) => answer(&mut *session, exchanges),
            (Ok(()), Ask::Refuse) => Outcome::Failed("its configuration was accepted".to_owned()),
            (Ok(()), Ask::Skip(reason)) => Outcome::skip(reason),
        };
        outcomes.push((row.name.clone(), outcome));
    }
    let failures = session.vm_failures();
    room = session.stop();
    match (failures, room) {
        (Ok(0), Ok(())) => {}
        (Ok(0), Err(failure)) | (Err(failure), _) => outcomes.push(("the end".to_owned(), machinery(&failure))),
        (Ok(count), _) => outcomes.push(("the end".to_owned(), Outcome::Failed(format!("{count} VMs failed")))),
    }
    outcomes
}

fn answer(session: &mut dyn Session, exchanges: &[Exchange]) -> Outcome {
    for Exchange { request, repeat, expect } in exchanges {
        for _ in 0..*repeat {
            match ask(session, request, expect) {
                Err(failure) => return machinery(&failure),
                Ok(mismatches) if !mismatches.is_empty() => {
                    let texts: Vec<String> = mismatches.iter().map(describe).collect();
                    return Outcome::Failed(format!("{}: {}", request.line(), texts.join("; ")));
                }
                Ok(_) => {}
            }
        }
    }
    Outcome::Passed
}

fn describe(mismatch: &Mismatch) -> String {
    let Mismatch { field, expected, actual, .. } = mismatch;
    format!("{field}: expected {expected}, found {actual}")
}

fn machinery(failure: &Failure) -> Outcome {
    Outcome::Failed(format!("the machinery failed: {failure}"))
}

fn refused(report: &str) -> Outcome {
    let known = UNSUPPORTED.iter().find(|(mark, _)| report.contains(mark));
    known.map_or_else(|| Outcome::Failed(format!("refused: {report}")), |(_, reason)| Outcome::skip(*reason))
}

#[cfg(test)]
mod tests;
