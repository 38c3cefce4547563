//! Reading the filter's own document.

use super::RateLimit;
use crate::action;
use crate::algorithm::Algorithm;
use crate::apply::{self, Applies, Spare};
use crate::decide::{Charging, Judge};
use crate::descriptor::Descriptors;
use crate::meter::Meter;
use crate::read::{flag, refuse};
use crate::status;
use crate::table::Table;
use crate::told::Told;
use crate::tree::{self, Algorithms, Tree};
use weir_config::{Cursor, Fields, Mode};
use weir_model::{Attribute, Demand, Node};

/// Places for keys if nothing is configured, and the most that can be.
const KEYS: u32 = 65_536;
const MOST_KEYS: u64 = 1 << 24;

/// Reads `mode`.
pub(super) fn mode(fields: &mut Fields<'_>, default: Mode) -> Option<Mode> {
    let words = [Mode::Off, Mode::Observe, Mode::Shadow, Mode::Enforce].map(|mode| (mode.word(), mode));
    match fields.take("mode") {
        Some(at) => at.word(&words),
        None => Some(default),
    }
}

/// Reads everything after `schema`, `name` and `mode`.
pub(super) fn read(mut fields: Fields<'_>, name: &str, mode: Mode, node: &Node) -> Option<RateLimit> {
    let items = fields.take("rate_limits").map_or_else(Vec::new, |at| action::items(&at, node));
    let apply = fields.take("apply").map_or_else(Vec::new, |at| apply::read(&at, node));
    let apply = Applies::new(apply, flag(fields.take("ignorePathParameters"), false));
    for (field, why) in [
        ("virtual_hosts", "limits by route are not supported yet; use `rate_limits`"),
        ("global", "a limit service is not supported yet; use `local`"),
    ] {
        refuse(&mut fields, field, field, why);
    }
    let local = fields.require("local").and_then(|at| local(&at));
    let status = fields.take("rate_limited_status").map_or(Some(429), |at| status::status(&at));
    let exhausted = flag(fields.take("rate_limited_as_resource_exhausted"), false);
    let quota = match fields.take("enable_x_ratelimit_headers") {
        Some(at) => at.word(&[("OFF", false), ("DRAFT_VERSION_03", true)]),
        None => Some(false),
    };
    let retry = flag(fields.take("retryAfter"), true);
    fields.finish();

    let (tree, judge) = local?;
    let told = Told { status: status?, grpc_status: exhausted.then_some(8), quota: quota?, retry };
    let mut request = Demand::idle();
    let mut response = Demand::idle();
    if mode != Mode::Off {
        request = Demand::default();
        for algorithm in tree.limits.iter().filter_map(|limit| limit.algorithm) {
            match algorithm {
                // Windows are numbered by the monotonic clock; the other one is needed once, to begin where it says.
                Algorithm::FixedWindow { .. } => request.steady_wall_clock = true,
                Algorithm::Gcra { .. } => request.monotonic_clock = true,
            }
        }
        // The sidecar's two listeners may share this configuration, and each has limits of its own.
        if !(items.is_empty() && apply.is_empty()) && node.id.starts_with("sidecar~") {
            request.attributes.insert(Attribute::ListenerDirection);
        }
        for item in &items {
            item.demand(&mut request);
        }
        apply.demand(&mut request);
        response.idle = !(told.quota && mode == Mode::Enforce);
    }
    Some(RateLimit {
        mode,
        items,
        apply,
        tree,
        told,
        judge,
        table: Table::new(name),
        meter: Meter::new(name, if mode == Mode::Enforce { "enforced" } else { "shadow" }),
        descriptors: Descriptors::default(),
        spare: Vec::new(),
        apply_spare: Spare::default(),
        request,
        response,
        idle: Demand::idle(),
    })
}

fn local(at: &Cursor<'_>) -> Option<(Tree, Judge)> {
    let mut fields = at.object()?;
    let config = fields.require("config");
    let mut algorithms: Algorithms<'_> = Vec::new();
    for (name, at) in fields.take("algorithms").and_then(|at| at.map()).unwrap_or_default() {
        let burst = algorithm(&at);
        algorithms.push((name, at, burst.flatten(), false));
    }
    let charging = match fields.take("charge") {
        Some(at) => at.word(&[("all_or_nothing", Charging::AllOrNothing), ("reference", Charging::Reference)]),
        None => Some(Charging::AllOrNothing),
    };
    let max_keys = match fields.take("maxKeys") {
        Some(at) => at.integer(8, MOST_KEYS).and_then(|keys| u32::try_from(keys).ok()),
        None => Some(KEYS),
    };
    let deny_full = match fields.take("onFull") {
        Some(at) => at.word(&[("allow", false), ("deny", true)]),
        None => Some(false),
    };
    if let Some(at) = fields.take("position")
        && at.word(&[("after_policy", false), ("before_policy", true)]) == Some(true)
    {
        at.problem::<()>("limiting before policy is not supported yet");
    }
    fields.finish();
    let tree = tree::read(&config?, &mut algorithms, max_keys.unwrap_or(KEYS));
    Some((tree?, Judge::new(charging?, deny_full?)))
}

/// `fixed_window`, `{fixed_window: {}}` or `{gcra: {burst: N}}`; the burst of the last.
fn algorithm(at: &Cursor<'_>) -> Option<Option<u32>> {
    if matches!(at.value(), weir_config::Value::String(_)) {
        return at.word(&[("fixed_window", None)]);
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
        (Some(_), None) => Some(None),
        (None, Some(burst)) => Some(Some(burst?)),
        _ => at.problem("expected `fixed_window` or `gcra`"),
    }
}

#[cfg(test)]
mod tests;
