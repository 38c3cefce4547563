//! CUSTOM policies: what they match, a provider is asked about before DENY and ALLOW policies decide.
//!
//! A request that is asked about is held, and what the other policies look at is kept: they decide on the request as the
//! provider has edited it, as in Istio, where RBAC stands behind ext_authz. Where nothing is refused (mode shadow) the request
//! goes on at once, and the decision is counted when the answer comes.
//!
//! A workload has one provider. Istio, as it is set up by default, refuses what CUSTOM policies match if they name several, or
//! one that is not there; so does this.

mod answer;
pub(crate) mod check;
mod format;
mod metrics;
pub(crate) mod provider;
mod query;

pub(crate) use answer::{Change, Consulted, Failure, edits};

use crate::compiled::{Compiled, Enforcement};
use crate::config::object::{Action, Object};
use crate::decide::{Found, KeptDecided, Results};
use crate::metrics::DecisionMode;
use metrics::CallMetrics;
use provider::{Provider, Providers};
use weir_metrics::SeriesIds;
use weir_model::{Answer, Attribute, CallId, Demand, Effects, Expression, Facts, Io, Kept, Reply, SortedMap};
use weir_proto::value::Kind;
use weir_proto::{Field, FilterMetadata, MetadataMessage, StructMessage, Value};

/// How many checks of one VM may be without an answer.
const PENDING: usize = 1024;

/// How many bytes of requests may be kept for them.
const KEPT_BYTES: usize = 16 << 20;

/// The providers that CUSTOM policies ask, and what is under way.
#[derive(Debug)]
pub(crate) struct Custom {
    asked: Asked,
    direct_address: Option<Attribute>,
    calls: CallMetrics,
    /// In the order in which they were sent.
    pending: Vec<Pending>,
    kept_bytes: usize,
}

/// The providers that the policies name.
#[derive(Debug)]
enum Asked {
    Provider(Box<Provider>),
    /// Not one provider that is there: what each policy names, by its namespace and name.
    Nowhere(SortedMap<(Box<str>, Box<str>), Box<str>>),
}

/// A check without an answer, or whose answer waits for its request.
#[derive(Debug)]
pub(crate) struct Pending {
    call: CallId,
    /// The number of the rule that asks.
    pub(crate) rule: u32,
    /// On the monotonic clock, in nanoseconds.
    asked_at: u64,
    pub(crate) kept: Box<Kept>,
    /// What records have besides, of a request that is not held.
    pub(crate) late: Option<Box<Kept>>,
    /// What the policies say of the request as it came.
    pub(crate) found: KeptDecided,
    /// What expressions have come to.
    pub(crate) results: Results,
    /// What the decision is for: the request is held if it is enforced.
    pub(crate) decided: DecisionMode,
    pub(crate) consulted: Option<Consulted>,
    /// The metadata of the answer.
    pub(crate) metadata: Option<StructMessage>,
}

/// What happens to a request that CUSTOM policies match.
#[derive(Debug)]
pub(crate) enum Asking {
    /// Its decision waits for this callout.
    Sent(CallId),
    /// It is decided now, by what the policies say of it.
    Settled(Consulted, KeptDecided),
}

/// Under which name Envoy's own filter leaves the metadata of an answer.
const EXT_AUTHZ: &str = "envoy.filters.http.ext_authz";

/// What Envoy's own filter adds to it where the request is allowed: how long the check took, in milliseconds.
const DURATION: &str = "ext_authz_duration";

/// The longest text of an answer's metadata that is left for the access log.
const METADATA_BYTES: usize = 64 << 10;

impl Pending {
    /// Has the rules see the metadata of the answer, if they look at metadata, and returns it as JSON for the access log.
    #[inline(never)]
    pub(crate) fn take_metadata(&mut self, is_seen: bool) -> Option<String> {
        let fields = self.metadata.take()?;
        if is_seen {
            let entry = FilterMetadata { key: EXT_AUTHZ.to_owned(), value: Some(fields.clone()) };
            let entry = weir_proto::encode(&MetadataMessage { filter_metadata: vec![entry] });
            self.kept.append(&Attribute::DynamicMetadata, &entry);
        }
        Some(weir_proto::to_json(&weir_proto::plain_struct(fields))).filter(|text| text.len() <= METADATA_BYTES)
    }
}

