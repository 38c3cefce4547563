//! Runs scenarios through a gateway.
//!
//! A scenario runs to its end even after a difference, so that one run reports all of them; only a failure of the
//! machinery ends it. Where a world lags behind its responses, statistics and logs are asked for until they are as
//! expected or the patience is at its end.

use crate::{
    Change, Configure, Exchange, Expect, Failure, Gateway, LoadError, Mismatch, Outcome, Request, Scenario, Session,
    Started, Step, Summary, Verdict, Window, World, check, load_dir, report,
};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How often a lagging world is asked again, and how long the runner waits between.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(100);
/// The most that a scenario may sleep in a world whose clock cannot be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);
/// How many requests must have been answered around a swap for it to show anything.
const FEWEST_DURING: usize = 10;

/// Runs every scenario of a directory, or those whose names contain one of the comma-separated texts in `only`.
///
/// # Errors
/// When a file cannot be used. That nothing was chosen shows in [`Summary::good`].
pub fn run_dir(
    gateway: &mut dyn Gateway,
    dir: &Path,
    only: Option<&str>,
    out: &mut dyn Write,
) -> Result<Summary, LoadError> {
    let mut scenarios = load_dir(dir)?;
    if let Some(only) = only {
        scenarios.retain(|scenario| only.split(',').any(|part| scenario.name.contains(part)));
    }
    run_all(gateway, &scenarios, out)
        .map_err(|e| LoadError { file: dir.to_owned(), message: format!("cannot print: {e}") })
}

/// Runs scenarios one after the other; prints a line for each, a diff for those that fail, and the summary.
///
/// # Errors
/// When `out` cannot be written.
pub fn run_all(gateway: &mut dyn Gateway, scenarios: &[Scenario], out: &mut dyn Write) -> std::io::Result<Summary> {
    let mut summary = Summary::default();
    for scenario in scenarios {
        let verdict = run_one(gateway, scenario);
        match &verdict {
            Verdict::Passed => writeln!(out, "pass {}", scenario.name)?,
            Verdict::Skipped(reason) => writeln!(out, "skip {}: {reason}", scenario.name)?,
            Verdict::Failed(mismatches) => {
                let mut text = String::new();
                // Writing to a string does not fail.
                let _ = report::diff(&mut text, mismatches);
                write!(out, "FAIL {}: {}\n{text}", scenario.name, scenario.description)?;
            }
        }
        summary.add(&scenario.name, verdict);
    }
    writeln!(out, "{summary}")?;
    Ok(summary)
}

/// Runs one scenario.
pub fn run_one(gateway: &mut dyn Gateway, scenario: &Scenario) -> Verdict {
    let world = gateway.world();
    if let Some(reason) = world.skip(scenario) {
        return Verdict::Skipped(reason.to_owned());
    }
    let mut found = Vec::new();
    match gateway.start(scenario) {
        Err(failure) => add_mismatches(&mut found, "start", vec![machinery(&failure)]),
        Ok(Started::Refused(report)) => {
            add_mismatches(&mut found, "start", check::outcome(&scenario.start, Some(&report)))
        }
        Ok(Started::Ready(session)) => {
            add_mismatches(&mut found, "start", check::outcome(&scenario.start, None));
            run_session(session, world, scenario, &mut found);
        }
    }
    if found.is_empty() { Verdict::Passed } else { Verdict::Failed(found) }
}

fn run_session(mut session: Box<dyn Session>, world: World, scenario: &Scenario, found: &mut Vec<Mismatch>) {
    let mut location = "start".to_owned();
    let mut ended = match scenario.window {
        Some(window) if scenario.start == Outcome::Accepted => make_room(&mut *session, window),
        _ => Ok(()),
    };
    if scenario.start == Outcome::Accepted {
        for (number, step) in scenario.steps.iter().enumerate() {
            if ended.is_err() {
                break;
            }
            location = format!("step {}: {}", number + 1, headline(step));
            ended = run_step(&mut *session, world, step, &location, found);
        }
    }
    let restarts = ended.and_then(|()| {
        location = "end".to_owned();
        session.vm_failures()
    });
    match restarts {
        Ok(0) => {}
        Ok(count) => add_mismatches(found, &location, vec![Mismatch::new("VM failures", 0, count)]),
        Err(failure) => add_mismatches(found, &location, vec![machinery(&failure)]),
    }
    if let Err(failure) = session.stop() {
        add_mismatches(found, "stop", vec![machinery(&failure)]);
    }
}

/// Waits until enough of the present wall-clock window is left.
///
/// # Errors
/// When the machinery fails.
pub fn make_room(session: &mut dyn Session, Window { length, room }: Window) -> Result<(), Failure> {
    let (length, room) = (length.0.as_millis(), room.0.as_millis());
    let Some(past) = session.now().as_millis().checked_rem(length) else { return Ok(()) };
    let left = length.saturating_sub(past);
    if left >= room { Ok(()) } else { session.advance(Duration::from_millis(u64::try_from(left).unwrap_or(0) + 1)) }
}

