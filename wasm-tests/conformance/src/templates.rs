//! `envoy-uri-template.yaml`: paths and templates, in Envoy's spelling. Those that Istio can spell become rules.

use crate::batch::{Ask, Batch, Row};
use crate::json::{allowing, decided, exchange, field, for_row, numbered, rows, scenario, text};
use serde_json::{Value, json};
use weir_scenario::{Module, Proxy, Request};

const FILE: &str = "envoy-uri-template.yaml";

pub(crate) fn batches() -> Vec<Batch> {
    let Some(table) = weir_testing::read::<Value>(FILE) else { return Vec::new() };
    let mut all: Vec<Row> = rows(&table, "matches").iter().enumerate().map(matched).collect();
    let first = all.len();
    let listed = [("valid", true), ("invalid", false)];
    let listed = listed.iter().flat_map(|(section, valid)| rows(&table, section).iter().map(move |row| (row, *valid)));
    all.extend(listed.enumerate().map(|(number, (row, valid))| accepted(first + number, row, valid)));
    vec![Batch {
        part: FILE.to_owned(),
        rows: all,
        parts: true,
        build: Box::new(|rows| {
            let rules = rows.iter().map(|row| row.config.clone()).collect();
            scenario(Module::Policy, allowing(&json!({"namespace": "shop"}), rules), Proxy::default())
        }),
    }]
}

fn matched((number, row): (usize, &Value)) -> Row {
    let template = istio_spelling(text(row, "template"));
    let request = Request { path: text(row, "path").into(), ..numbered(number) };
    let allow = field(row, "expect") == true;
    Row {
        name: row.to_string(),
        config: rule(number, template.as_deref().unwrap_or_default()),
        ask: match &template {
            Ok(_) => Ask::Answer(vec![exchange(request, decided(allow))]),
            Err(reason) => Ask::Skip((*reason).to_owned()),
        },
    }
}

/// A template that is valid or not.
fn accepted(number: usize, row: &Value, valid: bool) -> Row {
    let template = istio_spelling(row.as_str().unwrap_or_default());
    Row {
        name: format!("{} {row}", if valid { "valid" } else { "invalid" }),
        config: rule(number, template.as_deref().unwrap_or_default()),
        ask: match &template {
            Err(reason) => Ask::Skip((*reason).to_owned()),
            Ok(template) if !template.contains('{') => Ask::Skip("without an operator Istio compares text".to_owned()),
            Ok(_) if valid => Ask::Answer(Vec::new()),
            Ok(_) => Ask::Refuse,
        },
    }
}

fn rule(number: usize, template: &str) -> Value {
    json!({"to": [{"operation": {"paths": [template]}}], "when": for_row(number)})
}

/// Envoy's spelling of a template in Istio's; the error is why Istio has none.
fn istio_spelling(template: &str) -> Result<String, &'static str> {
    let segment = |segment: &str| {
        let variable = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let operator = match variable {
            Some(inner) => inner.split_once('=').map_or("*", |(_, operator)| operator),
            None => segment,
        };
        match operator {
            "*" => Ok("{*}".to_owned()),
            "**" => Ok("{**}".to_owned()),
            _ if variable.is_some() || operator.contains('*') => {
                Err("an operator that does not fill its segment: Envoy has it, Istio does not")
            }
            literal => Ok(literal.to_owned()),
        }
    };
    Ok(template.split('/').map(segment).collect::<Result<Vec<_>, _>>()?.join("/"))
}