impl Pending {
    /// How many bytes of a request are kept.
    fn bytes(&self) -> usize {
        self.kept.bytes().saturating_add(self.late.as_ref().map_or(0, |late| late.bytes()))
    }
}

impl Custom {
    /// What the CUSTOM policies among `objects` need; `None` if there are none.
    #[inline(never)]
    pub(crate) fn new(
        plugin: &str,
        objects: &[Object],
        mut providers: Providers,
        direct_address: Option<&str>,
        ids: &SeriesIds,
    ) -> Option<Self> {
        let custom = || objects.iter().filter(|object| object.action == Action::Custom);
        let name = custom().next()?.provider.clone()?;
        let is_one = custom().all(|object| object.provider.as_ref() == Some(&name));
        let asked = match providers.remove(&*name).filter(|_| is_one) {
            Some(provider) => Asked::Provider(Box::new(provider)),
            None => {
                let named = |object: &Object| {
                    let policy = (object.namespace.as_str().into(), object.name.as_str().into());
                    (policy, object.provider.clone().unwrap_or_default())
                };
                Asked::Nowhere(custom().map(named).collect())
            }
        };
        Some(Self {
            asked,
            direct_address: direct_address.map(|key| Attribute::FilterState(key.into())),
            calls: CallMetrics::new(plugin, &name, ids),
            pending: Vec::new(),
            kept_bytes: 0,
        })
    }

    /// The name of the provider that is asked; `None` if the policies do not name one that is there.
    pub(crate) fn asked(&self) -> Option<&str> {
        self.provider().map(|_| self.calls.provider())
    }

    /// What a provider's answer comes to depends on: equal where it is the same of two sets of policies.
    pub(crate) fn content(&self) -> String {
        format!("{:?}", (self.asked(), self.provider()))
    }

    fn provider(&self) -> Option<&Provider> {
        match &self.asked {
            Asked::Provider(provider) => Some(provider),
            Asked::Nowhere(_) => None,
        }
    }

    /// What asking reads of a request besides what the rules do.
    pub(crate) fn demand(&self) -> Demand {
        let mut demand = Demand::default();
        if let Some(provider) = self.provider() {
            demand.request_headers = true;
            demand.monotonic_clock = true;
            demand.wall_clock = provider.is_grpc();
            demand.attributes.extend(check::attributes(provider, self.direct_address.as_ref()));
        }
        demand
    }

    /// Whether what the provider answers may change responses, and what that reads of them.
    pub(crate) fn response_demand(&self) -> Demand {
        match self.provider() {
            Some(provider) if provider.may_edit_responses() => {
                Demand { response_headers: provider.is_grpc(), ..Demand::default() }
            }
            _ => Demand::idle(),
        }
    }

    pub(crate) fn expressions(&self) -> Vec<Expression> {
        self.provider().map(check::expressions).unwrap_or_default()
    }

    /// Whether a provider may be asked at all.
    pub(crate) fn may_ask(&self) -> bool {
        self.provider().is_some() && self.pending.len() < PENDING
    }

    /// Asks about the request of `facts`, on which `found` is what the policies say, and `results` what expressions have come
    /// to. It is the last time that the host shows the request.
    #[inline(never)]
    pub(crate) fn ask(
        &mut self,
        (rule, decided): (u32, DecisionMode),
        (found, results): (KeptDecided, Results),
        facts: &Facts<'_>,
        io: &mut Io<'_>,
    ) -> Asking {
        let Asked::Provider(provider) = &self.asked else {
            return Asking::Settled(Consulted::failed(Failure::NoProvider), found);
        };
        let kept = Kept::new(facts);
        let bytes = kept.bytes();
        let is_full = self.pending.len() >= PENDING || self.kept_bytes.saturating_add(bytes) > KEPT_BYTES;
        let callout = match is_full {
            true => Err(Failure::Overload),
            false => check::callout(provider, self.direct_address.as_ref(), facts, io).map_err(|_| Failure::NotSent),
        };
        match callout {
            Ok(callout) => {
                let call = io.effects.call(callout);
                let pending = Pending {
                    call,
                    rule,
                    asked_at: io.now.mono_nanos,
                    kept: Box::new(kept),
                    late: None,
                    found,
                    results,
                    decided,
                    consulted: None,
                    metadata: None,
                };
                self.kept_bytes = self.kept_bytes.saturating_add(bytes);
                self.pending.push(pending);
                Asking::Sent(call)
            }
            Err(failure) => {
                let consulted = Consulted::failed(failure);
                self.calls.count(consulted.word(), io.effects);
                Asking::Settled(consulted, found)
            }
        }
    }

