//! Makes a transcript: starts a proxy with the probe, sends the run's requests, and reads the log.

use crate::line::Line;
use crate::runs::Run;
use std::time::Duration;
use weir_scenario::{Bytes, Failure, Fields, LogLine, Response, Scenario, Session, Started};

/// Everything that was seen of one run in one proxy.
pub type Transcript = Vec<Line>;

/// How long the proxy gets for its timers, and between two looks at the log.
const PAUSE: Duration = Duration::from_millis(60);

/// Runs a run in the proxy that `start` starts, with the module as the run wants it.
///
/// # Errors
/// When the machinery fails.
pub fn drive(start: impl FnOnce(&Scenario) -> Result<Started, Failure>, run: &Run) -> Result<Transcript, Failure> {
    let mut session = match start(&run.scenario()?)? {
        Started::Ready(session) => session,
        Started::Refused(report) => {
            let mut lines: Transcript = report.lines().filter_map(Line::parse).collect();
            lines.push(Line::driver("start".to_owned(), "refused".to_owned()));
            return Ok(lines);
        }
    };
    let mut said = vec![Line::driver("start".to_owned(), "ready".to_owned())];
    session.advance(PAUSE)?;
    for (number, request) in run.requests().iter().enumerate() {
        let response = session.send(request)?;
        said.push(Line::driver(format!("response {}", number + 1), show(&response)));
        session.advance(PAUSE)?;
    }
    let log = settled(session.as_mut())?;
    said.push(Line::driver("vm failures".to_owned(), session.vm_failures()?.to_string()));
    session.stop()?;
    said.extend(log.iter().filter_map(|line| Line::parse(&line.text)));
    Ok(said)
}

/// The log, once it has stopped growing: streams end, and timers fire, after the last response.
fn settled(session: &mut dyn Session) -> Result<Vec<LogLine>, Failure> {
    let mut log = session.logs()?;
    for _ in 0..50 {
        session.advance(PAUSE)?;
        let later = session.logs()?;
        if later.len() == log.len() {
            return Ok(later);
        }
        log = later;
    }
    Err(Failure("the log does not stop growing".to_owned()))
}

fn show(response: &Response) -> String {
    let status = response.status.map_or("none".to_owned(), |status| status.to_string());
    let mut text = format!("{status} {} `{}`", fields(&response.headers), response.body);
    if !response.trailers.0.is_empty() {
        text.push_str(&fields(&response.trailers));
    }
    if response.broken {
        text.push_str(" broken");
    }
    text
}

/// Fields by name: the order in which a client gets them is the codec's, not the filter's.
fn fields(fields: &Fields) -> String {
    let mut shown: Vec<String> = fields.0.iter().map(|(name, value)| field(name, value)).collect();
    shown.sort();
    format!("[{}]", shown.join(", "))
}

fn field(name: &Bytes, value: &Bytes) -> String {
    match name.as_slice() {
        b"date" => "date=<date>".to_owned(),
        b"x-envoy-upstream-service-time" => "x-envoy-upstream-service-time=<milliseconds>".to_owned(),
        _ => format!("{name}={value}"),
    }
}
