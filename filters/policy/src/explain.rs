//! One decision explained: which policies and rules were considered, what each clause says, and what was decided.
//!
//! It comes out of the compiled form and the evaluation that decide. The texts of values and the values of the request are
//! added for a reader: the first from the document, the second from what the evaluation is handed. No filter calls this.

mod answer;
mod considered;
mod field;
mod inside;
mod missing;
mod shown;
mod verdict;

pub use crate::decide::Outcome;
pub use answer::{Answer, Answers, Shadow};
pub use field::RequestField;
pub use missing::{CelOutcome, Knowledge, Missing};
pub(crate) use verdict::hash;
pub use verdict::{MissingSet, Verdict, VerdictId};

use crate::compiled::Compiled;
use crate::config::object::Object;
use crate::config::written;
use crate::config::{Document, Reading, http_only};
use crate::decide::decide;
use crate::decision::Decisions;
use crate::{Policy, Protocol, filter, tcp};
use answer::Judge;
use considered::Considered;
use shown::Compared;
use std::collections::BTreeMap;
use verdict::Verdicts;
use weir_config::{Common, Mode, read_document};
use weir_model::{Attribute, Facts, Node, Problems};

/// The policies of a workload, ready to answer for many requests.
///
/// A request to `/admin` is refused, and the explanation has the clause that holds. Where the path is not known, the answer
/// hangs on it:
///
/// ```
/// use weir_model::{Attributes, Facts, Headers, Node, PairsBuilder};
/// use weir_policy::{Explainer, Missing, Outcome, RequestField};
///
/// let document = br#"{"schema": 1, "name": "cart", "workload": {"namespace": "shop", "labels": {}}, "policies": [
///     {"kind": "AuthorizationPolicy", "metadata": {"name": "no-admin", "namespace": "shop"},
///      "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/admin"]}}]}]}}]}"#;
/// let mut explainer = Explainer::compile(document, &Node::default())?;
///
/// let headers = PairsBuilder::default().push(b":path", b"/admin?x").finish();
/// let none = Headers::default();
/// let facts = Facts {
///     request_headers: Headers::new(&headers),
///     response_headers: none,
///     response_trailers: none,
///     attributes: &Attributes::default(),
/// };
/// let explanation = explainer.explain(&facts, &Missing::default());
/// assert_eq!(explanation.answers.enforced.allow, Some(false));
/// let clause = &explanation.policies[0].rules[0].parts[0].items[0].clauses[0];
/// assert_eq!((clause.field, clause.outcome, clause.compared.as_slice()), ("paths", Outcome::Yes, &["/admin".to_owned()][..]));
///
/// let missing = explainer.missing(|field| *field == RequestField::Path);
/// let answer = explainer.answers(&facts, &missing).enforced;
/// assert_eq!((answer.allow, answer.missing), (None, vec![RequestField::Path]));
/// # Ok::<(), weir_model::Problems>(())
/// ```
#[derive(Debug)]
pub struct Explainer {
    policy: Policy,
    name: String,
    objects: Vec<Considered>,
    /// What rules look at, by dimension.
    looked_at: Vec<(u16, RequestField)>,
    direct_address: Option<Attribute>,
    peer_uri_sans: Option<Attribute>,
    verdicts: Verdicts,
    /// A number for what each rule asks, by the rule's own: equal rules have the same.
    contents: Vec<u64>,
}

/// What was considered, and what came of it.
#[derive(Clone, Debug)]
pub struct Explanation<'e> {
    /// What the policies say.
    pub answers: Answers<'e>,
    /// Every policy that is for the workload, in the order of the document.
    pub policies: Vec<PolicyOutcome<'e>>,
}

/// One policy.
#[derive(Clone, Debug)]
pub struct PolicyOutcome<'e> {
    /// Its namespace.
    pub namespace: &'e str,
    /// Its name.
    pub name: &'e str,
    /// `ALLOW`, `DENY`, `CUSTOM` or `AUDIT`; the last changes no decision.
    pub action: &'static str,
    /// Whether it is under dry run.
    pub dry_run: bool,
    /// Its rules in their order.
    pub rules: Vec<RuleOutcome<'e>>,
}

/// One rule: it holds if all of its parts do.
#[derive(Clone, Debug)]
pub struct RuleOutcome<'e> {
    /// Its place in the policy.
    pub index: u32,
    /// Whether it matches.
    pub outcome: Outcome,
    /// Its parts; none if it is skipped, or quarantined.
    pub parts: Vec<PartOutcome<'e>>,
    /// Fields that only a request has, where a connection is decided. A rule of ALLOW that has any is skipped; one of any
    /// other action is asked without them.
    pub left_out: &'e [String],
    /// Whether it is skipped for them.
    pub is_skipped: bool,
    /// Parts of it could not be read and count as if they held.
    pub quarantined: bool,
}

