//! From objects to rules in order, with shared tests and an index.

mod anchors;
pub(crate) mod field;

use crate::compiled::field::Field;
use crate::config::object::{Action, Clause, Key, Object, Rule};
use crate::config::workload::Workload;
use crate::demand::demand;
use std::collections::BTreeMap;
use weir_config::Cursor;
use weir_matching::{Index, Pattern};
use weir_model::{Attribute, Demand};

/// One question about one field, shared by all clauses that ask it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    pub(crate) field: Field,
    /// Sorted; any of them may match.
    pub(crate) any_of: Box<[Pattern]>,
}

/// A test and whether it must fail.
pub(crate) type Asked = (u32, bool);

/// Alternatives, of which one must hold with all of its tests.
pub(crate) type Either = Box<[Box<[Asked]>]>;

/// A rule that applies: groups of alternatives of tests.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) groups: Box<[Either]>,
    /// Which policy, by its place in [`Compiled::policies`].
    pub(crate) policy: u32,
    /// Its place in that policy.
    pub(crate) index: u32,
}

/// The sections of the rule list, in order.
pub(crate) const DENY: usize = 0;
pub(crate) const ALLOW: usize = 1;
pub(crate) const SHADOW_DENY: usize = 2;
pub(crate) const SHADOW_ALLOW: usize = 3;
pub(crate) const SECTIONS: usize = 4;

/// Everything that deciding needs.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// Namespace and name of each policy.
    pub(crate) policies: Box<[(Box<str>, Box<str>)]>,
    pub(crate) rules: Box<[Running]>,
    /// Where each section ends.
    pub(crate) ends: [u32; SECTIONS],
    /// Whether a section has a policy at all, with or without rules.
    pub(crate) applies: [bool; SECTIONS],
    pub(crate) tests: Box<[Test]>,
    pub(crate) index: Index,
    /// Names of the headers that tests look at, sorted, in the order of their fields.
    pub(crate) headers: Box<[Box<[u8]>]>,
    /// The fields that some test looks at.
    pub(crate) fields: Box<[Field]>,
    /// Those of them without which a rule fails closed.
    pub(crate) vital: Box<[Field]>,
    /// What deciding reads.
    pub(crate) demand: Demand,
    pub(crate) direct_address: Option<Attribute>,
    pub(crate) peer_uri_sans: Option<Attribute>,
    pub(crate) ignore_path_parameters: bool,
    /// Whether some test asks only that the peer has shown who it is.
    pub(crate) asks_authenticated: bool,
}

fn section(object: &Object) -> Option<usize> {
    match (object.action, object.dry_run) {
        (Action::Deny, false) => Some(DENY),
        (Action::Allow, false) => Some(ALLOW),
        (Action::Deny, true) => Some(SHADOW_DENY),
        (Action::Allow, true) => Some(SHADOW_ALLOW),
        // An AUDIT policy never changes a decision.
        (Action::Audit, _) => None,
    }
}

/// The most headers by name that rules can look at: fields are 16 bits. Of more, some would never match.
pub(crate) const HEADERS: usize = (u16::MAX - Field::HEADERS) as usize;

