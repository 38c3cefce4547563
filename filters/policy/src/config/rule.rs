//! One rule: `from`, `to` and `when`, each field a clause.

use super::values;
use crate::config::object::{Alternative, Clause, Group, Key, Rule};
use weir_config::{Cursor, Fields, Value};

/// Fields of `source`, each with its negation.
const SOURCE: [(&str, &str, Key); 6] = [
    ("principals", "notPrincipals", Key::Principal),
    ("namespaces", "notNamespaces", Key::Namespace),
    ("serviceAccounts", "notServiceAccounts", Key::ServiceAccount),
    ("trustDomains", "notTrustDomains", Key::TrustDomain),
    ("ipBlocks", "notIpBlocks", Key::DirectAddress),
    ("remoteIpBlocks", "notRemoteIpBlocks", Key::RemoteAddress),
];

/// Fields of `operation`, each with its negation.
const OPERATION: [(&str, &str, Key); 4] = [
    ("hosts", "notHosts", Key::Host),
    ("ports", "notPorts", Key::DestinationPort),
    ("methods", "notMethods", Key::Method),
    ("paths", "notPaths", Key::Path),
];

/// What needs the claims of a JWT, which this build does not read.
const NO_CLAIMS: &str = "JWT claims are not supported; a rule without them would match other requests";

/// Reads a rule.
pub(super) fn rule(at: &Cursor<'_>, context: &values::Context<'_>) -> Option<Rule> {
    let mut fields = at.object()?;
    let mut groups = Vec::new();
    if let Some(from) = fields.take("from") {
        groups.push(group(&from, "source", |fields| source(fields, context)));
    }
    if let Some(to) = fields.take("to") {
        groups.push(group(&to, "operation", |fields| clauses(fields, &OPERATION, context)));
    }
    if let Some(when) = fields.take("when") {
        groups.extend(when.each(|item| condition(&item, context)).into_iter().map(|clauses| vec![clauses]));
    }
    fields.finish();
    Some(Rule { groups })
}

fn group(at: &Cursor<'_>, name: &'static str, mut read: impl FnMut(&mut Fields<'_>) -> Alternative) -> Group {
    if is_empty(at) {
        at.problem::<()>("must not be empty; leave it out to match everything");
    }
    at.each(|item| {
        let mut outer = item.object()?;
        let inner = outer.require(name).and_then(|at| at.object());
        outer.finish();
        let mut fields = inner?;
        let before = item.problems();
        let alternative = read(&mut fields);
        let place = fields.at().clone();
        fields.finish();
        if alternative.is_empty() && place.problems() == before {
            return place.problem("must not be empty; leave the whole list out to match everything");
        }
        Some(alternative)
    })
}

fn clauses(
    fields: &mut Fields<'_>,
    known: &[(&'static str, &'static str, Key)],
    context: &values::Context<'_>,
) -> Alternative {
    let mut clauses = Vec::new();
    for (positive, negative, key) in known {
        for (name, negated) in [(*positive, false), (*negative, true)] {
            if let Some(values) = fields.take(name).and_then(|at| values::read(&at, key, context)) {
                clauses.push(Clause { key: key.clone(), negated, values });
            }
        }
    }
    clauses
}

fn source(fields: &mut Fields<'_>, context: &values::Context<'_>) -> Alternative {
    for name in ["requestPrincipals", "notRequestPrincipals"] {
        if let Some(at) = fields.take(name).filter(|at| !is_empty(at)) {
            at.problem::<()>(NO_CLAIMS);
        }
    }
    let clauses = clauses(fields, &SOURCE, context);
    let has = |keys: &[Key]| clauses.iter().any(|clause| keys.contains(&clause.key));
    if has(&[Key::ServiceAccount]) && has(&[Key::Principal, Key::Namespace]) {
        fields.at().problem::<()>("service accounts exclude principals and namespaces in the same source");
    }
    clauses
}

fn condition(at: &Cursor<'_>, context: &values::Context<'_>) -> Option<Alternative> {
    let mut fields = at.object()?;
    let key = fields.require("key").and_then(|at| key(&at));
    let mut clauses = Vec::new();
    let mut given = false;
    for (name, negated) in [("values", false), ("notValues", true)] {
        let Some(at) = fields.take(name) else { continue };
        given |= !is_empty(&at);
        if let Some(key) = &key
            && let Some(values) = values::read(&at, key, context)
        {
            clauses.push(Clause { key: key.clone(), negated, values });
        }
    }
    if !given {
        at.problem::<()>("`values` or `notValues` must have at least one value");
    }
    fields.finish();
    key.map(|_| clauses)
}

/// Whether a list is there and has nothing in it.
fn is_empty(at: &Cursor<'_>) -> bool {
    at.value() == &Value::Array(Vec::new())
}

fn key(at: &Cursor<'_>) -> Option<Key> {
    let text = at.text()?;
    if let Some(name) = text.strip_prefix("request.headers[") {
        return match name.strip_suffix(']') {
            Some("") | None => at.problem("a header is written `request.headers[name]`"),
            // Envoy keeps `host` as `:authority`.
            Some(name) if name.eq_ignore_ascii_case("host") => Some(Key::Header(":authority".into())),
            Some(name) => Some(Key::Header(name.to_ascii_lowercase().into())),
        };
    }
    Some(match text {
        "source.ip" => Key::DirectAddress,
        "remote.ip" => Key::RemoteAddress,
        "source.namespace" => Key::Namespace,
        "source.principal" => Key::Principal,
        "source.serviceAccount" => Key::ServiceAccount,
        "source.trustDomain" => Key::TrustDomain,
        "destination.ip" => Key::DestinationAddress,
        "destination.port" => Key::DestinationPort,
        "connection.sni" => Key::ServerName,
        _ if text.starts_with("request.auth.") => return at.problem(NO_CLAIMS),
        _ if text.starts_with("experimental.envoy.filters.") => {
            return at.problem("dynamic metadata is not supported");
        }
        _ => return at.problem(format!("`{text}` is not a key of Istio's conditions")),
    })
}
