//! One rule: `from`, `to` and `when`, each field a clause.

use super::quarantine::OnInvalid;
use super::{cel, values};
use crate::config::object::{AnyOf, Clause, Field, Item, Rule};
use weir_config::{Cursor, Fields, Value};

/// Fields of `source`, each with its negation.
pub(super) const SOURCE: [(&str, &str, Field); 7] = [
    ("principals", "notPrincipals", Field::Principal),
    ("requestPrincipals", "notRequestPrincipals", Field::RequestPrincipal),
    ("namespaces", "notNamespaces", Field::Namespace),
    ("serviceAccounts", "notServiceAccounts", Field::ServiceAccount),
    ("trustDomains", "notTrustDomains", Field::TrustDomain),
    ("ipBlocks", "notIpBlocks", Field::DirectAddress),
    ("remoteIpBlocks", "notRemoteIpBlocks", Field::RemoteAddress),
];

/// Fields of `operation`, each with its negation.
pub(super) const OPERATION: [(&str, &str, Field); 4] = [
    ("hosts", "notHosts", Field::Host),
    ("ports", "notPorts", Field::DestinationPort),
    ("methods", "notMethods", Field::Method),
    ("paths", "notPaths", Field::Path),
];

/// Reads a rule. One with a problem may be left out, or match more than it says.
#[inline(never)]
pub(super) fn rule(at: &Cursor<'_>, index: u32, context: &values::Context<'_>) -> Option<Rule> {
    let before = at.problems();
    let read = all_of(at, context);
    let quarantined = at.problems() > before;
    let all_of = match context.on_invalid {
        OnInvalid::LeaveOut if quarantined => return None,
        OnInvalid::Refuse | OnInvalid::LeaveOut => read?,
        OnInvalid::Widen => read.unwrap_or_default(),
    };
    Some(Rule { index, all_of, quarantined, is_skipped: false })
}

fn all_of(at: &Cursor<'_>, context: &values::Context<'_>) -> Option<Box<[AnyOf]>> {
    let mut fields = at.object()?;
    let mut all_of = Vec::with_capacity(fields.len());
    if let Some(from) = fields.take("from") {
        all_of.extend(any_of(&from, "source", context, |fields| source(fields, context)));
    }
    if let Some(to) = fields.take("to") {
        all_of.extend(any_of(&to, "operation", context, |fields| clauses(fields, &OPERATION, context)));
    }
    if let Some(when) = fields.take("when") {
        all_of.extend(when.each(|item| condition(&item, context)));
    }
    fields.finish();
    cel::warn_of_rule(at, &all_of);
    Some(all_of.into())
}

/// Reads the list of a part. `None` if it is none, and what it asks for is left out.
fn any_of(
    at: &Cursor<'_>,
    name: &'static str,
    context: &values::Context<'_>,
    mut read: impl FnMut(&mut Fields<'_>) -> Item,
) -> Option<AnyOf> {
    if is_empty(at) {
        at.problem::<()>("must not be empty; leave it out to match everything");
    }
    let widens = context.on_invalid.widens();
    let mut item = |item: Cursor<'_>| {
        let mut outer = item.object()?;
        let inner = outer.require(name).and_then(|at| at.object());
        outer.finish();
        let mut fields = inner?;
        let before = item.problems();
        let read = read(&mut fields);
        let place = *fields.cursor();
        fields.finish();
        if read.is_empty() && place.problems() == before {
            return place.problem("must not be empty; leave the whole list out to match everything");
        }
        Some(read)
    };
    // An item without a clause matches everything.
    let items = at.each(|at| item(at).or_else(|| widens.then(Item::default)));
    (!items.is_empty() || !widens).then(|| items.into())
}

fn clauses(
    fields: &mut Fields<'_>,
    known: &[(&'static str, &'static str, Field)],
    context: &values::Context<'_>,
) -> Item {
    let mut clauses = Vec::with_capacity(fields.len());
    for (positive, negative, field) in known {
        for (name, negated) in [(*positive, false), (*negative, true)] {
            let clause = fields.take(name).and_then(|at| clause(&at, field, negated, context));
            clauses.extend(clause);
        }
    }
    clauses.into()
}

/// A field with its values; `None` if it asks nothing, and where its values cannot be read and are left out.
fn clause(at: &Cursor<'_>, field: &Field, negated: bool, context: &values::Context<'_>) -> Option<Clause> {
    let before = at.problems();
    let values = values::read(at, field, context)?;
    let is_left_out = context.on_invalid.widens() && at.problems() > before;
    (!is_left_out).then(|| Clause { field: field.clone(), negated, values })
}

