//! The filter state record of a decision: one line for the access log.

use crate::algorithm::Retry;
use crate::compiled::limits::LimitTree;
use crate::decision::{Decision, Reason};
use crate::quota_headers::seconds;
use crate::reply::push_word;

/// The record; `None` where no limit was asked.
#[inline(never)]
pub(crate) fn record(decision: &Decision, tree: &LimitTree) -> Option<Vec<u8>> {
    let mut line = String::with_capacity(96);
    let mut number = itoa::Buffer::new();
    match decision {
        Decision::NoLimit => return None,
        Decision::Refused(by, refusal) => {
            line.push_str("over_limit limit=");
            push_word(&mut line, tree.label(by.limit));
            line.push_str(" reason=");
            line.push_str(by.reason.word());
            match refusal.retry {
                None => {}
                Some(Retry::After(nanos)) => {
                    line.push_str(" retry=");
                    line.push_str(number.format(seconds(nanos).max(1)));
                }
                Some(Retry::Never) => line.push_str(" retry=never"),
            }
        }
        Decision::Allowed(by) => {
            line.push_str("ok limit=");
            push_word(&mut line, tree.label(by.limit));
            match by.quota {
                Some(quota) if by.reason != Reason::Full => {
                    line.push_str(" remaining=");
                    line.push_str(number.format(quota.remaining));
                    line.push_str(" reset=");
                    line.push_str(number.format(seconds(quota.reset_nanos)));
                }
                // An unlimited limit, a full set, or a limit in shadow mode that could not be asked.
                Some(_) | None => {
                    line.push(' ');
                    line.push_str(by.reason.word());
                }
            }
        }
    }
    Some(line.into_bytes())
}
