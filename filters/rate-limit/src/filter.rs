//! The filter: one request through actions, limits and table, and what clients and operators get to see of it.

use crate::compiled::action::Item;
use crate::compiled::apply::{ApplyRules, Scratch};
use crate::compiled::limits::LimitTree;
use crate::config::{self, Config, Local};
use crate::decide::Limiter;
use crate::decision::Decision;
use crate::demand::Demands;
use crate::descriptor::Descriptors;
use crate::filter_state;
use crate::metrics::Metrics;
use crate::quota_headers::QuotaHeaders;
use crate::reply::ReplySettings;
use crate::table::Table;
use std::time::Duration;
use weir_config::{AccessLogState, Common, Cursor, Mode, read_document};
use weir_model::{
    Attribute, CallId, Callbacks, Demand, Direction, Edits, Expression, Facts, Filter, HeaderEdit, Io, Need, Node,
    Phase, Problems, Resumption, Verdict, Warning,
};

#[cfg(test)]
mod tests;

/// The rate limit filter: a compiled configuration and what one VM remembers.
///
/// Limits hold for all workers of the proxy together: their counts are in [`weir_model::Cells`]. The configuration alone
/// bounds the number of cells.
///
/// Of three requests of one user two pass, and another user has a count of its own:
///
/// ```
/// # use weir_model::{Attributes, Edits, Effects, Facts, Filter, Headers, Io, MemoryCells, Node, Now, PairsBuilder, Verdict};
/// # use weir_rate_limit::{RateLimit, Stream};
/// # fn request(filter: &mut RateLimit, cells: &mut MemoryCells, user: &str, second: u64) -> Verdict {
/// #     let headers = PairsBuilder::default().push(b"x-user", user.as_bytes()).finish();
/// #     let (none, attributes) = (Headers::default(), Attributes::default());
/// #     let request_headers = Headers::new(&headers);
/// #     let facts = Facts { request_headers, response_headers: none, response_trailers: none, attributes: &attributes };
/// #     let now = Now { wall_nanos: second * 1_000_000_000, mono_nanos: second * 1_000_000_000 };
/// #     let mut effects = Effects::default();
/// #     filter.request(&mut Stream::default(), &facts, &mut Edits::default(), &mut Io::new(now, cells, &mut effects))
/// # }
/// let two_a_minute = br#"{
///   "schema": 1, "name": "edge",
///   "rate_limits": [{"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}],
///   "local": {"config": {"domain": "edge", "descriptors": [
///     {"key": "user", "rate_limit": {"name": "per-user", "unit": "minute", "requests_per_unit": 2}}]}}}"#;
/// let mut filter = RateLimit::compile(two_a_minute, &Node::default()).unwrap();
/// let mut cells = MemoryCells::default();
///
/// assert_eq!(request(&mut filter, &mut cells, "ann", 30), Verdict::Continue);
/// assert_eq!(request(&mut filter, &mut cells, "ann", 40), Verdict::Continue);
/// let Verdict::Reply(reply) = request(&mut filter, &mut cells, "ann", 50) else { panic!() };
/// assert_eq!((reply.status, reply.details.as_str()), (429, "local_rate_limited[per-user]"));
/// assert!(reply.headers.contains(&(b"retry-after".to_vec(), b"10".to_vec())));
/// assert_eq!(request(&mut filter, &mut cells, "bob", 50), Verdict::Continue);
/// assert_eq!(request(&mut filter, &mut cells, "ann", 60), Verdict::Continue);
/// ```
///
/// Two workers are two filters over the same cells, and have one count:
///
/// ```
/// # use weir_model::{Attributes, Edits, Effects, Facts, Filter, Headers, Io, MemoryCells, Node, Now, Verdict};
/// # use weir_rate_limit::{RateLimit, Stream};
/// # fn request(filter: &mut RateLimit, cells: &mut MemoryCells) -> Verdict {
/// #     let (none, attributes) = (Headers::default(), Attributes::default());
/// #     let facts =
/// #         Facts { request_headers: none, response_headers: none, response_trailers: none, attributes: &attributes };
/// #     let mut effects = Effects::default();
/// #     filter.request(&mut Stream::default(), &facts, &mut Edits::default(), &mut Io::new(Now::default(), cells, &mut effects))
/// # }
/// let one_a_day = br#"{
///   "schema": 1, "name": "edge",
///   "rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "all"}}]}],
///   "local": {"config": {"domain": "edge", "descriptors": [
///     {"key": "generic_key", "value": "all", "rate_limit": {"unit": "day", "requests_per_unit": 1}}]}}}"#;
/// let mut workers = [(); 2].map(|()| RateLimit::compile(one_a_day, &Node::default()).unwrap());
/// let mut cells = MemoryCells::default();
///
/// assert_eq!(request(&mut workers[0], &mut cells), Verdict::Continue);
/// assert!(matches!(request(&mut workers[1], &mut cells), Verdict::Reply(_)));
/// ```
///
/// By default a refused request counts nowhere. Here the limit per user refuses, so the total loses nothing:
///
/// ```
/// # use weir_model::{Attributes, Edits, Effects, Facts, Filter, Headers, Io, MemoryCells, Node, Now, PairsBuilder, Verdict};
/// # use weir_rate_limit::{RateLimit, Stream};
/// # fn passes(filter: &mut RateLimit, cells: &mut MemoryCells, user: &str) -> bool {
/// #     let headers = PairsBuilder::default().push(b"x-user", user.as_bytes()).finish();
/// #     let (none, attributes) = (Headers::default(), Attributes::default());
/// #     let request_headers = Headers::new(&headers);
/// #     let facts = Facts { request_headers, response_headers: none, response_trailers: none, attributes: &attributes };
/// #     let mut effects = Effects::default();
/// #     let mut io = Io::new(Now::default(), cells, &mut effects);
/// #     filter.request(&mut Stream::default(), &facts, &mut Edits::default(), &mut io) == Verdict::Continue
/// # }
/// let one_each_three_in_all = br#"{
///   "schema": 1, "name": "edge",
///   "rate_limits": [
///     {"actions": [{"generic_key": {"descriptor_value": "all"}}]},
///     {"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}],
///   "local": {"config": {"domain": "edge", "descriptors": [
///     {"key": "generic_key", "value": "all", "rate_limit": {"unit": "hour", "requests_per_unit": 3}},
///     {"key": "user", "rate_limit": {"unit": "hour", "requests_per_unit": 1}}]}}}"#;
/// let mut filter = RateLimit::compile(one_each_three_in_all, &Node::default()).unwrap();
/// let mut cells = MemoryCells::default();
///
/// let users = ["ann", "ann", "ann", "bob", "cid", "dan"];
/// let passed = users.map(|user| passes(&mut filter, &mut cells, user));
/// assert_eq!(passed, [true, false, false, true, true, false]);
/// ```
#[derive(Debug)]
pub struct RateLimit {
    mode: Mode,
    access_log_state: AccessLogState,
    /// `None` if each stream is asked for it.
    listener: Option<Direction>,
    items: Vec<Item>,
    apply: ApplyRules,
    tree: LimitTree,
    reply: ReplySettings,
    limiter: Limiter,
    table: Table,
    metrics: Metrics,
    descriptors: Descriptors,
    scratch: Vec<u8>,
    apply_scratch: Scratch,
    demands: Demands,
}

