//! Rules as their author wrote them, for explanations: compiled patterns no longer have these texts.
//!
//! The clauses of a rule come in the order in which [`super::rule::rule`] reads them, from the same tables.

use super::rule::{OPERATION, SOURCE};
use super::{cel, packed};
use crate::config::object::{Field, Rule};
use std::collections::BTreeMap;
use weir_config::Value;

/// A part of a rule: `from`, `to`, or one of `when`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenPart {
    pub(crate) name: &'static str,
    /// Each with its clauses.
    pub(crate) items: Vec<Vec<WrittenClause>>,
}

/// A field, such as `notPaths`, or the key of a condition, with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenClause {
    pub(crate) field: String,
    pub(crate) values: Vec<String>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WrittenRule {
    pub(crate) parts: Vec<WrittenPart>,
    /// The fields that are left out of the parts, because only a request has them and connections are decided.
    pub(crate) left_out: Vec<String>,
}

/// The rules of a policy.
pub(crate) type WrittenRules = Vec<WrittenRule>;

/// Leaves out of the rules of a policy what only a request has, as [`super::http_only::leave_out`] does; `read` are the
/// same rules as they were read.
pub(crate) fn leave_out(read: &[Rule], written: &mut [WrittenRule]) {
    for rule in read.iter().filter(|rule| !rule.quarantined) {
        let place = usize::try_from(rule.index).ok().and_then(|index| written.get_mut(index));
        let Some(WrittenRule { parts, left_out }) = place else { continue };
        for (part, written) in rule.all_of.iter().zip(parts) {
            for (item, written) in part.iter().zip(&mut written.items) {
                let mut clauses = item.iter();
                let is_kept = |_: &mut WrittenClause| clauses.next().is_none_or(|clause| !clause.field.is_http_only());
                let kept: Vec<WrittenClause> = written.extract_if(.., is_kept).collect();
                left_out.extend(std::mem::replace(written, kept).into_iter().map(|clause| clause.field));
            }
        }
    }
}

/// The rules of every policy of a document, by namespace and name.
pub(crate) fn policies(document: &Value) -> BTreeMap<(String, String), WrittenRules> {
    let mut found = BTreeMap::new();
    let packed = field(document, "policiesGzip").and_then(text).and_then(|text| packed::unpack(text).ok());
    let unpacked: Option<Value<'_>> = packed.as_ref().and_then(|json| serde_json::from_slice(json).ok());
    for object in items(document, "policies").iter().chain(unpacked.as_ref().map_or(&[][..], list)) {
        add(object, &mut found);
    }
    found
}

/// Adds a policy, or those of a List.
fn add(object: &Value, found: &mut BTreeMap<(String, String), WrittenRules>) {
    if field(object, "items").is_some() {
        return items(object, "items").iter().for_each(|item| add(item, found));
    }
    let Some(metadata) = field(object, "metadata") else { return };
    let name = |name| field(metadata, name).and_then(text).unwrap_or_default().to_owned();
    let rules = field(object, "spec").map(|spec| items(spec, "rules").iter().map(rule).collect());
    found.insert((name("namespace"), name("name")), rules.unwrap_or_default());
}

fn rule(rule: &Value) -> WrittenRule {
    let part = |name: &'static str, inner: &'static str, known: &[(&'static str, &'static str, Field)]| {
        let items = items(rule, name).iter().map(|item| field(item, inner).map(|item| clauses(item, known)));
        field(rule, name).map(|_| WrittenPart { name, items: items.map(Option::unwrap_or_default).collect() })
    };
    let parts = [part("from", "source", &SOURCE), part("to", "operation", &OPERATION)].into_iter().flatten();
    let when = items(rule, "when").iter().map(|item| WrittenPart { name: "when", items: condition(item) });
    WrittenRule { parts: parts.chain(when).collect(), left_out: Vec::new() }
}

fn clauses(item: &Value, known: &[(&'static str, &'static str, Field)]) -> Vec<WrittenClause> {
    let names = known.iter().flat_map(|(positive, negative, _)| [positive, negative]);
    names.filter_map(|name| clause(name, items(item, name))).collect()
}

fn condition(item: &Value) -> Vec<Vec<WrittenClause>> {
    let key = field(item, "key").and_then(text).unwrap_or_default();
    let [values, not_values] = ["values", "notValues"].map(|name| items(item, name));
    if key != cel::KEY {
        return vec![[values, not_values].into_iter().filter_map(|values| clause(key, values)).collect()];
    }
    // One of the expressions must hold, and none of the others.
    let clauses =
        |values: &[Value<'_>]| -> Vec<WrittenClause> { values.chunks(1).filter_map(|one| clause(key, one)).collect() };
    let failing = clauses(not_values);
    match clauses(values) {
        holding if holding.is_empty() => vec![failing],
        holding => holding.into_iter().map(|clause| [&[clause], failing.as_slice()].concat()).collect(),
    }
}

/// An empty list asks nothing.
fn clause(name: &str, values: &[Value<'_>]) -> Option<WrittenClause> {
    let values: Vec<String> = values.iter().filter_map(text).map(str::to_owned).collect();
    (!values.is_empty()).then(|| WrittenClause { field: name.to_owned(), values })
}

fn field<'v>(value: &'v Value<'v>, name: &str) -> Option<&'v Value<'v>> {
    let Value::Object(fields) = value else { return None };
    let (_, value) = fields.iter().find(|(key, _)| key == name)?;
    (*value != Value::Null).then_some(value)
}

fn items<'v>(value: &'v Value<'v>, name: &str) -> &'v [Value<'v>] {
    field(value, name).map_or(&[], list)
}

fn list<'v>(value: &'v Value<'v>) -> &'v [Value<'v>] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

fn text<'v>(value: &'v Value<'v>) -> Option<&'v str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
