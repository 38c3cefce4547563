//! The samples of `envoy-configs/istio`: envoyfilter.yaml and wasmplugin.yaml.

use serde_json::{Value, json};
use weir_test_istio::{Client, Mesh, Options, Proxy, apply};
use weir_testing::Rows;

use crate::mesh::{
    Outcome, Registry, by_method, configuration, enforcing, for_gateway, for_waypoint, line, request, samples, start,
    status,
};

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";
const OTHER: &str = "spiffe://cluster.local/ns/shop/sa/other";

/// As they are, they refuse nothing, at the sidecar and everywhere else.
#[test]
fn in_shadow_mode_every_request_passes() -> Outcome {
    let mut rows = Rows::default();
    for object in samples() {
        let title = object["kind"].to_string();
        let running = start(Proxy::sidecar()?, object)?;
        for (client, method) in
            [(Client::PLAIN, "DELETE"), (Client::PLAIN.of(WEB), "GET"), (Client::OUTBOUND, "DELETE")]
        {
            let name = format!("{title}: {method} {client:?}");
            rows.check(name, status(&running, &client, &request(method, "/cart"))?, 200);
        }
        rows.check(&title, running.received(), 3);
        let loaded = running.stats()?.get("wasm.envoy.wasm.runtime.v8.active").copied().unwrap_or(0);
        rows.check(format!("{title}: {loaded} VMs"), loaded > 0, true);
    }
    Ok(())
}

/// With what their comments say, the policy decides by identity, method and path, on inbound connections only, and the limits
/// hold, here with smaller numbers.
#[test]
fn at_the_sidecar_they_decide() -> Outcome {
    let mut rows = Rows::default();
    for mut object in samples().map(enforcing) {
        let limit = "/rateLimit/local/config/descriptors/0/rate_limit/requests_per_unit";
        *configuration(&mut object).pointer_mut(limit).unwrap() = json!(10);
        let title = object["kind"].to_string();
        let running = start(Proxy::sidecar()?, object)?;
        let elsewhere = Client { destination: Some("10.1.1.1:8090".parse()?), ..Client::PLAIN };
        for (rule, client, method, path, expected) in [
            ("the identity that the policy names", Client::PLAIN.of(WEB), "GET", "/cart", 200),
            ("another path below", Client::PLAIN.of(WEB), "POST", "/cart/items", 200),
            ("a method that it does not name", Client::PLAIN.of(WEB), "DELETE", "/cart", 403),
            ("a path that it does not name", Client::PLAIN.of(WEB), "GET", "/admin", 403),
            ("another identity", Client::PLAIN.of(OTHER), "GET", "/cart", 403),
            ("no identity", Client::PLAIN, "GET", "/cart", 403),
            ("a port that no Service names", elsewhere.clone(), "GET", "/cart", 403),
            ("the same from the workload itself, outbound", Client::OUTBOUND, "DELETE", "/cart", 200),
        ] {
            rows.check(format!("{title}: {rule}"), status(&running, &client, &request(method, path))?, expected);
        }
        let mut often = request("GET", "/cart");
        often.headers = serde_json::from_value(json!({"x-user": "ann"}))?;
        let statuses = running.send_often(&Client::PLAIN.of(WEB), &often, 250)?;
        rows.check(format!("{title}: some are limited"), statuses.contains(&429), true);
        rows.check(format!("{title}: nothing else"), statuses.iter().all(|status| [200, 429].contains(status)), true);
    }
    Ok(())
}

#[test]
fn at_other_proxies_they_decide() -> Outcome {
    let mut rows = Rows::default();
    let with_tunnels = |mut object: Value| {
        by_method(&mut object, "shop", &json!({"selector": {"matchLabels": {"app": "cart"}}}));
        object
    };
    for (proxy, clients, objects) in [
        (Proxy::gateway()?, vec![Client::EDGE], samples().map(for_gateway)),
        (Proxy::waypoint()?, vec![Client::WAYPOINT], samples().map(for_waypoint)),
        (Proxy::hbone_sidecar()?, vec![Client::HBONE, Client::PLAIN], samples().map(with_tunnels)),
    ] {
        for object in objects.map(enforcing) {
            let title = format!("{} {:?}", object["kind"], proxy.kind);
            let running = start(proxy.clone(), object)?;
            for client in &clients {
                for (method, path, expected) in
                    [("GET", "/cart", 200), ("DELETE", "/cart", 403), ("GET", "/admin", 403)]
                {
                    let found = status(&running, client, &request(method, path))?;
                    rows.check(format!("{title}: {} {method} {path}", client.listener), found, expected);
                }
            }
        }
    }
    Ok(())
}

/// Without its last two patches the EnvoyFilter would decide the CONNECT requests that tunnels are made by.
#[test]
fn the_listener_that_ends_tunnels_is_left_alone() -> Outcome {
    let mut rows = Rows::default();
    let [envoyfilter, wasmplugin] = samples();
    let mut shorter = envoyfilter.clone();
    shorter["spec"]["configPatches"].as_array_mut().unwrap().truncate(3);
    for (what, object, expected) in [
        ("EnvoyFilter", envoyfilter, vec![]),
        ("EnvoyFilter without the patches", shorter, vec!["connect_terminate"]),
        ("WasmPlugin", wasmplugin, vec![]),
    ] {
        let report = apply(&[object], &Proxy::hbone_sidecar()?, line())?.report;
        rows.check(what, report.unseen, expected);
    }
    Ok(())
}

/// The samples are for one workload's inbound side: other proxies get nothing of them.
#[test]
fn other_proxies_get_nothing() -> Outcome {
    let mut rows = Rows::default();
    let mut others = vec![Proxy::gateway()?, Proxy::waypoint()?];
    let mut stock = Proxy::sidecar()?;
    stock.labels.insert("app".to_owned(), "stock".to_owned());
    let mut elsewhere = Proxy::sidecar()?;
    "bank".clone_into(&mut elsewhere.namespace);
    others.extend([stock, elsewhere]);
    for object in samples() {
        for (position, proxy) in others.iter().enumerate() {
            let name = format!("{} in proxy {position}", object["kind"]);
            let with = apply(std::slice::from_ref(&object), proxy, line())?;
            let without = apply(&[], proxy, line())?;
            rows.check(&name, with.listeners == without.listeners && with.extensions.is_empty(), true);
            rows.check(&name, with.report.idle.is_empty(), false);
        }
    }
    Ok(())
}

/// Without the image the agent's stand-in lets requests pass or refuses them, as the failure policy says.
#[test]
fn without_the_image_the_failure_policy_decides() -> Outcome {
    let mut rows = Rows::default();
    for object in samples() {
        for (object, expected) in [(object.clone(), 200), (enforcing(object), 403)] {
            let mut mesh = Mesh::new(Proxy::sidecar()?, line())?;
            let objects = std::slice::from_ref(&object);
            let running = mesh.start(objects, &mut Registry { image: None }, Options::default())?;
            let client = Client::PLAIN.of(WEB);
            let found = running.send(&client, &request("GET", "/cart"))?;
            rows.check(format!("{}: {expected}", object["kind"]), found.status, Some(expected));
            let stats = running.stats()?;
            let counted = |ending: &str| stats.iter().any(|(name, value)| name.ends_with(ending) && *value == 1);
            let ending = if expected == 200 { "wasm-default-allow.denied" } else { "wasm-default-deny.denied" };
            rows.check(format!("{}: {ending}", object["kind"]), counted(ending), expected == 403);
        }
    }
    Ok(())
}
