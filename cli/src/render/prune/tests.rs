use super::prune;
use crate::render::sources::{Policy, Sources};
use crate::render::workload::{GATEWAY_NAME, Known, Labels, Proxy, Workload};
use crate::tree::Tree;
use serde_json::{Value, json};
use weir_testing::Rows;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn workload(proxy: Proxy, labels: &[(&str, &str)], known: Known) -> Workload {
    Workload {
        namespace: "shop".to_owned(),
        name: "cart".to_owned(),
        selector: self::labels(labels),
        labels: self::labels(labels),
        known,
        proxy,
        target: None,
    }
}

fn policy(namespace: &str, scope: Value) -> Policy {
    let mut spec = json!({"action": "ALLOW", "rules": [{}]});
    spec.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    let object =
        json!({"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": namespace}, "spec": spec});
    Sources::of(vec![Tree::named("f.yaml", object)], None).unwrap().policies.remove(0)
}

fn selector(pairs: &[(&str, &str)]) -> Value {
    json!({"selector": {"matchLabels": labels(pairs)}})
}

fn gateway(name: &str) -> Value {
    gateways(&[name])
}

fn gateways(names: &[&str]) -> Value {
    let target = |name: &&str| json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name});
    json!({"targetRefs": names.iter().map(target).collect::<Vec<_>>()})
}

/// Name, proxy, known labels, namespace and scope of the policy, what is expected.
type Case<'a> = (&'a str, Proxy, &'a [(&'a str, &'a str)], &'a str, Value, &'a str);

/// Istio's rules (`pilot/pkg/model/policyattachment.go`), and what is not known of the pods' labels.
#[test]
fn a_policy_is_kept_where_it_is_selected_or_may_be() {
    let cart: &[(&str, &str)] = &[("app", "cart")];
    let edge: &[(&str, &str)] = &[(GATEWAY_NAME, "edge")];
    let v1: &[(&str, &str)] = &[("app", "cart"), ("version", "v1")];
    let by_gateway = "kept, undecided by gateway.networking.k8s.io/gateway-name";
    let cases: [Case<'_>; 20] = [
        ("whole namespace", Proxy::Sidecar, cart, "shop", json!({}), "kept"),
        ("another namespace", Proxy::Sidecar, cart, "stock", json!({}), "left out"),
        ("root namespace", Proxy::Sidecar, cart, "istio-system", json!({}), "kept"),
        ("own label", Proxy::Sidecar, cart, "shop", selector(cart), "kept"),
        ("another value", Proxy::Sidecar, cart, "shop", selector(&[("app", "stock")]), "left out"),
        ("a label besides", Proxy::Sidecar, cart, "shop", selector(v1), "kept, undecided by version"),
        ("only another label", Proxy::Sidecar, cart, "shop", selector(&[("tier", "web")]), "kept, undecided by tier"),
        (
            "another value and another label",
            Proxy::Sidecar,
            cart,
            "shop",
            selector(&[("app", "x"), ("tier", "web")]),
            "left out",
        ),
        ("another label elsewhere", Proxy::Sidecar, cart, "stock", selector(&[("tier", "web")]), "left out"),
        ("own Gateway", Proxy::Gateway, edge, "shop", gateway("edge"), "kept"),
        ("another Gateway", Proxy::Gateway, edge, "shop", gateway("east"), "left out"),
        ("a Gateway by another label", Proxy::Gateway, &[("team", "edge")], "shop", gateway("edge"), by_gateway),
        ("one of several Gateways", Proxy::Gateway, edge, "shop", gateways(&["east", "edge"]), "kept"),
        ("several Gateways by another label", Proxy::Gateway, cart, "shop", gateways(&["east", "edge"]), by_gateway),
        ("another label, and a Gateway elsewhere", Proxy::Gateway, cart, "stock", gateway("edge"), "left out"),
        ("a Gateway elsewhere", Proxy::Gateway, edge, "istio-system", gateway("edge"), "left out"),
        ("a Gateway's sidecar", Proxy::Sidecar, cart, "shop", gateway("cart"), "left out"),
        ("a waypoint by target", Proxy::Waypoint, edge, "shop", gateway("edge"), "kept"),
        ("a waypoint without target", Proxy::Waypoint, edge, "shop", json!({}), "left out, no target"),
        ("a waypoint by label", Proxy::Waypoint, edge, "shop", selector(edge), "left out, no target"),
    ];
    let mut rows = Rows::default();
    for (name, proxy, known, namespace, scope, expected) in cases {
        let policies = [policy(namespace, scope)];
        let section = json!({"namespace": "shop", "proxy": proxy.word()});
        let pruned = prune(&policies, &workload(proxy, known, Known::Selector), &section).unwrap();
        let mut found = if pruned.kept.is_empty() { "left out" } else { "kept" }.to_owned();
        for (_, keys) in &pruned.undecided {
            found += &format!(", undecided by {}", keys.join(" "));
        }
        if !pruned.without_target.is_empty() {
            found += ", no target";
        }
        rows.check(name, found, expected.to_owned());
    }
}

#[test]
fn with_all_labels_nothing_is_undecided() {
    let known = [("app", "cart"), ("version", "v1")];
    let section = json!({"namespace": "shop", "proxy": "sidecar"});
    let mut rows = Rows::default();
    for (label, kept) in [(("version", "v1"), 1), (("version", "v2"), 0), (("tier", "web"), 0)] {
        let policies = [policy("shop", selector(&[label]))];
        let pruned = prune(&policies, &workload(Proxy::Sidecar, &known, Known::Given), &section).unwrap();
        rows.check(format!("{label:?}"), (pruned.kept.len(), pruned.undecided.len()), (kept, 0));
    }
}

#[test]
fn what_nobody_can_tell_is_a_problem_with_file_and_policy() {
    let route = json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r"}]});
    let broken = json!({"selector": {"matchLabel": {}}});
    let mut rows = Rows::default();
    for (scope, expected) in [
        (route, "f.yaml: error: AuthorizationPolicy shop/p: $: whether this proxy serves the target is unknown"),
        (
            broken,
            "f.yaml: error: AuthorizationPolicy shop/p: $.spec.selector.matchLabel: unknown field; did you mean `matchLabels`?",
        ),
    ] {
        let policies = [policy("shop", scope)];
        let section = json!({"namespace": "shop", "proxy": "gateway"});
        let found =
            prune(&policies, &workload(Proxy::Gateway, &[("app", "edge")], Known::Given), &section).unwrap_err();
        rows.contains(expected, &found.join("\n"), expected);
    }
}
