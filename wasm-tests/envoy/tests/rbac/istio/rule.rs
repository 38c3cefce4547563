//! One rule as one policy of RBAC (`pilot/pkg/security/authz/model/model.go`).

use serde_json::{Value, json};

use super::matcher::{self, Side};
use super::{Options, list, metadata};

/// A field or condition with its values and those of its `not` twin.
#[derive(Clone)]
struct Clause {
    key: String,
    values: Vec<String>,
    not_values: Vec<String>,
}

/// The fields of a source in the order in which Istio writes their matchers, and the condition each is treated as.
const SOURCE: [(&str, &str); 7] = [
    ("principals", "source.principal"),
    ("requestPrincipals", "request.auth.principal"),
    ("serviceAccounts", "source.serviceAccount"),
    ("trustDomains", "source.trustDomain"),
    ("namespaces", "source.namespace"),
    ("remoteIpBlocks", "remote.ip"),
    ("ipBlocks", "source.ip"),
];
const OPERATION: [(&str, &str); 4] =
    [("hosts", "hosts"), ("methods", "methods"), ("paths", "paths"), ("ports", "destination.port")];

/// Keys that the generators of matchers refuse in a chain that is not HTTP (`forTCP`).
fn is_http_only(key: &str) -> bool {
    matches!(key, "hosts" | "methods" | "paths") || key.starts_with("request.")
}

/// The policy of a rule; `None` for one of ALLOW of which a matcher cannot be made.
pub(super) fn policy(rule: &Value, action: &str, namespace: &str, options: &Options) -> Option<Value> {
    let when: Vec<Clause> = list(&rule["when"])
        .iter()
        .map(|when| Clause {
            key: when["key"].as_str().unwrap_or_default().to_owned(),
            values: texts(&when["values"]),
            not_values: texts(&when["notValues"]),
        })
        .filter(Clause::asks)
        .collect();
    let (permissions, mut principals): (Vec<_>, Vec<_>) =
        when.into_iter().partition(|clause| matcher::side(&clause.key) == Side::Permission);
    let from = list(&rule["from"]);
    // Each source shares the conditions with the others, and each time they are expanded again.
    for clause in &mut principals {
        for _ in 0..from.len().max(1) {
            clause.expand(options);
        }
    }
    let sources = each(from, "source", &SOURCE, |clause| clause.expand(options));
    let operations = each(list(&rule["to"]), "operation", &OPERATION, |_| ());
    // `checkError`: an error is one for ALLOW alone; elsewhere what it is about is left out.
    let fails = |clause: &Clause| options.tcp && is_http_only(&clause.key);
    let given = sources.iter().chain(&operations).flatten().chain(&permissions).chain(&principals);
    if action == "ALLOW" && given.into_iter().any(fails) {
        return None;
    }
    let all = |own: Vec<Clause>, common: &[Clause], side: Side| {
        let clauses = own.iter().chain(common).filter(|clause| !fails(clause));
        let mut matchers: Vec<Value> =
            clauses.flat_map(|clause| clause.matchers(side, namespace, options.filter_state)).collect();
        if matchers.is_empty() {
            matchers.push(json!({"any": true}));
        }
        side.all(matchers)
    };
    let permissions: Vec<_> = operations.into_iter().map(|own| all(own, &permissions, Side::Permission)).collect();
    let principals: Vec<_> = sources.into_iter().map(|own| all(own, &principals, Side::Principal)).collect();
    Some(json!({"permissions": permissions, "principals": principals}))
}

/// The clauses of each item of `from` or `to`; of one without clauses where there is no item.
fn each(items: &[Value], inner: &str, fields: &[(&str, &str)], change: impl Fn(&mut Clause)) -> Vec<Vec<Clause>> {
    let clauses = |item: &Value| {
        let clause = |(field, key): &(&str, &str)| {
            let (first, rest) = field.split_at(1);
            let not = format!("not{}{rest}", first.to_uppercase());
            let (values, not_values) = (texts(&item[inner][*field]), texts(&item[inner][&not]));
            let mut clause = Clause { key: (*key).to_owned(), values, not_values };
            change(&mut clause);
            clause
        };
        fields.iter().map(clause).filter(Clause::asks).collect()
    };
    if items.is_empty() { vec![Vec::new()] } else { items.iter().map(clauses).collect() }
}

impl Clause {
    fn asks(&self) -> bool {
        !self.values.is_empty() || !self.not_values.is_empty()
    }

    /// `MigrateTrustDomain`
    fn expand(&mut self, options: &Options) {
        for values in [&mut self.values, &mut self.not_values] {
            match self.key.as_str() {
                "source.principal" => *values = options.bundle.replace_aliases(values),
                "source.trustDomain" => *values = options.bundle.expand_aliases(values),
                _ => {}
            }
        }
    }

    fn matchers(&self, side: Side, namespace: &str, filter_state: bool) -> Vec<Value> {
        let either = |values: &[String]| {
            let one = |value: &String| matcher::one(&self.key, value, namespace, filter_state);
            let any = || side.any(values.iter().map(one).collect());
            (!values.is_empty()).then(|| metadata::matcher(side, &self.key, values).unwrap_or_else(any))
        };
        let negated = either(&self.not_values).map(|matcher| side.not(&matcher));
        either(&self.values).into_iter().chain(negated).collect()
    }
}

fn texts(values: &Value) -> Vec<String> {
    list(values).iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
}
