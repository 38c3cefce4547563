use crate::Policy;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Filter, Node};
use weir_testing::Rows;

/// Whether a policy of `namespace` with `scope` is for the workload: `yes`, `no`, or the problem.
fn selected(workload: &str, namespace: &str, scope: &str) -> String {
    let document = format!(
        r#"{{"schema":1,"name":"t","workload":{{{workload}}},"policies":[{{"kind":"AuthorizationPolicy",
            "metadata":{{"name":"p","namespace":"{namespace}"}},"spec":{{{scope}"action":"DENY","rules":[{{}}]}}}}]}}"#
    );
    match Policy::compile(document.as_bytes(), &Node::default()) {
        Ok(policy) if policy.rules().0 == 1 => "yes".to_owned(),
        Ok(_) => "no".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

const LABELS: &str = r#""namespace":"shop","labels":{"app":"cart"}"#;
const NO_LABELS: &str = r#""namespace":"shop""#;
/// A pod of the Gateway `edge`.
const EDGE: &str = r#""namespace":"shop","labels":{"app":"cart","gateway.networking.k8s.io/gateway-name":"edge"}"#;
const ROOT_EDGE: &str = r#""namespace":"istio-system","labels":{"gateway.networking.k8s.io/gateway-name":"edge"}"#;

const ALL: &str = "";
const CART: &str = r#""selector":{"matchLabels":{"app":"cart"}},"#;
const STOCK: &str = r#""selector":{"matchLabels":{"app":"stock"}},"#;

/// A `targetRefs` of pairs of group and kind, all of this name.
fn targets(targets: &[(&str, &str)], name: &str) -> String {
    let each = |(group, kind): &(&str, &str)| format!(r#"{{"group":"{group}","kind":"{kind}","name":"{name}"}}"#);
    format!(r#""targetRefs":[{}],"#, targets.iter().map(each).collect::<Vec<_>>().join(","))
}

/// Proxy, workload, namespace of the policy, its targets and their name, what is expected.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

const GATEWAY: (&str, &str) = ("gateway.networking.k8s.io", "Gateway");
const CLASS: (&str, &str) = ("gateway.networking.k8s.io", "GatewayClass");
const ROUTE: (&str, &str) = ("gateway.networking.k8s.io", "HTTPRoute");
const ISTIO_GATEWAY: (&str, &str) = ("networking.istio.io", "Gateway");
const SERVICE: (&str, &str) = ("", "Service");
const ENTRY: (&str, &str) = ("networking.istio.io", "ServiceEntry");

#[test]
fn by_label() {
    let mut rows = Rows::default();
    let cases = [
        ("sidecar", LABELS, "shop", ALL, "yes"),
        ("sidecar", LABELS, "shop", CART, "yes"),
        ("sidecar", LABELS, "shop", STOCK, "no"),
        ("sidecar", LABELS, "stock", ALL, "no"),
        ("sidecar", LABELS, "istio-system", ALL, "yes"),
        ("sidecar", LABELS, "istio-system", CART, "yes"),
        ("sidecar", NO_LABELS, "shop", ALL, "yes"),
        ("sidecar", NO_LABELS, "stock", CART, "no"),
        ("sidecar", NO_LABELS, "shop", CART, "give `workload.labels`"),
        ("sidecar", r#""labels":{}"#, "shop", ALL, "give `workload.namespace`"),
        ("sidecar", EDGE, "shop", ALL, "yes"),
        ("gateway", EDGE, "shop", ALL, "yes"),
        ("gateway", EDGE, "shop", STOCK, "no"),
        // Waypoints take policies by target alone.
        ("waypoint", EDGE, "shop", ALL, "no"),
        ("waypoint", EDGE, "shop", CART, "no"),
        ("waypoint", EDGE, "istio-system", ALL, "no"),
        ("waypoint", LABELS, "shop", CART, "yes"),
        ("waypoint", NO_LABELS, "shop", ALL, "give `workload.labels`"),
        // No kind of proxy is known.
        ("", LABELS, "shop", CART, "yes"),
        ("", NO_LABELS, "shop", ALL, "yes"),
        ("", EDGE, "shop", CART, "say `proxy: gateway` or `proxy: waypoint`"),
        ("", EDGE, "shop", ALL, "say `proxy: gateway` or `proxy: waypoint`"),
        ("", EDGE, "shop", STOCK, "no"),
    ];
    for (proxy, workload, namespace, scope, expected) in cases {
        check(&mut rows, proxy, workload, namespace, scope, expected);
    }
}

#[test]
fn by_target() {
    let mut rows = Rows::default();
    let cases: [Case<'_>; 42] = [
        // A Gateway, of the policy's own namespace only.
        ("gateway", EDGE, "shop", &[GATEWAY], "edge", "yes"),
        ("gateway", EDGE, "shop", &[GATEWAY], "other", "no"),
        ("gateway", EDGE, "stock", &[GATEWAY], "edge", "no"),
        ("gateway", EDGE, "istio-system", &[GATEWAY], "edge", "no"),
        ("gateway", ROOT_EDGE, "istio-system", &[GATEWAY], "edge", "yes"),
        ("waypoint", EDGE, "shop", &[GATEWAY], "edge", "yes"),
        ("waypoint", EDGE, "istio-system", &[GATEWAY], "edge", "no"),
        ("", EDGE, "shop", &[GATEWAY], "edge", "yes"),
        ("sidecar", LABELS, "shop", &[GATEWAY], "edge", "no"),
        ("sidecar", NO_LABELS, "shop", &[GATEWAY], "edge", "no"),
        ("sidecar", EDGE, "shop", &[GATEWAY], "edge", "yes"),
        ("gateway", LABELS, "shop", &[GATEWAY], "edge", "no"),
        ("gateway", NO_LABELS, "shop", &[GATEWAY], "edge", "give `workload.labels`"),
        ("gateway", NO_LABELS, "stock", &[GATEWAY], "edge", "no"),
        // The class of waypoints, in the root namespace only.
        ("waypoint", EDGE, "istio-system", &[CLASS], "istio-waypoint", "yes"),
        ("waypoint", EDGE, "istio-system", &[CLASS], "istio", "no"),
        ("waypoint", EDGE, "shop", &[CLASS], "istio-waypoint", "no"),
        ("waypoint", LABELS, "istio-system", &[CLASS], "istio-waypoint", "no"),
        ("waypoint", NO_LABELS, "istio-system", &[CLASS], "istio-waypoint", "give `workload.labels`"),
        ("gateway", EDGE, "istio-system", &[CLASS], "istio-waypoint", "no"),
        ("sidecar", NO_LABELS, "istio-system", &[CLASS], "istio-waypoint", "no"),
        ("", EDGE, "istio-system", &[CLASS], "istio-waypoint", "say `proxy: gateway` or `proxy: waypoint`"),
        ("", LABELS, "istio-system", &[CLASS], "istio-waypoint", "no"),
        // Services, of any namespace: a waypoint may serve them.
        ("sidecar", NO_LABELS, "shop", &[SERVICE, ENTRY], "cart", "no"),
        ("gateway", NO_LABELS, "shop", &[SERVICE, ENTRY], "cart", "no"),
        ("waypoint", EDGE, "shop", &[SERVICE], "cart", "serves the target is unknown"),
        ("waypoint", EDGE, "stock", &[ENTRY], "cart", "serves the target is unknown"),
        ("", EDGE, "stock", &[SERVICE], "cart", "serves the target is unknown"),
        ("", LABELS, "shop", &[SERVICE], "cart", "no"),
        ("", NO_LABELS, "shop", &[SERVICE], "cart", "give `workload.labels`"),
        // Istio's own Gateways and routes: what serves them is not known.
        ("gateway", LABELS, "shop", &[ISTIO_GATEWAY], "edge", "serves the target is unknown"),
        ("gateway", LABELS, "istio-system", &[ISTIO_GATEWAY], "edge", "serves the target is unknown"),
        ("gateway", LABELS, "stock", &[ISTIO_GATEWAY], "edge", "no"),
        ("sidecar", LABELS, "shop", &[ISTIO_GATEWAY, ROUTE], "edge", "no"),
        ("waypoint", EDGE, "shop", &[ISTIO_GATEWAY, ROUTE], "edge", "no"),
        ("gateway", EDGE, "stock", &[ROUTE], "r", "serves the target is unknown"),
        ("", LABELS, "shop", &[ROUTE], "r", "serves the target is unknown"),
        // One target is enough.
        ("gateway", EDGE, "shop", &[ROUTE, GATEWAY], "edge", "yes"),
        ("gateway", EDGE, "shop", &[GATEWAY, ROUTE], "edge", "yes"),
        ("waypoint", EDGE, "shop", &[SERVICE, GATEWAY], "edge", "yes"),
        ("waypoint", EDGE, "shop", &[GATEWAY, SERVICE], "other", "serves the target is unknown"),
        ("gateway", EDGE, "shop", &[("apps", "Deployment")], "edge", "cannot target kind `Deployment` of group `apps`"),
    ];
    for (proxy, workload, namespace, kinds, name, expected) in cases {
        check(&mut rows, proxy, workload, namespace, &targets(kinds, name), expected);
    }
}

fn check(rows: &mut Rows, proxy: &str, workload: &str, namespace: &str, scope: &str, expected: &str) {
    let with_proxy = if proxy.is_empty() { String::new() } else { format!(r#","proxy":"{proxy}""#) };
    let found = selected(&format!("{workload}{with_proxy}"), namespace, scope);
    let fits = match expected {
        "yes" | "no" => found == expected,
        problem => found.contains(problem) && found.matches('$').count() == 1,
    };
    rows.check(format!("{proxy:?} {workload} {namespace} {scope}: {expected}, found {found}"), fits, true);
}