fn source(fields: &mut Fields<'_>, context: &values::Context<'_>) -> Item {
    let mut clauses = clauses(fields, &SOURCE, context);
    let has = |fields: &[Field]| clauses.iter().any(|clause| fields.contains(&clause.field));
    if has(&[Field::ServiceAccount]) && has(&[Field::Principal, Field::Namespace]) {
        fields.cursor().problem::<()>("service accounts exclude principals and namespaces in the same source");
        if context.on_invalid.widens() {
            clauses = clauses.into_iter().filter(|clause| !clause.field.is_identity()).collect();
        }
    }
    clauses
}

#[inline(never)]
fn condition(at: &Cursor<'_>, context: &values::Context<'_>) -> Option<AnyOf> {
    let mut fields = at.object()?;
    let place = fields.require("key");
    if place.as_ref().is_some_and(|at| at.value() == &Value::String(cel::KEY.into())) {
        return Some(cel::condition(at, fields, context));
    }
    let field = place.and_then(|at| key(&at));
    let mut clauses = Vec::new();
    let mut given = false;
    for (name, negated) in [("values", false), ("notValues", true)] {
        let Some(at) = fields.take(name) else { continue };
        given |= !is_empty(&at);
        clauses.extend(field.as_ref().and_then(|field| clause(&at, field, negated, context)));
    }
    if !given {
        at.problem::<()>(NO_VALUE);
    }
    fields.finish();
    field.map(|_| [clauses.into()].into())
}

/// What is wrong with a condition that asks nothing.
pub(super) const NO_VALUE: &str = "`values` or `notValues` must have at least one value";

/// Whether a list is there and has nothing in it.
pub(super) fn is_empty(at: &Cursor<'_>) -> bool {
    at.value() == &Value::Array(Vec::new())
}

#[inline(never)]
fn key(at: &Cursor<'_>) -> Option<Field> {
    let text = at.text()?;
    if let Some(name) = text.strip_prefix("request.headers[") {
        return match name.strip_suffix(']') {
            Some("") | None => at.problem("a header is written `request.headers[name]`"),
            // Envoy keeps `host` as `:authority`.
            Some(name) if name.eq_ignore_ascii_case("host") => Some(Field::Header(":authority".into())),
            Some(name) => Some(Field::Header(name.to_ascii_lowercase().into())),
        };
    }
    Some(match text {
        "source.ip" => Field::DirectAddress,
        "remote.ip" => Field::RemoteAddress,
        "source.namespace" => Field::Namespace,
        "source.principal" => Field::Principal,
        "source.serviceAccount" => Field::ServiceAccount,
        "source.trustDomain" => Field::TrustDomain,
        "destination.ip" => Field::DestinationAddress,
        "destination.port" => Field::DestinationPort,
        "connection.sni" => Field::ServerName,
        "request.auth.principal" => Field::RequestPrincipal,
        "request.auth.audiences" => Field::Claim(["aud".into()].into()),
        "request.auth.presenter" => Field::Claim(["azp".into()].into()),
        _ if text.starts_with("request.auth.claims[") => return claim(at, text),
        _ if text.starts_with("experimental.envoy.filters.") => return metadata(at, text),
        _ => return at.problem(format!("`{text}` is not a key of Istio's conditions, nor `cel`")),
    })
}

/// The most names of a claim: those inside of it are read by recursion, and Envoy reads no token that is deeper (protobuf's
/// limit for JSON).
const CLAIM_NAMES: usize = 100;

/// `request.auth.claims[a][b]`. Where brackets are not clean pairs, all between the first and the last is one name (Istio's
/// `extractNameInNestedBrackets`).
#[inline(never)]
fn claim(at: &Cursor<'_>, text: &str) -> Option<Field> {
    let inner = text.strip_prefix("request.auth.claims[").and_then(|rest| rest.strip_suffix(']'));
    let Some(inner) = inner.filter(|inner| !inner.is_empty()) else {
        return at.problem(
            "a claim is written `request.auth.claims[name]`, one inside of it `request.auth.claims[outer][name]`",
        );
    };
    let names: Vec<&str> = inner.split("][").collect();
    if names.len() > CLAIM_NAMES {
        return at.problem(format!("a claim is at most {CLAIM_NAMES} names deep"));
    }
    let is_clean = names.iter().all(|name| !name.contains(['[', ']']));
    let names = if is_clean { names } else { vec![inner] };
    Some(Field::Claim(names.into_iter().map(Box::from).collect()))
}

/// `experimental.envoy.filters.a.b[key]`. All after the first bracket is the key.
#[inline(never)]
fn metadata(at: &Cursor<'_>, text: &str) -> Option<Field> {
    let inner = text.strip_prefix("experimental.").and_then(|rest| rest.strip_suffix(']'));
    match inner.and_then(|inner| inner.split_once('[')) {
        Some((filter, key)) if !key.is_empty() => Some(Field::Metadata { filter: filter.into(), key: key.into() }),
        _ => at.problem("dynamic metadata is written `experimental.envoy.filters.FILTER[key]`"),
    }
}