/// What is remembered about one stream: the headers that its response gets.
#[derive(Debug, Default)]
pub struct Stream {
    quota: Option<QuotaHeaders>,
}

impl RateLimit {
    /// Reads the limits as a section of a larger document, `whole`. Problems go where `at` sends them; the answer is `None`
    /// if there is one that leaves nothing to run.
    #[inline(never)]
    pub fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let common = whole.of_section(&mut fields);
        config::read(fields, common, node).map(|config| Self::new(config, node))
    }

    #[inline(never)]
    fn new(config: Config, node: &Node) -> Self {
        let demands = Demands::new(&config, node);
        let Config { common, items, apply, local: Local { tree, charging, on_full }, reply } = config;
        let Common { name, mode, access_log_state, listener } = common;
        Self {
            mode,
            access_log_state,
            listener,
            items,
            apply,
            tree,
            reply,
            limiter: Limiter::new(charging, on_full),
            table: Table::new(&name),
            metrics: Metrics::new(&name, if mode == Mode::Enforce { "enforced" } else { "shadow" }),
            descriptors: Descriptors::default(),
            scratch: Vec::new(),
            apply_scratch: Scratch::default(),
            demands,
        }
    }
}

impl Filter for RateLimit {
    const CALLBACKS: Callbacks = Callbacks { response: Need::Some, ..Callbacks::NONE };

    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            config::read(fields, common, node).map(|config| Self::new(config, node))
        })
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, phase: Phase) -> &Demand {
        self.demands.of(phase)
    }

    fn expressions(&self) -> Vec<Expression> {
        Vec::new()
    }

    fn holds_back(&self) -> bool {
        false
    }

    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        if self.mode == Mode::Off {
            return Verdict::Continue;
        }
        self.descriptors.clear();
        for item in &self.items {
            item.describe(facts, &mut self.descriptors, &mut self.scratch);
        }
        let (one, other) = self.apply.first_match(&facts.request_headers, &mut self.apply_scratch);
        for apply in one.into_iter().chain(other) {
            apply.describe(facts, &mut self.descriptors, &mut self.scratch);
        }
        let read = || Direction::of(facts.attributes.int(&Attribute::ListenerDirection));
        self.table.set_direction(self.listener.unwrap_or_else(read));
        let decision = self.limiter.decide(&self.tree, &self.descriptors, &mut self.table, io.cells, io.now);

        self.metrics.request(io.effects, decision.refuses());
        for decision in &self.limiter.decisions {
            self.metrics.decision(io.effects, decision, self.tree.label(decision.limit));
        }
        self.metrics.table_events(io.effects, self.table.take_events());
        if self.mode != Mode::Observe
            && self.access_log_state.keeps(decision.refuses())
            && let Some(record) = filter_state::record(&decision, &self.tree)
        {
            edits.filter_state.push(("weir.rate_limit", record));
        }
        if self.mode != Mode::Enforce {
            return Verdict::Continue;
        }
        match decision {
            Decision::Refused(by, refusal) => {
                Verdict::Reply(Box::new(self.reply.reply(&by, refusal, &self.limiter.decisions, &self.tree)))
            }
            Decision::Allowed(by) => {
                stream.quota = self.reply.quota_headers(&by, &self.limiter.decisions, &self.tree);
                Verdict::Continue
            }
            Decision::NoLimit => Verdict::Continue,
        }
    }

    // This filter makes no callouts.
    fn called(&mut self, _: CallId, _: weir_model::Answer<'_>, _: &mut Io<'_>) {}

    fn resume(&mut self, _: &mut Stream, _: Resumption, _: &mut Edits, _: &mut Io<'_>) -> Verdict {
        Verdict::Continue
    }

    fn gone(&mut self, _: &mut Stream, _: &mut Io<'_>) {}

    fn response(&mut self, stream: &mut Stream, _: &Facts<'_>, edits: &mut Edits, _: &mut Io<'_>) {
        if let Some(quota) = stream.quota.take() {
            let added = quota.into_pairs().map(|(name, value)| HeaderEdit::Add(name.to_vec(), value));
            edits.response_headers.extend(added);
        }
    }

    fn end(&mut self, _: &mut Stream, _: Phase, _: &Facts<'_>, _: &mut Io<'_>) {}

    fn tick(&mut self, _: &mut Io<'_>) {}

    fn finish(&mut self, _: &mut Io<'_>) {}
}
