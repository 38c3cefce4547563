//! The facts of `rows/*.yaml`, each compared with what comes out here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use weir_testing::Rows;

use super::matching::ObjectMatch;
use super::{Context, Patches, added_clusters, patch_cluster, patch_listeners, patch_routes};
use crate::line::IstioLine;
use crate::object;
use crate::proxy::{Proxy, ProxyKind};

mod selection;
mod shorthand;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rule: String,
    #[serde(default)]
    from: String,
    context: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, Value>,
    #[serde(default)]
    priorities: Vec<i64>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default = "yes")]
    adds: bool,
    patches: Vec<Value>,
    given: Value,
    expected: Value,
}

fn yes() -> bool {
    true
}

fn rows<T: DeserializeOwned>(text: &str) -> T {
    serde_yaml_ng::from_str(text).unwrap()
}

fn context(name: &str) -> Context {
    match name {
        "SIDECAR_INBOUND" => Context::SidecarInbound,
        "SIDECAR_OUTBOUND" => Context::SidecarOutbound,
        "GATEWAY" => Context::Gateway,
        other => panic!("{other}"),
    }
}

/// A proxy without a configuration.
fn proxy(kind: ProxyKind, namespace: &str, version: Option<&str>) -> Proxy {
    let metadata = version.map(|version| ("ISTIO_VERSION".to_owned(), json!(version))).into_iter().collect();
    Proxy {
        kind,
        namespace: namespace.to_owned(),
        labels: BTreeMap::new(),
        root_namespace: "istio-system".to_owned(),
        metadata,
        services: Vec::new(),
        listeners: Vec::new(),
        routes: Vec::new(),
        clusters: Vec::new(),
        port_map: BTreeMap::new(),
    }
}

impl Row {
    /// Each patch in an object of its own.
    fn patches(&self) -> Patches {
        let object = |(index, patch): (usize, &Value)| {
            json!({
                "kind": "EnvoyFilter",
                "metadata": {"name": format!("patch-{index:02}"), "namespace": "shop"},
                "spec": {"priority": self.priorities.get(index).copied().unwrap_or(0), "configPatches": [patch]},
            })
        };
        let objects: Vec<_> = self.patches.iter().enumerate().map(object).collect();
        let mut proxy = proxy(ProxyKind::Sidecar, "shop", self.version.as_deref());
        proxy.metadata.extend(self.metadata.clone());
        Patches::select(&object::read(&objects).unwrap(), &proxy, IstioLine::V1_31).unwrap()
    }

    fn name(&self) -> String {
        format!("{} {}", self.rule, self.from)
    }
}

#[test]
fn listeners() {
    let mut table = Rows::default();
    let all: Vec<Row> = rows(include_str!("rows/listeners.yaml"));
    assert!(all.len() > 30, "{} rows", all.len());
    for row in all {
        let mut found = shorthand::listeners(&row.given);
        let patched = patch_listeners(&row.patches(), context(&row.context), &mut found, row.adds);
        table.check(row.name(), patched.map(|()| json!(found)), Ok(json!(shorthand::listeners(&row.expected))));
    }
}

#[test]
fn routes() {
    let mut table = Rows::default();
    for row in rows::<Vec<Row>>(include_str!("rows/routes.yaml")) {
        let mut found = row.given.clone();
        patch_routes(&row.patches(), context(&row.context), &BTreeMap::new(), &mut found);
        table.check(row.name(), &found, &row.expected);
    }
}

