//! Policies on claims as documentation of Istio and of identity providers has them, and the tokens that such providers issue.

use serde_json::{Value, json};
use weir_scenario::{Protocol, Proxy as Listener, Request};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, jwt_authn, module};

use crate::compare::compare;
use crate::world::{self, Kind, PEER_HEADER};

/// Each rule, and the tokens that it lets through.
fn rules() -> Vec<(Value, &'static [&'static str])> {
    let from = |principals: &[&str]| json!([{"source": {"requestPrincipals": principals}}]);
    let when = |key: &str, values: &[&str]| json!({"when": [{"key": key, "values": values}]});
    let claim = |path: &str, values: &[&str]| when(&format!("request.auth.claims{path}"), values);
    vec![
        (json!({"from": from(&["testing@secure.istio.io/testing@secure.istio.io"])}), &["istio", "istio-groups"]),
        (
            json!({
                "from": from(&["testing@secure.istio.io/testing@secure.istio.io"]),
                "when": [{"key": "request.auth.claims[groups]", "values": ["group1"]}],
            }),
            &["istio-groups"],
        ),
        (json!({"from": from(&["*"])}), &["istio", "istio-groups", "keycloak", "auth0", "entra", "google"]),
        (json!({"from": [{"source": {"notRequestPrincipals": ["*"]}}]}), &["none", "anonymous"]),
        (json!({"from": from(&["https://keycloak.example/realms/shop/*"])}), &["keycloak"]),
        (claim("[realm_access][roles]", &["admin"]), &["keycloak"]),
        (claim("[resource_access][cart][roles]", &["edit*"]), &["keycloak"]),
        (claim("[scope]", &["email"]), &["keycloak", "auth0"]),
        (claim("[permissions]", &["read:*"]), &["auth0"]),
        (claim("[https://shop.example/roles]", &["buyer"]), &["auth0"]),
        (claim("[iss]", &["*.example/", "https://login.example/*"]), &["auth0", "entra"]),
        (when("request.auth.audiences", &["api://cart"]), &["auth0", "entra"]),
        (when("request.auth.presenter", &["web"]), &["keycloak", "google"]),
        (claim("[email]", &["*@shop.example"]), &["google"]),
        // A boolean and a number match nothing, a common mistake.
        (claim("[email_verified]", &["true"]), &[]),
        (claim("[ver]", &["1", "1.0", "2.0"]), &["entra"]),
    ]
}

fn tokens() -> Vec<(&'static str, Option<Value>)> {
    let testing = "testing@secure.istio.io";
    vec![
        ("none", None),
        ("anonymous", Some(json!({"azp": "cli"}))),
        ("istio", Some(json!({"iss": testing, "sub": testing, "foo": "bar", "iat": 1_532_389_700}))),
        (
            "istio-groups",
            Some(
                json!({"iss": testing, "sub": testing, "groups": ["group1", "group2"], "scope": ["scope1", "scope2"]}),
            ),
        ),
        (
            "keycloak",
            Some(json!({
                "iss": "https://keycloak.example/realms/shop", "sub": "8f7c", "azp": "web", "aud": ["account"],
                "realm_access": {"roles": ["offline_access", "admin"]}, "email_verified": true,
                "resource_access": {"cart": {"roles": ["editor"]}, "account": {"roles": ["edit"]}},
                "scope": "openid profile email",
            })),
        ),
        (
            "auth0",
            Some(json!({
                "iss": "https://tenant.example/", "sub": "auth0|42", "aud": ["api://cart", "https://tenant.example/userinfo"],
                "scope": "openid email", "permissions": ["read:items", "write:items"],
                "https://shop.example/roles": ["buyer"],
            })),
        ),
        (
            "entra",
            Some(json!({
                "iss": "https://login.example/0000/v2.0", "sub": "AAAA", "aud": "api://cart", "ver": "2.0",
                "scp": "read", "roles": ["reader"],
            })),
        ),
        (
            "google",
            Some(json!({
                "iss": "https://accounts.example", "sub": "1", "azp": "web", "email": "ann@shop.example",
                "email_verified": true, "ver": 1,
            })),
        ),
    ]
}

#[test]
fn policies_of_documentation_let_the_right_tokens_through() {
    let (mut policies, mut requests, mut allowed) = (Vec::new(), Vec::new(), 0);
    for (number, (mut rule, lets_through)) in rules().into_iter().enumerate() {
        let path = format!("/{number}");
        rule["to"] = json!([{"operation": {"paths": [path]}}]);
        policies.push(json!({
            "kind": "AuthorizationPolicy",
            "metadata": {"name": format!("p{number}"), "namespace": "ns"},
            "spec": {"action": "ALLOW", "rules": [rule]},
        }));
        allowed += 2 * lets_through.len();
        for (_, claims) in tokens() {
            requests.extend([Protocol::H1, Protocol::H2].map(|protocol| Request {
                protocol,
                path: path.as_str().into(),
                jwt: claims.as_ref().and_then(Value::as_object).cloned(),
                ..Request::default()
            }));
        }
    }
    let domains = vec!["cluster.local".to_owned()];
    let workload = world::workload(Kind::Sidecar, &domains);
    let proxy = world::start(Kind::Sidecar, &workload, domains, &policies, (0, PEER_HEADER)).unwrap();
    let tally = compare("tokens", &policies, proxy, &requests);
    assert_eq!(tally.differences(), 0, "{tally}");
    assert_eq!(tally.decisions, [("allow", allowed), ("deny -", requests.len() - allowed)].into(), "{tally}");
}

#[test]
fn ahead_of_the_jwt_filter_there_are_no_claims() {
    let policy = json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "members", "namespace": "ns"},
        "spec": {"action": "ALLOW", "rules": [{"from": [{"source": {"requestPrincipals": ["*"]}}]}]},
    });
    let workload = json!({"namespace": "ns", "labels": {}});
    let document = json!({"schema": 1, "name": "order", "workload": workload, "policies": [policy]});
    let plugin = Plugin {
        name: "policy".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("policy").unwrap(),
        configuration: document.to_string(),
    };
    let claims = json!({"iss": "i", "sub": "s"}).as_object().cloned();
    let request = Request { jwt: claims, ..Request::default() };
    let statuses = [true, false].map(|jwt_first| {
        let native = if jwt_first { Vec::new() } else { vec![jwt_authn()] };
        let proxy = Listener { jwt_authn: jwt_first, ..Listener::default() };
        let setup = Setup { plugins: vec![plugin.clone()], native, proxy, ..Setup::default() };
        let Booted::Ready(mut proxy) = Proxy::start(setup).unwrap() else { panic!("Envoy refused it") };
        let response = proxy.send(&request).unwrap();
        proxy.stop().unwrap();
        response.status
    });
    assert_eq!(statuses, [Some(200), Some(403)]);
}
