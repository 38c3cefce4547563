//! Audit records of the policy filter: one JSON object for each. What a request does not have is left out of it.

use super::json::{Fields, Json};
use super::operator::{Operator, Says};
use super::record::{Given, Record};
use std::borrow::Cow;

/// How many values of a header or claim are written; there may have been more.
const VALUES: usize = 4;

/// What stands in place of a masked value.
const MASK: &[u8] = b"***";

/// Whether an object is a record.
pub(super) fn is_record(fields: &[(Cow<'_, [u8]>, Json<'_>)]) -> bool {
    ["schema", "decision", "plugin"].iter().all(|name| fields.iter().any(|(known, _)| **known == *name.as_bytes()))
}

/// Takes the fields of a record (`filters/policy/src/audit/record.rs`).
pub(super) fn take<'l>(fields: Fields<'l>, record: &mut Record<'l>) {
    let found = |name: &str| fields.iter().find(|(known, _)| **known == *name.as_bytes()).map(|(_, value)| value);
    let flag = |name: &str| match found(name) {
        Some(Json::Bool(flag)) => Some(*flag),
        _ => None,
    };
    // Those that were cut, hold bytes that JSON cannot, or could not be read.
    let unsure = ["escaped", "truncated", "unreadable"].iter().filter_map(|name| found(name));
    let unsure: Vec<Vec<u8>> = unsure.flat_map(texts).collect();
    let is_unsure = |name: &[u8]| unsure.iter().any(|unsure| **unsure == *name);
    let has_all_names = found("uri_sans").is_some();
    let request_principal = principal(found("request_principal"), found("request_subject"), &is_unsure);
    let has_no_principal = found("request_principal") == Some(&Json::Null);
    let is_connection = found("protocol").is_some();
    record.is_mutual = flag("mtls");
    record.repeats = found("same_request_as").is_some();
    let has_no_jwt = flag("jwt") == Some(false);
    let mut put = |says: Says, value: Json<'l>| record.take(&Operator::of(says), Given::Json(value));
    // What is not there is absent, and comes first so that what is there stands.
    put(Says::ServerName, Json::Null);
    if flag("mtls").is_some() {
        put(Says::PeerPrincipal, Json::Null);
        put(Says::UriSans, Json::Null);
    }
    // Without a certificate there is no other name.
    if flag("mtls") == Some(false) {
        put(Says::TlsVersion, Json::Null);
    }
    if has_no_jwt {
        put(Says::Claim(Box::default()), Json::Null);
    }
    if is_connection {
        put(Says::Method, Json::Null);
    }
    // A principal takes both.
    if has_no_principal {
        put(Says::Claim(["iss".into()].into()), Json::Null);
        put(Says::Claim(["sub".into()].into()), Json::Null);
    }
    for (name, text) in ["iss", "sub"].iter().zip(request_principal.into_iter().flatten()) {
        put(Says::Claim([Box::from(*name)].into()), Json::Text(Cow::Owned(text)));
    }
    for (name, value) in fields {
        let says = match &*name {
            b"time" => Says::Time,
            b"decision" => Says::Decision,
            b"mode" => Says::Mode,
            b"reason" => Says::Reason,
            b"policy" => Says::Policy,
            b"rule" => Says::Rule,
            b"source" => Says::RemoteAddress,
            b"direct" => Says::DirectAddress,
            b"destination" => Says::LocalAddress,
            // The first of several.
            b"principal" if has_all_names => continue,
            b"principal" => Says::PeerPrincipal,
            b"uri_sans" => Says::UriSans,
            b"sni" => Says::ServerName,
            b"method" => Says::Method,
            b"host" => Says::Host,
            b"path" => Says::Path,
            b"request_id" => Says::Header("x-request-id".into()),
            b"headers" | b"claims" => {
                take_named(&name, value, &is_unsure, record);
                continue;
            }
            _ => continue,
        };
        let value = if is_unsure(&name) { Json::Bool(false) } else { certain(value) };
        record.take(&Operator::of(says), Given::Json(value));
    }
    // What could not be read is not in the record, and not absent.
    for (name, says) in [("principal", Says::PeerPrincipal), ("sni", Says::ServerName)] {
        if is_unsure(name.as_bytes()) {
            record.take(&Operator::of(says), Given::Json(Json::Bool(false)));
        }
    }
}

/// Takes headers or claims by their names.
fn take_named<'l>(group: &[u8], named: Json<'l>, is_unsure: &dyn Fn(&[u8]) -> bool, record: &mut Record<'l>) {
    let Json::Map(named) = named else { return };
    for (name, value) in named {
        if is_unsure(&[group, b".", &name].concat()) || texts(&value).iter().any(|text| text == MASK) {
            continue;
        }
        let name = String::from_utf8_lossy(&name).into_owned();
        match (group, value) {
            (b"headers", value) => record.take_values(&name, &value, VALUES),
            (_, Json::List(items)) if items.len() >= VALUES => {}
            (_, value) => record.take_claim(&claim_path(&name), certain(value)),
        }
    }
}

/// The names that lead to a claim: `sub`, or `[outer][inner]`.
fn claim_path(name: &str) -> Vec<&str> {
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.split("][").collect(),
        None => vec![name],
    }
}

/// Issuer and subject of a request principal. The subject is by itself where it has a `/`.
fn principal(
    joined: Option<&Json<'_>>,
    subject: Option<&Json<'_>>,
    is_unsure: &dyn Fn(&[u8]) -> bool,
) -> Option<[Vec<u8>; 2]> {
    if is_unsure(b"request_principal") || is_unsure(b"request_subject") {
        return None;
    }
    let joined = texts(joined?).pop()?;
    let subject = match subject {
        Some(subject) => texts(subject).pop()?,
        None => joined.rsplit(|byte| *byte == b'/').next()?.to_vec(),
    };
    let issuer = joined.strip_suffix(&*subject)?.strip_suffix(b"/")?.to_vec();
    Some([issuer, subject]).filter(|both| both.iter().all(|claim| claim != MASK))
}

/// A value of a record, in which letters are letters.
fn certain(value: Json<'_>) -> Json<'_> {
    match value {
        Json::Doubtful(text) => Json::Text(text),
        Json::List(items) => Json::List(items.into_iter().map(certain).collect()),
        value => value,
    }
}

/// The texts of a text or a list.
pub(super) fn texts(value: &Json<'_>) -> Vec<Vec<u8>> {
    match value {
        Json::Text(text) | Json::Doubtful(text) => vec![text.to_vec()],
        Json::List(items) => items.iter().flat_map(texts).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Map(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
