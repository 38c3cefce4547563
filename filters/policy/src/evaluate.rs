//! Deciding which rules match one request.

use crate::compile::{ALLOW, Compiled, DENY, Running, SECTIONS, SHADOW_ALLOW, SHADOW_DENY, Test};
use crate::field::Field;
use crate::request::{Request, Scratch};
use weir_matching::{Pattern, has_service_account, namespaces, trust_domain};

/// What a test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    No,
    Yes,
    /// The field could not be read.
    Unknown,
}

/// What each test said about the current request. An entry counts only if it carries the current generation, so nothing
/// is cleared between requests.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    entries: Vec<u32>,
    generation: u32,
}

impl Memo {
    fn start(&mut self, tests: usize) {
        self.generation = self.generation.wrapping_add(4);
        if self.generation == 0 || self.entries.len() != tests {
            self.entries.clear();
            self.entries.resize(tests, 0);
            self.generation = 4;
        }
    }

    fn ask(&mut self, number: u32, test: impl FnOnce(usize) -> Outcome) -> Outcome {
        let Ok(place) = usize::try_from(number) else { return Outcome::Unknown };
        let Some(entry) = self.entries.get_mut(place) else { return Outcome::Unknown };
        if *entry & !3 == self.generation {
            return match *entry & 3 {
                0 => Outcome::No,
                1 => Outcome::Yes,
                _ => Outcome::Unknown,
            };
        }
        let outcome = test(place);
        *entry = self.generation
            | match outcome {
                Outcome::No => 0,
                Outcome::Yes => 1,
                Outcome::Unknown => 2,
            };
        outcome
    }
}

/// The first matching rule of each section. Where DENY has one, ALLOW is not looked at.
pub(crate) type Found = [Option<u32>; SECTIONS];

/// Finds the first matching rule of each section.
pub(crate) fn evaluate(compiled: &Compiled, request: &Request<'_>, scratch: &mut Scratch) -> Found {
    scratch.memo.start(compiled.tests.len());
    scratch.probe(compiled, request);
    let Scratch { candidates, memo, .. } = scratch;
    let mut found = Found::default();
    let mut from = 0u32;
    while let Some(number) = compiled.index.next(from, candidates) {
        from = number.saturating_add(1);
        let section = compiled.ends.iter().position(|end| number < *end).unwrap_or(SHADOW_ALLOW);
        let Some(rule) = usize::try_from(number).ok().and_then(|place| compiled.rules.get(place)) else { break };
        let denies = matches!(section, DENY | SHADOW_DENY);
        if !matches(rule, denies, &mut |test| memo.ask(test, |place| ask(compiled, request, place))) {
            continue;
        }
        if let Some(first) = found.get_mut(section) {
            *first = Some(number);
        }
        // The rest of the section cannot change the answer, nor can what comes after a refusal.
        let settled = match section {
            DENY => ALLOW,
            SHADOW_DENY => SHADOW_ALLOW,
            other => other,
        };
        from = compiled.ends.get(settled).copied().unwrap_or(u32::MAX).max(from);
    }
    found
}

/// Whether a rule matches. What is not known makes a clause hold in a DENY rule and fail in an ALLOW rule.
pub(crate) fn matches(rule: &Running, denies: bool, ask: &mut impl FnMut(u32) -> Outcome) -> bool {
    rule.groups.iter().all(|group| {
        group.iter().any(|alternative| {
            alternative.iter().all(|(test, negated)| match ask(*test) {
                Outcome::Yes => !negated,
                Outcome::No => *negated,
                Outcome::Unknown => denies,
            })
        })
    })
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
            let ids = request.values.iter().filter(|(known, _)| *known == Field::PRINCIPAL);
            ids.into_iter().any(|(_, id)| any_of.iter().any(|pattern| is_identity(field, pattern, id)))
        }
        field => {
            let values = request.values.iter().filter(|(known, _)| *known == field);
            values.into_iter().any(|(_, value)| any_of.iter().any(|pattern| pattern.matches(value)))
        }
    }
}

fn is_identity(field: Field, pattern: &Pattern, id: &[u8]) -> bool {
    match (field, pattern) {
        (Field::NAMESPACE, Pattern::Glob(glob)) => glob.matches(id),
        (Field::NAMESPACE, Pattern::Exact(name)) => namespaces(id).any(|found| *found == **name),
        (Field::SERVICE_ACCOUNT, Pattern::Exact(account)) => has_service_account(id, account),
        (Field::TRUST_DOMAIN, pattern) => trust_domain(id).is_some_and(|domain| pattern.matches(domain)),
        (Field::PRINCIPAL, pattern) => pattern.matches(id),
        _ => false,
    }
}
