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

/// Takes the fields of a record.
pub(super) fn take<'l>(fields: Fields<'l>, record: &mut Record<'l>) {
    let is_flag = |name: &str, set: bool| {
        let mut flags = fields.iter().filter(|(known, _)| **known == *name.as_bytes());
        flags.any(|(_, value)| *value == Json::Bool(set))
    };
    let (is_plain, has_no_jwt) = (is_flag("mtls", false), is_flag("jwt", false));
    // Those that were cut, or hold bytes that JSON cannot.
    let unsure: Vec<Vec<u8>> = fields
        .iter()
        .filter(|(name, _)| matches!(&**name, b"escaped" | b"truncated"))
        .flat_map(|(_, value)| texts(value))
        .collect();
    let mut put = |says: Says, value: Json<'l>| record.take(&Operator::of(says), Given::Json(value));
    // What is not there is absent, and comes first so that what is there stands.
    for says in [Says::ServerName, Says::PeerPrincipal, Says::UriSans] {
        put(says, Json::Null);
    }
    if is_plain {
        put(Says::TlsVersion, Json::Null);
    }
    if has_no_jwt {
        put(Says::Claim(Box::default()), Json::Null);
    }
    for (name, value) in fields {
        let says = match &*name {
            b"time" => Says::Time,
            b"decision" => Says::Decision,
            b"mode" => Says::Mode,
            b"policy" => Says::Policy,
            b"rule" => Says::Rule,
            b"source" => Says::RemoteAddress,
            b"direct" => Says::DirectAddress,
            b"destination" => Says::LocalAddress,
            b"principal" => Says::PeerPrincipal,
            b"sni" => Says::ServerName,
            b"request_principal" => Says::RequestPrincipal,
            b"method" => Says::Method,
            b"host" => Says::Host,
            b"path" => Says::Path,
            b"request_id" => Says::Header("x-request-id".into()),
            b"headers" | b"claims" => {
                let is_header = *name == *b"headers";
                let Json::Map(named) = value else { continue };
                for (name, value) in named {
                    if unsure.iter().any(|unsure| **unsure == *name) || texts(&value).iter().any(|text| text == MASK) {
                        continue;
                    }
                    let name = String::from_utf8_lossy(&name).into_owned();
                    match (is_header, value) {
                        (true, value) => record.take_values(&name, &value, VALUES),
                        (false, Json::List(items)) if items.len() >= VALUES => {}
                        (false, value) => record.take_claim(&[&name], certain(value)),
                    }
                }
                continue;
            }
            _ => continue,
        };
        let value = if unsure.iter().any(|unsure| **unsure == *name) { Json::Bool(false) } else { certain(value) };
        record.take(&Operator::of(says), Given::Json(value));
    }
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
