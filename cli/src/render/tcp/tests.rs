use crate::render::tests::{everything, of_module, policy, render, wanted};
use crate::render::{Form, Proxy, Wanted};
use serde_json::{Value, json};
use weir_testing::Rows;

fn service(name: &str, app: &str, ports: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"app": app}, "ports": ports},
    })
}

/// `pilot/pkg/serviceregistry/kube/conversion.go` and `protocol.Parse` of Istio say what a port is.
#[test]
fn policies_that_guard_tcp_are_named() {
    let wanted = wanted(Form::EnvoyFilter, Proxy::Sidecar);
    let mut rows = Rows::default();
    let mut check = |name: &str, wanted: &Wanted, more: Value, expected: &str| {
        let files: Vec<Value> = everything().into_iter().chain([more]).collect();
        let notes = render(wanted, &files).unwrap().notes;
        let found: Vec<&String> = notes.iter().filter(|note| note.contains("TCP streams")).collect();
        rows.check(name, found.len(), usize::from(!expected.is_empty()));
        rows.contains(name, &notes.join("\n"), expected);
    };
    let port = |name: &str| json!([{"name": name, "port": 6379}]);
    let to = |operation: Value| json!({"action": "ALLOW", "rules": [{"to": [{"operation": operation}]}]});
    let own = json!({"app": "cart"});
    for (name, more, expected) in [
        ("nothing", json!({"kind": "Other"}), ""),
        ("a TCP port", service("cart", "cart", port("tcp-redis")), "Service shop/cart has TCP ports: `tcp-redis` 6379"),
        ("redis", service("cart", "cart", port("redis")), "Service shop/cart has TCP ports"),
        ("an HTTP port", service("cart", "cart", port("http-api")), ""),
        ("a name that begins so", service("cart", "cart", port("tcpdump")), ""),
        ("a name that says nothing", service("cart", "cart", port("api")), ""),
        ("UDP", service("cart", "cart", json!([{"name": "tcp-x", "port": 1, "protocol": "UDP"}])), ""),
        ("the protocol wins", service("cart", "cart", json!([{"name": "tcp", "port": 1, "appProtocol": "http"}])), ""),
        (
            "only the protocol",
            service("cart", "cart", json!([{"port": 1, "appProtocol": "mysql"}])),
            "has TCP ports: 1",
        ),
        ("of another workload", service("stock", "stock", port("tcp")), ""),
        ("ports", policy("p", own.clone(), to(json!({"ports": ["6379"]}))), "AuthorizationPolicy shop/p names ports"),
        (
            "not ports",
            policy("p", own.clone(), to(json!({"notPorts": ["1"]}))),
            "AuthorizationPolicy shop/p names ports",
        ),
        (
            "a condition",
            policy("p", own.clone(), json!({"rules": [{"when": [{"key": "destination.port", "values": ["1"]}]}]})),
            "AuthorizationPolicy shop/p names ports",
        ),
        ("ports of others", policy("p", json!({"app": "stock"}), to(json!({"ports": ["6379"]}))), ""),
    ] {
        check(name, &wanted, more, expected);
    }
    let tcp = service("cart", "cart", port("tcp"));
    check("without Istio", &crate::render::tests::wanted(Form::Envoy, Proxy::Sidecar), tcp.clone(), "");
    let limits = of_module(crate::compile::Module::RateLimit, wanted);
    check("without policies", &limits, tcp, "");
}