fn run_step(
    session: &mut dyn Session,
    world: World,
    step: &Step,
    location: &str,
    found: &mut Vec<Mismatch>,
) -> Result<(), Failure> {
    match step {
        Step::Exchange(exchange) => run_exchange(session, world, exchange, location, found)?,
        Step::Advance(span) => {
            if world.lags() && span.0 > LONGEST_SLEEP {
                return Err(Failure(format!("sleeping {:?} is too long; the scenario must skip this world", span.0)));
            }
            session.advance(span.0)?;
        }
        Step::WallClock(offset) => session.set_wall_clock(*offset)?,
        Step::Configure(configure) => {
            let Configure { filters, expect, during, expect_during } = configure;
            let Change { refused, during: responses } = session.configure(filters, during.as_ref())?;
            add_mismatches(found, location, check::outcome(expect, refused.as_deref()));
            if during.is_some() && responses.len() < FEWEST_DURING {
                let field = "requests during the swap";
                add_mismatches(
                    found,
                    location,
                    vec![Mismatch::new(field, format!("at least {FEWEST_DURING}"), responses.len())],
                );
            }
            for (number, response) in responses.iter().enumerate() {
                let location = format!("{location}, request {} during the swap", number + 1);
                add_mismatches(found, &location, check::response(expect_during, response));
            }
        }
        Step::Counters(checks) => {
            add_mismatches(found, location, until_good(world, || Ok(check::counters(checks, &session.metrics()?)))?);
        }
        Step::Histograms(checks) => {
            add_mismatches(found, location, until_good(world, || Ok(check::histograms(checks, &session.metrics()?)))?);
        }
        Step::Logs(checks) => {
            add_mismatches(found, location, until_good(world, || Ok(check::logs(checks, &session.logs()?)))?)
        }
    }
    Ok(())
}

fn run_exchange(
    session: &mut dyn Session,
    world: World,
    exchange: &Exchange,
    location: &str,
    found: &mut Vec<Mismatch>,
) -> Result<(), Failure> {
    let Exchange { request, repeat, expect } = exchange;
    for time in 1..=*repeat {
        // Of the lines that are counted the last may still be on its way.
        let world = if expect.records.is_some() { world } else { World::InProcess };
        let mismatches = send_and_check(session, world, &request.numbered(time), expect)?;
        let location = if *repeat == 1 { location.to_owned() } else { format!("{location}, time {time} of {repeat}") };
        add_mismatches(found, &location, mismatches);
    }
    Ok(())
}

/// Sends one request; what differs between the response and what is expected of it.
///
/// # Errors
/// When the machinery fails.
pub fn ask(session: &mut dyn Session, request: &Request, expect: &Expect) -> Result<Vec<Mismatch>, Failure> {
    send_and_check(session, World::InProcess, request, expect)
}

fn send_and_check(
    session: &mut dyn Session,
    world: World,
    request: &Request,
    expect: &Expect,
) -> Result<Vec<Mismatch>, Failure> {
    let response = session.send(request)?;
    let mut mismatches = check::response(expect, &response);
    if check::needs_record(expect) {
        mismatches.extend(until_good(world, || Ok(check::record(expect, &session.record()?)))?);
    }
    Ok(mismatches)
}

/// Asks until nothing differs, where the world lags.
fn until_good(world: World, mut ask: impl FnMut() -> Result<Vec<Mismatch>, Failure>) -> Result<Vec<Mismatch>, Failure> {
    let mut mismatches = ask()?;
    let mut attempts = if world.lags() { ATTEMPTS } else { 0 };
    while !mismatches.is_empty() && attempts > 0 {
        std::thread::sleep(PAUSE);
        attempts -= 1;
        mismatches = ask()?;
    }
    Ok(mismatches)
}

fn add_mismatches(found: &mut Vec<Mismatch>, location: &str, mismatches: Vec<Mismatch>) {
    found.extend(mismatches.into_iter().map(|mismatch| Mismatch { location: location.to_owned(), ..mismatch }));
}

fn machinery(failure: &Failure) -> Mismatch {
    Mismatch::new("the machinery", "works", failure)
}

/// What a step does, in one line.
fn headline(step: &Step) -> String {
    match step {
        Step::Exchange(exchange) => exchange.request.line(),
        Step::Advance(span) => format!("advance {:?}", span.0),
        Step::WallClock(offset) => format!("wall clock off by {} ms", offset.millis),
        Step::Configure(configure) => {
            let modules: Vec<&str> = configure.filters.iter().map(|filter| filter.module.stem()).collect();
            format!("configure {}", modules.join(", "))
        }
        Step::Counters(_) => "counters".to_owned(),
        Step::Histograms(_) => "histograms".to_owned(),
        Step::Logs(_) => "logs".to_owned(),
    }
}

#[cfg(test)]
mod tests;