#[test]
fn clusters() {
    let mut table = Rows::default();
    for row in rows::<Vec<Row>>(include_str!("rows/clusters.yaml")) {
        let patches = row.patches();
        let mut found = Vec::new();
        for cluster in row.given.as_array().unwrap() {
            found.extend(patch_cluster(&patches, context(&row.context), cluster.clone(), &row.hosts).unwrap());
        }
        found.extend(added_clusters(&patches, context(&row.context)));
        table.check(row.name(), json!(found), row.expected.clone());
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matches {
    hosts: Section,
    routes: Section,
    configurations: Section,
    clusters: Section,
    versions: selection::Versions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    from: String,
    #[serde(default)]
    given: Value,
    rows: Vec<Match>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    rule: String,
    #[serde(default)]
    context: Option<String>,
    #[serde(rename = "match")]
    matches: Value,
    #[serde(default)]
    given: Value,
    #[serde(default)]
    ports: BTreeMap<u64, Vec<u64>>,
    #[serde(default)]
    hosts: Vec<String>,
    taken: bool,
}

#[test]
fn matches() {
    let all: Matches = rows(include_str!("rows/matches.yaml"));
    let mut table = Rows::default();
    let mut check =
        |from: &str, row: &Match, found: bool| table.check(format!("{from}: {}", row.rule), found, row.taken);
    for row in &all.hosts.rows {
        let matches = ObjectMatch::Route(json!({"vhost": row.matches}));
        check(&all.hosts.from, row, matches.takes_host(&all.hosts.given));
    }
    for row in &all.routes.rows {
        let matches = ObjectMatch::Route(json!({"vhost": {"route": row.matches}}));
        check(&all.routes.from, row, matches.takes_route(&row.given));
    }
    for row in &all.configurations.rows {
        let (matches, given) = (ObjectMatch::Route(row.matches.clone()), json!({"name": row.given}));
        let context = context(row.context.as_deref().unwrap());
        let found = matches.takes_routes(context, &given, |port| row.ports.get(&port).cloned());
        check(&all.configurations.from, row, found);
    }
    for row in &all.clusters.rows {
        let matches = ObjectMatch::Cluster(row.matches.clone());
        check(&all.clusters.from, row, matches.takes_cluster(&json!({"name": row.given}), &row.hosts));
    }
    all.versions.check(&mut table);
}

/// Of `pilot/pkg/networking/core/envoyfilter/extension_configuration_patch_test.go`, TestInsertedExtensionConfig.
#[test]
fn extension_configs_are_served_by_name_if_they_are_added() {
    let add = |name: &str, operation: &str| {
        json!({
            "applyTo": "EXTENSION_CONFIG",
            "match": {"context": "SIDECAR_OUTBOUND"},
            "patch": {"operation": operation, "value": {"name": name}},
        })
    };
    let patches = [add("a", "ADD"), add("b", "ADD"), add("c", "MERGE")];
    let object = json!({"kind": "EnvoyFilter", "metadata": {"name": "e", "namespace": "shop"}, "spec": {"configPatches": patches}});
    let objects = object::read(&[object]).unwrap();
    let patches = Patches::select(&objects, &proxy(ProxyKind::Sidecar, "shop", None), IstioLine::V1_28).unwrap();
    let mut table = Rows::default();
    for (asked, expected) in [(vec!["a", "b"], vec!["a", "b"]), (vec!["other"], vec![]), (vec!["c"], vec![])] {
        let asked: Vec<_> = asked.into_iter().map(str::to_owned).collect();
        let found = patches.extension_configs(&asked);
        let names: Vec<_> = found.iter().map(|resource| resource["name"].as_str().unwrap()).collect();
        table.check(format!("{asked:?}"), names, expected);
    }
}

#[test]
fn what_istio_would_pass_over_or_refuse_is_an_error() {
    let mut table = Rows::default();
    let patch = |apply_to: &str, matches: Value, operation: &str| json!({"applyTo": apply_to, "match": matches, "patch": {"operation": operation, "value": {"name": "x"}}});
    let manager = "envoy.filters.network.http_connection_manager";
    let sub = |filter: Value, sub: Value| json!({"listener": {"filterChain": {"filter": {"name": filter, "subFilter": sub}}}});
    for (rule, patch, line, expected) in [
        ("an unknown object", patch("ROUTER", json!({}), "ADD"), IstioLine::V1_31, "`spec.configPatches[0].applyTo`"),
        ("a bootstrap", patch("BOOTSTRAP", json!({}), "MERGE"), IstioLine::V1_31, "not emulated"),
        (
            "an unknown context",
            patch("LISTENER", json!({"context": "INBOUND"}), "ADD"),
            IstioLine::V1_31,
            "a context of Istio 1.31",
        ),
        (
            "waypoints before 1.29",
            patch("LISTENER", json!({"context": "WAYPOINT"}), "ADD"),
            IstioLine::V1_28,
            "a context of Istio 1.28",
        ),
        (
            "a match of waypoints",
            patch("HTTP_FILTER", json!({"waypoint": {}}), "ADD"),
            IstioLine::V1_31,
            "SIDECAR_INBOUND with targetRefs",
        ),
        ("an unknown operation", patch("LISTENER", json!({}), "PUT"), IstioLine::V1_31, "an operation of Istio 1.31"),
        (
            "lists replaced before 1.31",
            patch("LISTENER", json!({}), "MERGE_AND_REPLACE_LIST"),
            IstioLine::V1_30,
            "an operation of Istio 1.30",
        ),
        (
            "a match of another object",
            patch("HTTP_FILTER", json!({"cluster": {}}), "ADD"),
            IstioLine::V1_31,
            "HttpFilter names",
        ),
        (
            "two matches",
            patch("CLUSTER", json!({"cluster": {}, "listener": {}}), "ADD"),
            IstioLine::V1_31,
            "of one kind",
        ),
        (
            "a filter without a name",
            patch("NETWORK_FILTER", json!({"listener": {"filterChain": {"filter": {"sni": "x"}}}}), "ADD"),
            IstioLine::V1_31,
            "the name of a filter",
        ),
        (
            "a sub-filter of another filter",
            patch("HTTP_FILTER", sub(json!("tcp"), json!({"name": "a"})), "ADD"),
            IstioLine::V1_31,
            manager,
        ),
        (
            "a sub-filter without a name",
            patch("HTTP_FILTER", sub(json!(manager), json!({})), "ADD"),
            IstioLine::V1_31,
            "a name, with",
        ),
        (
            "a version that is no pattern",
            patch("LISTENER", json!({"proxy": {"proxyVersion": "("}}), "ADD"),
            IstioLine::V1_31,
            "a regular expression",
        ),
        (
            "no value",
            json!({"applyTo": "LISTENER", "patch": {"operation": "ADD"}}),
            IstioLine::V1_31,
            "`spec.configPatches[0].patch.value`: expected an object",
        ),
    ] {
        let object = json!({"kind": "EnvoyFilter", "metadata": {"name": "e", "namespace": "shop"}, "spec": {"configPatches": [patch]}});
        let objects = object::read(&[object]).unwrap();
        let error = Patches::select(&objects, &proxy(ProxyKind::Sidecar, "shop", None), line).unwrap_err().to_string();
        table.contains(rule, &error, expected);
        table.contains(rule, &error, "EnvoyFilter shop/e");
    }
}

#[test]
fn a_merge_of_two_types_makes_istiod_panic() {
    let patch = json!({
        "applyTo": "NETWORK_FILTER",
        "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": {"name": "a"}}}},
        "patch": {"operation": "MERGE", "value": {"name": "a", "typed_config": {"@type": "t/B"}}},
    });
    let row = Row { patches: vec![patch], ..rows("{rule: r, context: GATEWAY, patches: [], given: 0, expected: 0}") };
    let mut given = vec![json!({"filter_chains": [{"filters": [{"name": "a", "typed_config": {"@type": "t/A"}}]}]})];
    let error = patch_listeners(&row.patches(), Context::Gateway, &mut given, true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "EnvoyFilter shop/patch-00: `spec.configPatches[0].patch.value`: istiod cannot merge it: `A` with `B`"
    );
}
