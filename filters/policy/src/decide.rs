//! Deciding which rules match one request.

pub(crate) mod memo;
pub(crate) mod request;

use crate::compiled::field::Field;
use crate::compiled::{ALLOW, Asked, Compiled, DENY, Running, SECTIONS, SHADOW_ALLOW, SHADOW_DENY, Test};
use crate::decide::request::{Request, Scratch};
use memo::Outcome;
use weir_matching::{Pattern, has_service_account, namespaces, trust_domain};

/// A rule that cannot be judged, and a field of it that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecided {
    pub(crate) rule: u32,
    pub(crate) field: Field,
}

/// What came of one section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The first rule that matches.
    pub(crate) matched: Option<u32>,
    /// The first rule before it that may match.
    pub(crate) undecided: Option<Undecided>,
}

/// What came of each section. Where DENY refuses, ALLOW is not looked at.
pub(crate) type Sections = [Found; SECTIONS];

/// Finds the first rule of each section that matches, and one that may.
pub(crate) fn evaluate(compiled: &Compiled, request: &Request<'_>, scratch: &mut Scratch) -> Sections {
    scratch.memo.start(compiled.tests.len());
    scratch.probe(compiled, request);
    let Scratch { candidates, memo, .. } = scratch;
    let mut sections = Sections::default();
    let mut from = 0u32;
    while let Some(number) = compiled.index.next(from, candidates) {
        let section = compiled.ends.iter().position(|end| number < *end).unwrap_or(SHADOW_ALLOW);
        let last = match section {
            DENY => ALLOW,
            SHADOW_DENY => SHADOW_ALLOW,
            other => other,
        };
        let end = |section: usize| compiled.ends.get(section).copied().unwrap_or(u32::MAX);
        let Some(rule) = usize::try_from(number).ok().and_then(|place| compiled.rules.get(place)) else { break };
        let Some(found) = sections.get_mut(section) else { break };
        from = number.saturating_add(1);
        let mut ask = |test| memo.ask(test, |place| ask(compiled, request, place));
        match matches(rule, &mut ask) {
            Outcome::No => {}
            // The rest of the section cannot change the answer, nor can what comes after a refusal.
            Outcome::Yes => {
                found.matched = Some(number);
                from = end(last).max(from);
            }
            Outcome::Unknown if found.undecided.is_none() => {
                let field = unknown_field(compiled, rule, &mut ask);
                found.undecided = Some(Undecided { rule: number, field });
            }
            Outcome::Unknown => {}
        }
    }
    sections
}

/// Whether a rule matches, as far as that is known.
pub(crate) fn matches(rule: &Running, ask: &mut impl FnMut(u32) -> Outcome) -> Outcome {
    let mut all = Outcome::Yes;
    for group in &rule.groups {
        let mut any = Outcome::No;
        for alternative in group {
            match holds_all(alternative, ask) {
                Outcome::No => {}
                Outcome::Yes => {
                    any = Outcome::Yes;
                    break;
                }
                Outcome::Unknown => any = Outcome::Unknown,
            }
        }
        match any {
            Outcome::No => return Outcome::No,
            Outcome::Yes => {}
            Outcome::Unknown => all = Outcome::Unknown,
        }
    }
    all
}

fn holds_all(alternative: &[Asked], ask: &mut impl FnMut(u32) -> Outcome) -> Outcome {
    let mut all = Outcome::Yes;
    for (test, negated) in alternative {
        match ask(*test) {
            Outcome::Unknown => all = Outcome::Unknown,
            outcome if (outcome == Outcome::Yes) == *negated => return Outcome::No,
            _ => {}
        }
    }
    all
}

/// The first field of a rule that is not known.
fn unknown_field(compiled: &Compiled, rule: &Running, ask: &mut impl FnMut(u32) -> Outcome) -> Field {
    let asked = rule.groups.iter().flatten().flatten();
    let unknown = asked.map(|(test, _)| *test).find(|test| ask(*test) == Outcome::Unknown);
    let test = unknown.and_then(|test| compiled.tests.get(usize::try_from(test).ok()?));
    test.map_or(Field::PRINCIPAL, |test| test.field)
}

fn ask(compiled: &Compiled, request: &Request<'_>, place: usize) -> Outcome {
    let Some(test) = compiled.tests.get(place) else { return Outcome::Unknown };
    if test.field.is_vital() && request.is_unknown(test.field) {
        return Outcome::Unknown;
    }
    if holds(test, request) { Outcome::Yes } else { Outcome::No }
}

fn holds(test: &Test, request: &Request<'_>) -> bool {
    let any_of = &test.any_of;
    match test.field {
        Field::DIRECT_ADDRESS | Field::REMOTE_ADDRESS | Field::DESTINATION_ADDRESS => {
            let Some(address) = request.address(test.field) else { return false };
            any_of.iter().any(|pattern| matches!(pattern, Pattern::Cidr(cidr) if cidr.contains(address)))
        }
        Field::PRINCIPAL if request.authenticated && any_of.contains(&Pattern::Present) => true,
        field if field.is_identity() => {
            let named = if field == Field::NAMESPACE { Field::NAMESPACE } else { Field::PRINCIPAL };
            let ids = request.values.iter().filter(|(known, _)| *known == named);
            ids.into_iter().any(|(_, id)| any_of.iter().any(|pattern| is_identity(field, pattern, id)))
        }
        field => {
            let values = request.values.iter().filter(|(known, _)| *known == field);
            values.into_iter().any(|(_, value)| any_of.iter().any(|pattern| pattern.matches(value)))
        }
    }
}

/// Whether one name of the peer matches: a whole URI for namespaces, for the rest a SPIFFE ID without its scheme.
fn is_identity(field: Field, pattern: &Pattern, id: &[u8]) -> bool {
    match (field, pattern) {
        (Field::NAMESPACE, Pattern::Glob(glob)) => glob.matches(id),
        (Field::NAMESPACE, Pattern::Exact(name)) => namespaces(id).any(|found| *found == **name),
        (Field::SERVICE_ACCOUNT, Pattern::Exact(account)) => has_service_account(id, account),
        // Any SPIFFE ID, also one without a path.
        (Field::TRUST_DOMAIN, Pattern::Any) => true,
        (Field::TRUST_DOMAIN, pattern) => trust_domain(id).is_some_and(|domain| pattern.matches(domain)),
        (Field::PRINCIPAL, pattern) => pattern.matches(id),
        _ => false,
    }
}