/// Compiles the objects that apply to `workload`. `None`, and a problem at `at`, if they look at too many headers.
pub(crate) fn compile(objects: &[Object], workload: &Workload, at: &Cursor<'_>) -> Option<Compiled> {
    let mut written: Vec<(usize, String, u32, u32, &Rule)> = Vec::new();
    let mut applies = [false; SECTIONS];
    for (object, policy) in objects.iter().zip(0u32..) {
        let Some(section) = section(object) else { continue };
        if let Some(applies) = applies.get_mut(section) {
            *applies = true;
        }
        for (rule, index) in object.rules.iter().zip(0u32..) {
            // Envoy keeps rules in a map sorted by this name, as text, and reports the first that matches.
            let id = format!("ns[{}]-policy[{}]-rule[{index}]", object.namespace, object.name);
            written.push((section, id, policy, index, rule));
        }
    }
    weir_matching::sort_by(&mut written, |a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));

    let mut interner = Interner::new(objects);
    if interner.headers.len() > HEADERS {
        return at.problem(format!("rules look at more than {HEADERS} headers by name"));
    }
    let mut ends = [0u32; SECTIONS];
    let mut rules = Vec::with_capacity(written.len());
    for (section, _, policy, index, rule) in &written {
        let groups = rule.groups.iter().map(|group| {
            let alternatives =
                group.iter().map(|clauses| clauses.iter().map(|clause| interner.asked(clause)).collect());
            alternatives.collect()
        });
        rules.push(Running { groups: groups.collect(), policy: *policy, index: *index });
        let count = u32::try_from(rules.len()).unwrap_or(u32::MAX);
        ends.iter_mut().skip(*section).for_each(|end| *end = count);
    }
    let Interner { tests, headers, .. } = interner;
    let index = Index::new(&anchors::of(&rules, &tests), &Field::VITAL.map(|field| field.0));
    let mut fields: Vec<Field> = tests.iter().map(|test| test.field).collect();
    weir_matching::sort(&mut fields);
    fields.dedup();
    let direct_address = workload.direct_address.clone().map(Attribute::FilterState);
    let peer_uri_sans = workload.peer_uri_sans.clone().map(Attribute::FilterState);
    let asks_authenticated =
        tests.iter().any(|test| test.field == Field::PRINCIPAL && test.any_of.contains(&Pattern::Present));
    let demand = demand(&fields, direct_address.as_ref(), peer_uri_sans.as_ref(), asks_authenticated);
    Some(Compiled {
        policies: objects
            .iter()
            .map(|object| (object.namespace.as_str().into(), object.name.as_str().into()))
            .collect(),
        rules: rules.into(),
        ends,
        applies,
        tests: tests.into(),
        index,
        headers: headers.into(),
        vital: fields.iter().copied().filter(|field| field.is_vital()).collect(),
        fields: fields.into(),
        demand,
        direct_address,
        peer_uri_sans,
        ignore_path_parameters: workload.ignore_path_parameters,
        asks_authenticated,
    })
}

/// Gives equal tests one number.
struct Interner {
    known: BTreeMap<Test, u32>,
    tests: Vec<Test>,
    headers: Vec<Box<[u8]>>,
}

impl Interner {
    fn new(objects: &[Object]) -> Self {
        let clauses = objects.iter().filter(|object| section(object).is_some()).flat_map(|object| &object.rules);
        let clauses = clauses.flat_map(|rule| &rule.groups).flatten().flatten();
        let mut headers: Vec<Box<[u8]>> = clauses
            .filter_map(|clause| match &clause.key {
                Key::Header(name) => Some(name.as_bytes().into()),
                _ => None,
            })
            .collect();
        weir_matching::sort(&mut headers);
        headers.dedup();
        Self { known: BTreeMap::new(), tests: Vec::new(), headers }
    }

    fn asked(&mut self, clause: &Clause) -> Asked {
        let mut any_of = clause.values.clone();
        weir_matching::sort(&mut any_of);
        any_of.dedup();
        let test = Test { field: self.field(&clause.key), any_of: any_of.into() };
        let next = u32::try_from(self.tests.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(test.clone()).or_insert(next);
        if number == next {
            self.tests.push(test);
        }
        (number, clause.negated)
    }

    fn field(&self, key: &Key) -> Field {
        match key {
            Key::Path => Field::PATH,
            Key::Host => Field::HOST,
            Key::Method => Field::METHOD,
            Key::Header(name) => {
                let place = self.headers.binary_search_by(|known| (**known).cmp(name.as_bytes()));
                let place = place.ok().and_then(|place| u16::try_from(place).ok()).unwrap_or(u16::MAX);
                Field(Field::HEADERS.saturating_add(place))
            }
            Key::Principal => Field::PRINCIPAL,
            Key::Namespace => Field::NAMESPACE,
            Key::ServiceAccount => Field::SERVICE_ACCOUNT,
            Key::TrustDomain => Field::TRUST_DOMAIN,
            Key::DirectAddress => Field::DIRECT_ADDRESS,
            Key::RemoteAddress => Field::REMOTE_ADDRESS,
            Key::DestinationAddress => Field::DESTINATION_ADDRESS,
            Key::DestinationPort => Field::PORT,
            Key::ServerName => Field::SERVER_NAME,
        }
    }
}
