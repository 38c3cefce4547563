//! What clients get: the reply to a refused request, and the `x-ratelimit-*` headers of any other.

use crate::algorithm::Retry;
use crate::compiled::limits::LimitTree;
use crate::decision::{LimitDecision, Refusal};
use crate::quota_headers::{QuotaHeaders, QuotaPolicy, seconds};
use weir_model::Reply;

/// How clients are answered, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplySettings {
    /// The status of a refusal.
    pub(crate) status: u16,
    /// Its gRPC status, if it is not the one that Envoy makes of the HTTP status.
    pub(crate) grpc_status: Option<u32>,
    /// Whether there are `x-ratelimit-*` headers.
    pub(crate) quota_headers: bool,
    /// Whether there is a `retry-after` header.
    pub(crate) retry_after: bool,
}

impl ReplySettings {
    /// The `x-ratelimit-*` headers: what is left of the limit that decided, and the quota policies of all limits that were
    /// asked. None where they are not configured, or where what is left is not known.
    pub(crate) fn quota_headers(
        &self,
        by: &LimitDecision,
        decisions: &[LimitDecision],
        tree: &LimitTree,
    ) -> Option<QuotaHeaders> {
        let quota = by.quota.filter(|_| self.quota_headers)?;
        let limits = decisions.iter().filter_map(|decision| tree.limits.get(decision.limit));
        let policies = limits.filter(|limit| limit.algorithm.is_some()).map(|limit| QuotaPolicy {
            requests: limit.requests,
            seconds: Some(limit.seconds),
            name: limit.name.as_deref().unwrap_or_default(),
        });
        let at_once = tree.limits.get(by.limit)?.algorithm?.at_once();
        Some(QuotaHeaders::new(at_once, quota.remaining, seconds(quota.reset_nanos), policies))
    }

    /// The reply to a request that a limit refuses.
    #[inline(never)]
    pub(crate) fn reply(
        &self,
        by: &LimitDecision,
        refusal: Refusal,
        decisions: &[LimitDecision],
        tree: &LimitTree,
    ) -> Reply {
        let mut details = String::with_capacity(96);
        details.push_str(refusal.body);
        details.push('[');
        push_word(&mut details, tree.label(by.limit));
        details.push(']');
        let mut headers = vec![(b"x-envoy-ratelimited".to_vec(), b"true".to_vec())];
        if let Some(Retry::After(nanos)) = refusal.retry
            && self.retry_after
        {
            headers.push((b"retry-after".to_vec(), seconds(nanos).max(1).to_string().into_bytes()));
        }
        if let Some(quota) = self.quota_headers(by, decisions, tree) {
            headers.extend(quota.into_pairs().map(|(name, value)| (name.to_vec(), value)));
        }
        let body = refusal.body.as_bytes().to_vec();
        Reply { status: self.status, details, body, headers, grpc_status: self.grpc_status }
    }
}

/// Appends a name without white space, as response code details and log lines need it.
pub(crate) fn push_word(line: &mut String, name: &str) {
    line.extend(name.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }));
}

#[cfg(test)]
mod tests;