/// A part of a rule: it holds if one of its items does.
#[derive(Clone, Debug)]
pub struct PartOutcome<'e> {
    /// `from`, `to` or `when`.
    pub name: &'static str,
    /// Whether it holds.
    pub outcome: Outcome,
    /// Its items.
    pub items: Vec<ItemOutcome<'e>>,
}

/// A source, an operation or a condition: it holds if all of its clauses do.
#[derive(Clone, Debug)]
pub struct ItemOutcome<'e> {
    /// Whether it holds.
    pub outcome: Outcome,
    /// Its clauses.
    pub clauses: Vec<ClauseOutcome<'e>>,
}

/// A field with its values.
#[derive(Clone, Debug)]
pub struct ClauseOutcome<'e> {
    /// As it is written: `paths`, `notPaths`, or the key of a condition.
    pub field: &'e str,
    /// What of the request it looks at.
    pub looks_at: RequestField,
    /// Whether it holds where no value matches.
    pub negated: bool,
    /// As they are written.
    pub values: &'e [String],
    /// Whether it holds, negation included.
    pub outcome: Outcome,
    /// What of the request was compared; nothing if it has none.
    pub compared: Vec<String>,
    /// Where the outcome is unknown because the filter cannot read it: what it is, such as `direct-address`.
    pub unknown: Option<&'static str>,
    /// Whether the outcome is unknown because what it looks at is missing.
    pub is_missing: bool,
}

