//! Which objects a proxy gets, and in which order.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_testing::Rows;

use super::{proxy, rows};
use crate::envoyfilter::Patches;
use crate::line::IstioLine;
use crate::object;
use crate::proxy::{Proxy, ProxyKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    objects: Vec<Object>,
    proxies: Vec<OfProxy>,
    orders: Vec<Order>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    name: String,
    namespaces: Vec<String>,
    #[serde(default)]
    version: Option<String>,
    spec: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProxy {
    rule: String,
    kind: ProxyKind,
    namespace: String,
    labels: BTreeMap<String, String>,
    version: String,
    gets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    rule: String,
    given: Vec<Ranked>,
    expected: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranked {
    name: String,
    namespace: String,
    #[serde(default)]
    priority: i64,
    #[serde(default)]
    created: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Versions {
    from: String,
    rows: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    pattern: String,
    taken: Vec<String>,
    refused: Vec<String>,
}

/// An object with one patch, which says nothing of listeners.
fn filter(name: &str, namespace: &str, mut spec: Value, version: Option<&str>) -> Value {
    let matches = version.map_or(json!({}), |version| json!({"proxy": {"proxyVersion": version}}));
    let patch = json!({"operation": "ADD", "value": {"name": "x"}});
    spec["configPatches"] = json!([{"applyTo": "CLUSTER", "match": matches, "patch": patch}]);
    json!({"kind": "EnvoyFilter", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// The objects whose patches a proxy gets, as `name.namespace`.
fn chosen(objects: &[Value], proxy: &Proxy, line: IstioLine) -> Vec<String> {
    let patches = Patches::select(&object::read(objects).unwrap(), proxy, line).unwrap();
    let short = |title: &str| {
        let (namespace, name) = title.strip_prefix("EnvoyFilter ").unwrap().split_once('/').unwrap();
        format!("{name}.{namespace}")
    };
    patches.all.iter().map(|patch| short(&patch.object)).collect()
}

fn selection() -> Selection {
    rows(include_str!("../rows/selection.yaml"))
}

#[test]
fn a_proxy_gets_those_that_are_for_it() {
    let Selection { objects, proxies, orders: _ } = selection();
    let mut all = Vec::new();
    for Object { name, namespaces, version, spec } in &objects {
        all.extend(namespaces.iter().map(|namespace| filter(name, namespace, spec.clone(), version.as_deref())));
    }
    let mut table = Rows::default();
    for row in proxies {
        let proxy = Proxy { labels: row.labels, ..proxy(row.kind, &row.namespace, Some(&row.version)) };
        table.check(row.rule, chosen(&all, &proxy, IstioLine::V1_28), row.gets);
    }
}

#[test]
fn order() {
    let mut table = Rows::default();
    for row in selection().orders {
        let object = |ranked: &Ranked| {
            let mut object = filter(&ranked.name, &ranked.namespace, json!({"priority": ranked.priority}), None);
            object["metadata"]["creationTimestamp"] = json!(ranked.created);
            object
        };
        let objects: Vec<_> = row.given.iter().map(object).collect();
        table.check(
            row.rule,
            chosen(&objects, &proxy(ProxyKind::Sidecar, "shop", None), IstioLine::V1_28),
            row.expected,
        );
    }
}

impl Versions {
    pub(super) fn check(&self, table: &mut Rows) {
        let taken = |pattern: &str, version: &str, line: IstioLine| {
            let object = filter("e", "shop", json!({}), Some(pattern));
            !chosen(&[object], &proxy(ProxyKind::Sidecar, "shop", Some(version)), line).is_empty()
        };
        for row in &self.rows {
            for (versions, expected) in [(&row.taken, true), (&row.refused, false)] {
                for version in versions {
                    let name = format!("{}: {} of {version}", self.from, row.pattern);
                    table.check(name, taken(&row.pattern, version, IstioLine::V1_28), expected);
                }
            }
        }
        // Since 1.31 a pattern of more than 1,024 bytes matches nothing.
        let long = format!("1|{}", "a".repeat(1024));
        table.check("a long pattern", taken(&long, "1.31.0", IstioLine::V1_30), true);
        table.check("a long pattern in 1.31", taken(&long, "1.31.0", IstioLine::V1_31), false);
    }
}