    /// Takes the answer to a check. Returns the check if its request is not held: it is decided now.
    #[inline(never)]
    pub(crate) fn answered(
        &mut self,
        id: CallId,
        answer: Answer<'_>,
        now: u64,
        effects: &mut Effects,
    ) -> Option<Pending> {
        let Asked::Provider(provider) = &self.asked else { return None };
        let Provider { protocol, timeout_millis, .. } = &**provider;
        let pending = self.pending.iter_mut().find(|pending| pending.call == id)?;
        let elapsed = now.saturating_sub(pending.asked_at);
        let (consulted, mut metadata) = Consulted::of(protocol, *timeout_millis, answer, elapsed);
        if let (Consulted::Allowed(_), Some(metadata)) = (&consulted, &mut metadata) {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds up to 25 days")]
            let millis = Kind::Number((elapsed / 1_000_000) as f64);
            metadata.fields.push(Field { key: DURATION.to_owned(), value: Some(Value { kind: Some(millis) }) });
        }
        self.calls.count(consulted.word(), effects);
        pending.consulted = Some(consulted);
        pending.metadata = metadata;
        if pending.decided == DecisionMode::Enforced { None } else { self.take(id) }
    }

    /// Keeps what records have of a request that is not held.
    pub(crate) fn keep_late(&mut self, id: CallId, late: Kept) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.call == id) {
            self.kept_bytes = self.kept_bytes.saturating_add(late.bytes());
            pending.late = Some(Box::new(late));
        }
    }

    /// Takes out a check whose request goes on to be decided, or is gone.
    pub(crate) fn take(&mut self, id: CallId) -> Option<Pending> {
        let pending = self.pending.extract_if(.., |pending| pending.call == id).next()?;
        self.kept_bytes = self.kept_bytes.saturating_sub(pending.bytes());
        Some(pending)
    }

    /// Counts a check whose request may not wait for its answer.
    pub(crate) fn overloaded(&mut self, effects: &mut Effects) -> Consulted {
        let consulted = Consulted::failed(Failure::Overload);
        self.calls.count(consulted.word(), effects);
        consulted
    }

    /// The answer to a request that the provider could not be asked about; `None` if it passes.
    #[inline(never)]
    pub(crate) fn refusal(
        &self,
        compiled: &Compiled,
        rule: u32,
        failure: Failure,
        said: Option<Box<Reply>>,
    ) -> Option<Box<Reply>> {
        match &self.asked {
            _ if failure == Failure::Invalid => {
                Some(Box::new(Reply { status: 500, details: "ext_authz_invalid".to_owned(), ..Reply::default() }))
            }
            Asked::Provider(provider) if provider.fail_open => None,
            Asked::Provider(provider) => {
                let mut reply = said.unwrap_or_default();
                if reply.status == 0 {
                    reply.status = provider.status_on_error;
                }
                reply.details = "ext_authz_error".to_owned();
                Some(reply)
            }
            Asked::Nowhere(policies) => {
                let rule = compiled.rule_name(rule);
                let named = |rule: &crate::RuleName<'_>| {
                    let policy: (Box<str>, Box<str>) = (rule.namespace.into(), rule.policy.into());
                    policies.get(&policy)
                };
                let provider = rule.as_ref().and_then(named).map_or("", |name| &**name);
                Some(Box::new(Reply {
                    status: 403,
                    details: rule.map(|rule| rule.bad_custom_details(provider)).unwrap_or_default(),
                    body: crate::filter::REFUSED.to_vec(),
                    ..Reply::default()
                }))
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.pending.len(), self.kept_bytes)
    }
}

/// The number of the rule that asks a provider, if one does. One that may match asks too.
pub(crate) fn asking(compiled: &Compiled, found: &[Found]) -> Option<u32> {
    let (section, found) = compiled.sections.iter().zip(found).next()?;
    let is_custom = section.action == Action::Custom && section.enforcement == Enforcement::Enforced;
    let Found { matched, undecided } = is_custom.then_some(found)?;
    matched.or(undecided.map(|undecided| undecided.rule))
}