impl Explainer {
    /// Reads a policy document as the filter does.
    ///
    /// # Errors
    /// All problems of the document.
    pub fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        Self::compile_for(Protocol::Http, document, node)
    }

    /// Reads a policy document as the filter of that protocol does.
    ///
    /// # Errors
    /// All problems of the document.
    pub fn compile_for(protocol: Protocol, document: &[u8], node: &Node) -> Result<Self, Problems> {
        let (document, mut written) = read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let mut document = filter::read(fields, common, node, Reading::Workload)?;
            let mut written = written::policies(at.value());
            if protocol == Protocol::Tcp {
                tcp::serves(&document, &at)?;
                for Object { namespace, name, rules, .. } in &document.objects {
                    if let Some(as_written) = written.get_mut(&(namespace.clone(), name.clone())) {
                        written::leave_out(rules, as_written);
                    }
                }
                http_only::leave_out(&mut document.objects, &at);
            }
            Some((document, written))
        })?;
        let Document { common, workload, objects, .. } = &document;
        let name = common.name.clone();
        let filter_state = |key: &Option<Box<str>>| key.clone().map(Attribute::FilterState);
        let direct_address = filter_state(&workload.direct_address);
        let peer_uri_sans = filter_state(&workload.peer_uri_sans);
        let objects: Vec<Object> = objects.clone();
        let mut policy = Policy::new(document, protocol);
        let (compiled, ..) = policy.parts();
        let mut numbers: Vec<Vec<u32>> = vec![Vec::new(); compiled.policies.len()];
        for (rule, number) in compiled.rules.iter().zip(0u32..) {
            // Rules stand in the order of their names as texts, and here in that of the policy.
            let index = usize::try_from(rule.index).unwrap_or(usize::MAX);
            if let Some(numbers) = usize::try_from(rule.policy).ok().and_then(|policy| numbers.get_mut(policy)) {
                numbers.resize(numbers.len().max(index.saturating_add(1)), u32::MAX);
                numbers.get_mut(index).into_iter().for_each(|place| *place = number);
            }
        }
        let mut numbers = numbers.into_iter();
        let considered = |object: Object| Considered {
            written: written.remove(&(object.namespace.clone(), object.name.clone())).unwrap_or_default(),
            numbers: numbers.next().unwrap_or_default(),
            object,
        };
        let objects: Vec<Considered> = objects.into_iter().map(considered).collect();
        let looked_at = looked_at(compiled, &objects);
        let mut contents = vec![0; compiled.rules.len()];
        for (number, rule) in
            objects.iter().flat_map(|considered| considered.numbers.iter().zip(&considered.object.rules))
        {
            let place = usize::try_from(*number).ok().and_then(|number| contents.get_mut(number));
            place.into_iter().for_each(|place| *place = verdict::hash(&format!("{:?}", rule.all_of)));
        }
        let verdicts = Verdicts::default();
        Ok(Self { policy, name, objects, looked_at, direct_address, peer_uri_sans, verdicts, contents })
    }

    /// Label `weir_plugin` of its metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the filter does with decisions; off where policies have no effect, as on a sidecar's outbound listener.
    pub fn mode(&mut self) -> Mode {
        let (.., mode) = self.policy.parts();
        mode
    }

    /// How many policies are for the workload, and how many rules they have.
    pub fn count(&self) -> (usize, usize) {
        (self.objects.len(), self.objects.iter().map(|considered| considered.object.rules.len()).sum())
    }

    /// The filter state that the direct peer's address is read from.
    pub fn direct_address(&self) -> Option<&Attribute> {
        self.direct_address.as_ref()
    }

    /// The filter state that all URI SANs of the peer are read from.
    pub fn peer_uri_sans(&self) -> Option<&Attribute> {
        self.peer_uri_sans.as_ref()
    }

    /// What rules look at.
    pub fn looked_at(&self) -> impl Iterator<Item = &RequestField> {
        self.looked_at.iter().map(|(_, field)| field)
    }

    /// What of a request is not known, where it is from a record that lacks it. Only what a rule looks at is asked for.
    pub fn missing(&self, is_missing: impl Fn(&RequestField) -> bool) -> Missing {
        self.known(|field| if is_missing(field) { Knowledge::Nothing } else { Knowledge::Whole })
    }

    /// The same, where a field may be known in part.
    pub fn known(&self, knowledge: impl Fn(&RequestField) -> Knowledge) -> Missing {
        Missing::of(self.looked_at.iter().map(|(dimension, field)| (*dimension, field.clone(), knowledge(field))))
    }

    /// What of a request is not known, where it is said of some expressions what they come to.
    pub fn known_with(
        &self,
        knowledge: impl Fn(&RequestField) -> Knowledge,
        comes_to: impl Fn(&str) -> Option<CelOutcome>,
    ) -> Missing {
        let outcome = |(dimension, field): &(u16, RequestField)| match field {
            RequestField::Expression(text) => Some((*dimension, comes_to(text)?)),
            _ => None,
        };
        self.known(knowledge).with_expressions(self.looked_at.iter().filter_map(outcome))
    }

    /// What the policies say. `facts` must hold what the filter demands; of what is missing they count for nothing.
    pub fn answers(&mut self, facts: &Facts<'_>, missing: &Missing) -> Answers<'_> {
        let Self { policy, objects, .. } = self;
        let (compiled, scratch, custom, _) = policy.parts();
        let Decisions { enforced, shadow, .. } =
            Decisions::of(compiled, decide(compiled, facts, &|number| missing.evaluate(compiled, number), scratch));
        let evaluation = scratch.evaluation(compiled);
        Judge { evaluation, compiled, custom, missing }.answers(objects, enforced, shadow)
    }

    /// The same, and why.
    pub fn explain(&mut self, facts: &Facts<'_>, missing: &Missing) -> Explanation<'_> {
        let Self { policy, objects, .. } = self;
        let (compiled, scratch, custom, _) = policy.parts();
        let Decisions { enforced, shadow, .. } =
            Decisions::of(compiled, decide(compiled, facts, &|number| missing.evaluate(compiled, number), scratch));
        let compared = Compared::of(compiled, facts);
        let mut judge = Judge { evaluation: scratch.evaluation(compiled), compiled, custom, missing };
        let answers = judge.answers(objects, enforced, shadow);
        let policies = objects.iter().map(|considered| considered.explain(&mut judge, &compared)).collect();
        Explanation { answers, policies }
    }
}

/// What rules look at, by dimension.
fn looked_at(compiled: &Compiled, objects: &[Considered]) -> Vec<(u16, RequestField)> {
    let mut found = BTreeMap::new();
    for Considered { object, numbers, .. } in objects {
        for rule in &object.rules {
            let conditions = at(numbers, rule.index)
                .and_then(|number| compiled.rules.get(*number))
                .map(|rule| compiled.rules.parts(rule).flatten().flatten());
            for (condition, clause) in conditions.into_iter().flatten().zip(rule.all_of.iter().flatten().flatten()) {
                found.entry(condition.dimension).or_insert_with(|| RequestField::of(&clause.field));
            }
        }
    }
    found.into_iter().collect()
}

/// The entry of a rule.
fn at<T>(of_rules: &[T], index: u32) -> Option<&T> {
    of_rules.get(usize::try_from(index).ok()?)
}
