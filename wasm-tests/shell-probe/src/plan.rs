//! What a request asks for: steps, separated by semicolons, of which each begins when the one before has its answer.
//!
//! `http CLUSTER MILLIS` and `grpc CLUSTER MILLIS` call out, with a header value that is not UTF-8; `split CLUSTER` is an
//! HTTP callout whose path holds a line break, which the shell does not send; `shared CLUSTER MILLIS` is one HTTP callout
//! that all such requests wait for; `cel N` logs the value of an expression; `ended` waits for a callout that is not in
//! flight; `reply STATUS` answers; `trap` ends the VM. After the last step, or an unknown one, the request goes on.

use std::collections::VecDeque;
use weir_model::{Callout, GrpcCallout, GrpcTarget, HttpCallout, Reply};

/// The steps that are left.
#[derive(Debug, Default)]
pub(crate) struct Plan(VecDeque<String>);

/// One step.
#[derive(Debug)]
pub(crate) enum Step {
    /// Calls out and waits.
    Call(Callout),
    /// Waits for the one callout of all requests, which the first of them sends.
    Shared(Callout),
    /// Waits for what is not in flight.
    Ended,
    /// Logs the value of an expression and goes on to the next step.
    Cel(usize),
    /// Answers the request.
    Reply(Box<Reply>),
    /// Ends the VM.
    Trap,
    /// Lets the request go on.
    Continue,
}

impl Plan {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.split(';').map(|step| step.trim().to_owned()).filter(|step| !step.is_empty()).collect())
    }

    /// The next step.
    pub(crate) fn next(&mut self) -> Step {
        let Some(step) = self.0.pop_front() else { return Step::Continue };
        let mut words = step.split_whitespace();
        let (kind, whom) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let millis = words.next().and_then(|word| word.parse().ok()).unwrap_or(1_000);
        match kind {
            "http" => Step::Call(http(whom, b"/callout", millis)),
            "split" => Step::Call(http(whom, b"/\r\nx: y", millis)),
            "grpc" => Step::Call(grpc(whom, millis)),
            "shared" => Step::Shared(http(whom, b"/shared", millis)),
            "cel" => Step::Cel(whom.parse().unwrap_or(usize::MAX)),
            "ended" => Step::Ended,
            "reply" => Step::Reply(Box::new(reply(whom.parse().unwrap_or(500)))),
            "trap" => Step::Trap,
            _ => Step::Continue,
        }
    }
}

pub(crate) fn http(cluster: &str, path: &[u8], timeout_millis: u32) -> Callout {
    let header = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    Callout::Http(HttpCallout {
        cluster: cluster.to_owned(),
        headers: vec![
            header(b":method", b"POST"),
            header(b":path", path),
            header(b":authority", b"callout"),
            header(b"x-raw", b"\x80%"),
        ],
        body: b"question".to_vec(),
        timeout_millis,
    })
}

fn grpc(cluster: &str, timeout_millis: u32) -> Callout {
    let initial_metadata = vec![(b"x-raw".to_vec(), b"\x80%".to_vec())];
    let authority = "probe.example".to_owned();
    Callout::Grpc(GrpcCallout {
        target: GrpcTarget { cluster: cluster.to_owned(), authority, initial_metadata, timeout_millis },
        service: "shell.Probe".to_owned(),
        method: "Ask".to_owned(),
        message: b"\x08\x01".to_vec(),
    })
}

fn reply(status: u16) -> Reply {
    Reply {
        status,
        details: "shell_reply[a]".to_owned(),
        body: b"refused".to_vec(),
        headers: vec![(b"x-why".to_vec(), b"\xfe".to_vec())],
        grpc_status: None,
    }
}
