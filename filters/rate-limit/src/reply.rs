//! What is told of a decision: to the client in the reply and its headers, to the operator in response code details and
//! filter state. All of it is about the limit that speaks in the [`Decision`].

use crate::compiled::limits::Tree;
use crate::decision::{Answer, Decision, Reason, Wait};
use crate::quota_headers::{Quota, QuotaHeaders, seconds};
use weir_model::Reply;

/// What a refused or limited client is told, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The status of a refusal.
    pub(crate) status: u16,
    /// Its gRPC status, if it is not the one that Envoy makes of the HTTP status.
    pub(crate) grpc_status: Option<u32>,
    /// Whether there are `x-ratelimit-*` headers.
    pub(crate) quota: bool,
    /// Whether there is a `retry-after` header.
    pub(crate) retry: bool,
}

impl Told {
    /// The `x-ratelimit-*` headers: `speaker` tells what is left, all limits that were asked are listed. None where they are
    /// not wanted, or where it is not known what is left.
    pub(crate) fn quota(&self, speaker: &Answer, asked: &[Answer], tree: &Tree) -> Option<QuotaHeaders> {
        let standing = speaker.standing.filter(|_| self.quota)?;
        let limits = asked.iter().filter_map(|answer| tree.limits.get(answer.limit));
        let quotas = limits.filter(|limit| limit.algorithm.is_some()).map(|limit| Quota {
            requests: limit.requests,
            seconds: Some(limit.seconds),
            name: limit.name.as_deref().unwrap_or_default(),
        });
        let requests = tree.limits.get(speaker.limit)?.requests;
        Some(QuotaHeaders::new(requests, standing.remaining, seconds(standing.reset), quotas))
    }

    /// The reply to a request that `speaker` refuses.
    pub(crate) fn reply(&self, speaker: &Answer, wait: Wait, asked: &[Answer], tree: &Tree) -> Reply {
        let word = speaker.reason.refusal();
        let mut details = String::with_capacity(96);
        details.push_str(word);
        details.push('[');
        push_word(&mut details, label(speaker, tree));
        details.push(']');
        let mut headers = vec![(b"x-envoy-ratelimited".to_vec(), b"true".to_vec())];
        if let Wait::Nanos(nanos) = wait
            && self.retry
        {
            headers.push((b"retry-after".to_vec(), seconds(nanos).max(1).to_string().into_bytes()));
        }
        if let Some(quota) = self.quota(speaker, asked, tree) {
            headers.extend(quota.into_pairs().map(|(name, value)| (name.to_vec(), value)));
        }
        Reply { status: self.status, details, body: word.as_bytes().to_vec(), headers, grpc_status: self.grpc_status }
    }
}

/// One line for the access log; nothing where no limit was asked.
pub(crate) fn remark(decision: &Decision, tree: &Tree) -> Option<Vec<u8>> {
    let mut line = String::with_capacity(96);
    let mut number = itoa::Buffer::new();
    match decision {
        Decision::Unasked => return None,
        Decision::Refused(answer, wait) => {
            line.push_str("over_limit limit=");
            push_word(&mut line, label(answer, tree));
            line.push_str(" reason=");
            line.push_str(answer.reason.word());
            match wait {
                Wait::Unknown => {}
                Wait::Nanos(nanos) => {
                    line.push_str(" retry=");
                    line.push_str(number.format(seconds(*nanos).max(1)));
                }
                Wait::Forever => line.push_str(" retry=never"),
            }
        }
        Decision::Passes(answer) => {
            line.push_str("ok limit=");
            push_word(&mut line, label(answer, tree));
            match answer.standing {
                Some(_) if answer.reason == Reason::Full => line.push_str(" full"),
                Some(standing) => {
                    line.push_str(" remaining=");
                    line.push_str(number.format(standing.remaining));
                    line.push_str(" reset=");
                    line.push_str(number.format(seconds(standing.reset)));
                }
                // A limit in shadow mode that could not be asked.
                None => {
                    line.push(' ');
                    line.push_str(answer.reason.word());
                }
            }
        }
    }
    Some(line.into_bytes())
}

fn label<'t>(answer: &Answer, tree: &'t Tree) -> &'t str {
    tree.limits.get(answer.limit).map_or("", |limit| &limit.label)
}

/// Appends a name without white space, as response code details and log lines need it.
fn push_word(line: &mut String, name: &str) {
    line.extend(name.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }));
}

#[cfg(test)]
mod tests;
