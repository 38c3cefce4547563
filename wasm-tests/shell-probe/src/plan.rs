//! What a request asks for: steps, separated by semicolons, of which each begins when the one before has its answer.
//!
//! `http CLUSTER MILLIS`, `grpc CLUSTER MILLIS`, `unsendable CLUSTER` (an HTTP callout with a header value that is no
//! UTF-8, which the shell does not start), `reply STATUS`. After the last step, or one that is none, the request goes on.

use std::collections::VecDeque;
use weir_model::{Callout, CalloutTarget, Reply, Verdict};

/// The steps that are left.
#[derive(Debug, Default)]
pub(crate) struct Plan(VecDeque<String>);

impl Plan {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.split(';').map(|step| step.trim().to_owned()).filter(|step| !step.is_empty()).collect())
    }

    /// The verdict of the next step.
    pub(crate) fn next_verdict(&mut self) -> Verdict {
        let Some(step) = self.0.pop_front() else { return Verdict::Continue };
        let mut words = step.split_whitespace();
        let (kind, whom) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let millis = words.next().and_then(|word| word.parse().ok()).unwrap_or(1_000);
        match kind {
            "http" => http(whom, b"/callout", millis),
            "unsendable" => http(whom, b"/\xff", millis),
            "grpc" => grpc(whom, millis),
            "reply" => reply(whom.parse().unwrap_or(500)),
            _ => Verdict::Continue,
        }
    }
}

fn http(cluster: &str, path: &[u8], timeout_millis: u32) -> Verdict {
    let header = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    Verdict::Await(Box::new(Callout {
        target: CalloutTarget::Http { cluster: cluster.to_owned() },
        headers: vec![header(b":method", b"POST"), header(b":path", path), header(b":authority", b"callout")],
        body: b"question".to_vec(),
        timeout_millis,
    }))
}

fn grpc(cluster: &str, timeout_millis: u32) -> Verdict {
    let service = cluster.as_bytes().to_vec();
    Verdict::Await(Box::new(Callout {
        target: CalloutTarget::Grpc { service, service_name: "shell.Probe".to_owned(), method: "Ask".to_owned() },
        headers: Vec::new(),
        body: b"\x08\x01".to_vec(),
        timeout_millis,
    }))
}

fn reply(status: u16) -> Verdict {
    Verdict::Reply(Box::new(Reply {
        status,
        details: "shell_reply[a]".to_owned(),
        body: b"refused".to_vec(),
        headers: vec![(b"x-why".to_vec(), b"\xfe".to_vec())],
        grpc_status: None,
    }))
}
