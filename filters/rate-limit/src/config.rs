//! The filter's own document, as written. Everything wrong with it is reported at once, each with its path.

use crate::compiled::action::Item;
use crate::compiled::apply::ApplyRules;
use crate::compiled::limits::LimitTree;
use crate::decide::Charging;
use crate::decision::OnFull;
use crate::reply::ReplySettings;
use limit::{AlgorithmChoice, NamedAlgorithm};
use weir_config::proto_json::{flag, refuse};
use weir_config::{Common, Cursor, Fields, Value};
use weir_matching::PathParameters;
use weir_model::Node;

mod action;
mod allocation;
mod apply;
mod limit;
mod matcher;
mod status;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use limit::read as read_limits;

/// `maxKeys` if it is not given.
const KEYS: u32 = 65_536;

/// The greatest `maxKeys`.
const MOST_KEYS: u64 = 1 << 24;

/// All that a document says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    /// `rate_limits`.
    pub(crate) items: Vec<Item>,
    pub(crate) apply: ApplyRules,
    pub(crate) local: Local,
    pub(crate) reply: ReplySettings,
}

/// `local`: the limits, and how they count.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) tree: LimitTree,
    pub(crate) charging: Charging,
    pub(crate) on_full: OnFull,
}

/// Reads everything after the common fields.
#[inline(never)]
pub(crate) fn read(mut fields: Fields<'_>, common: Common, node: &Node) -> Option<Config> {
    let items = fields.take("rate_limits").map_or_else(Vec::new, |at| action::items(&at, node));
    let apply = fields.take("apply").map_or_else(Vec::new, |at| apply::read(&at, node));
    let parameters = PathParameters::of(flag(fields.take("ignorePathParameters"), false), node.envoy);
    let apply = ApplyRules::new(apply, parameters);
    for (field, why) in [
        ("virtual_hosts", "limits by route are not supported yet; use `rate_limits`"),
        ("global", "a limit service is not supported yet; use `local`"),
    ] {
        refuse(&mut fields, field, field, why);
    }
    let local = fields.require("local").and_then(|at| local(&at));
    let status = fields.take("rate_limited_status").map_or(Some(429), |at| status::status(&at));
    let exhausted = flag(fields.take("rate_limited_as_resource_exhausted"), false);
    let quota_headers = match fields.take("enable_x_ratelimit_headers") {
        Some(at) => at.word(&[("OFF", false), ("DRAFT_VERSION_03", true)]),
        None => Some(false),
    };
    let retry_after = flag(fields.take("retryAfter"), true);
    fields.finish();

    let grpc_status = exhausted.then_some(8);
    let reply = ReplySettings { status: status?, grpc_status, quota_headers: quota_headers?, retry_after };
    Some(Config { common, items, apply, local: local?, reply })
}

#[inline(never)]
fn local(at: &Cursor<'_>) -> Option<Local> {
    let mut fields = at.object()?;
    let config = fields.require("config");
    let mut algorithms = Vec::new();
    for (name, cursor) in fields.take("algorithms").and_then(|at| at.map()).unwrap_or_default() {
        let choice = algorithm(&cursor).unwrap_or(AlgorithmChoice::FixedWindow);
        algorithms.push(NamedAlgorithm { name, cursor, choice, is_used: false });
    }
    let charging = match fields.take("charge") {
        Some(at) => at.word(&[("all_or_nothing", Charging::AllOrNothing), ("reference", Charging::Reference)]),
        None => Some(Charging::AllOrNothing),
    };
    let max_keys = match fields.take("maxKeys") {
        Some(at) => at.integer(8, MOST_KEYS).and_then(|keys| u32::try_from(keys).ok()),
        None => Some(KEYS),
    };
    let on_full = match fields.take("onFull") {
        Some(at) => at.word(&[("allow", OnFull::Allow), ("deny", OnFull::Deny)]),
        None => Some(OnFull::Allow),
    };
    if let Some(at) = fields.take("position")
        && at.word(&[("after_policy", false), ("before_policy", true)]) == Some(true)
    {
        at.problem::<()>("limiting before policy is not supported yet");
    }
    fields.finish();
    let tree = limit::read(&config?, &mut algorithms, max_keys.unwrap_or(KEYS));
    Some(Local { tree: tree?, charging: charging?, on_full: on_full? })
}

/// `fixed_window`, `{fixed_window: {}}` or `{gcra: {burst: N}}`.
#[inline(never)]
fn algorithm(at: &Cursor<'_>) -> Option<AlgorithmChoice> {
    if matches!(at.value(), Value::String(_)) {
        return at.word(&[("fixed_window", AlgorithmChoice::FixedWindow)]);
    }
    let mut fields = at.object()?;
    let fixed = fields.take("fixed_window");
    let burst = fields.take("gcra").map(|at| {
        let mut fields = at.object()?;
        let burst = fields.require("burst").and_then(|at| at.integer(1, u64::from(u32::MAX)));
        fields.finish();
        burst.and_then(|burst| u32::try_from(burst).ok())
    });
    fields.finish();
    if let Some(at) = &fixed
        && let Some(fields) = at.object()
    {
        fields.finish();
    }
    match (fixed, burst) {
        (Some(_), None) => Some(AlgorithmChoice::FixedWindow),
        (None, Some(burst)) => Some(AlgorithmChoice::Gcra { burst: burst? }),
        _ => at.problem("expected `fixed_window` or `gcra`"),
    }
}
