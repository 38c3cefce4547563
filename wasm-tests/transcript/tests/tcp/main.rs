//! Connections through the probe's TCP filter, in both hosts: what the filter is shown, what it decides, and the outcome.
//! Both say the same, line by line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up fails")]

mod envoy;
mod host;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use weir_test_envoy::{OnFailure, Plugin};

/// A connection's life.
struct Case {
    name: &'static str,
    /// The filter's configuration without its first word.
    configuration: &'static str,
    /// The root id of the plugin.
    root_id: &'static str,
    on_failure: OnFailure,
    /// The server refuses connections.
    refuses: bool,
    /// The status that the service of callouts answers.
    answers: u16,
    /// After how many milliseconds.
    after: u64,
    steps: Vec<Step>,
    /// A line that must be among what both say, so that they do not agree on nothing.
    says: &'static [&'static str],
}

/// What the client does.
#[derive(Clone, Copy)]
enum Step {
    Send(&'static str),
    /// It closes its side and reads what comes.
    End,
    /// It resets the connection.
    Reset,
    /// The server closes its side and goes on reading.
    ServerEnds,
}

/// The outcome.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The filter's lines.
    lines: Vec<String>,
    /// What the client got; nothing where it reset the connection.
    received: String,
    /// How many bytes the server got.
    served: usize,
    /// Connections that the filter counted.
    counted: u64,
    vm_failures: u64,
}

fn cases() -> Vec<Case> {
    let case = |name, configuration, steps, says| Case {
        name,
        configuration,
        root_id: "weir.tcp",
        on_failure: OnFailure::Unsaid,
        refuses: false,
        answers: 200,
        after: 0,
        steps,
        says,
    };
    use Step::{End, Reset, Send, ServerEnds};
    let waits = "opened=http:service";
    vec![
        case(
            "passes",
            "attributes",
            vec![Send("hello"), Send("again, with more"), End],
            &["end: 21 down, 21 up", "data: 16 bytes, `again, w`"],
        ),
        case("nothing is sent", "", vec![End], &["downstream data: 0 bytes, ``, end true"]),
        case("the server closes first", "", vec![Send("bye"), End], &["upstream closed: Unknown"]),
        case("the client resets", "", vec![Send("hello"), Reset], &["downstream closed: Peer"]),
        case("not held when it is opened", "opened=hold", vec![Send("hello"), End], &["end: 5 down, 5 up"]),
        case("closed when it is opened", "opened=close", vec![Send("hello"), End], &["end: 0 down, 0 up"]),
        case("closed at data", "downstream=close", vec![Send("hello"), End], &["downstream closed: Proxy"]),
        case("closed at an answer", "upstream=close", vec![Send("hello"), End], &["end: 5 down, 5 up"]),
        case(
            "held until there is enough",
            "until=9 shown=4",
            vec![Send("hello"), Send("world"), End],
            &["data: 5 bytes, `hell`", "data: 10 bytes, `hell`", "end: 10 down, 10 up"],
        ),
        Case { refuses: true, ..case("the server refuses", "attributes", vec![End], &["downstream closed: Proxy"]) },
        case("waits and goes on", waits, vec![Send("hello"), End], &["called: http 200", "resume: true"]),
        Case { answers: 403, ..case("waits and is closed", waits, vec![Send("hello"), End], &["resume: false"]) },
        case("waits for what is not sent", "opened=http:absent", vec![Send("hello"), End], &["not sent"]),
        case("data waits", "downstream=http:service", vec![Send("hello"), Send("again"), End], &["resume: true"]),
        Case {
            after: 250,
            ..case(
                "the server closes while data waits",
                "downstream=http:service",
                vec![Send("hello"), ServerEnds, Send("again"), End],
                &["upstream closed: Unknown", "resume: true"],
            )
        },
        Case {
            after: 250,
            ..case(
                "the client leaves while it waits to be opened",
                waits,
                vec![Send("hello"), End],
                &["resume: true", "end: 5 down, 5 up"],
            )
        },
        Case {
            after: 350,
            ..case(
                "both close while data waits",
                "downstream=http:service",
                vec![Send("hello"), ServerEnds, End],
                &["upstream closed: Unknown", "gone"],
            )
        },
        case(
            "expressions",
            "cel=int:destination.port-destination.port+7 cel=string:request.path",
            vec![Send("hello"), End],
            &["cel 0: Ok(Int(7))", "cel 1: Err(Failed)"],
        ),
        case("a trap", "downstream=trap", vec![Send("hello"), End], &["opened"]),
        Case {
            on_failure: OnFailure::Open,
            ..case("a trap under FAIL_OPEN", "downstream=trap", vec![Send("hello"), End], &["opened"])
        },
        Case {
            on_failure: OnFailure::FailOpen,
            ..case("a trap with fail_open", "downstream=trap", vec![Send("hello"), End], &["opened"])
        },
        Case { root_id: "", ..case("the HTTP filter", "", vec![Send("hello"), End], &[]) },
    ]
}

fn plugin(case: &Case) -> Plugin {
    Plugin {
        name: "connections".to_owned(),
        root_id: case.root_id.to_owned(),
        module: weir_test_envoy::module("shell-probe").unwrap(),
        configuration: format!("tcp {}", case.configuration),
        vm_configuration: String::new(),
    }
}

/// The filter's line in a line of a log. Lines of the VM's end are another matter in each host.
fn line(text: &str) -> Option<String> {
    let said = text.split_once("shell tcp ").map(|(_, said)| said);
    let warned = || text.split_once("weir: ").map(|(_, said)| said);
    said.or_else(warned).map(|said| said.trim_end().to_owned())
}

/// How many cases run at a time: most of one is waiting.
const SIDE_BY_SIDE: usize = 4;

#[test]
fn both_hosts_say_the_same_of_every_connection() {
    let cases = cases();
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(case.name), "two cases are called {}", case.name);
    }
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let take_turns = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = failures(case);
            failed.lock().unwrap().extend(found);
        }
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(take_turns);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// What is wrong with a case, if anything is.
fn failures(case: &Case) -> Vec<String> {
    let mut failed = Vec::new();
    let (envoy, host) = (envoy::run(case), host::run(case));
    let said = |line: &&str| envoy.lines.iter().any(|found| found.contains(*line));
    if let Some(missing) = case.says.iter().find(|line| !said(line)) {
        failed.push(format!("{}: Envoy does not say `{missing}`: {envoy:#?}", case.name));
    }
    if envoy != host {
        failed.push(format!("{}: Envoy {envoy:#?}\nand the host {host:#?}", case.name));
    }
    failed
}
