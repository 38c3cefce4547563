//! Policies and limits on a route's path hold for every request that reaches the route, also if its path has parameters.
//! Lines of Envoy differ (CVE-2026-73511), so the expectation comes from Envoy beside us: where a request goes without any
//! filter.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use weir_scenario::{Node, Proxy as Listener, Request, Route, Surroundings, Target};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module};
use weir_testing::Rows;

const PATHS: [&str; 15] = [
    "/login",
    "/login;x",
    "/login;/x",
    "/login/;x",
    "/login;a=b?c;/d",
    "/;/login",
    "/admin/action",
    "/admin;x=y/action",
    "/admin/action;x=y",
    "/admin/action;/x",
    "/admin;/action",
    "/admin;x=y/action;z/more",
    "/;x/admin/action",
    "/other;x/login",
    "/login;/admin/action",
];

/// The routes by what they answer.
fn routes() -> Surroundings {
    let routes = [("below", "/login/"), ("login", "/login"), ("action", "/admin/action"), ("rest", "/")];
    let route = |(name, prefix): (&str, &str)| {
        Route::new(name, prefix, Target::DirectResponse { status: 200, body: name.into() })
    };
    Surroundings { routes: routes.map(route).into(), ..Surroundings::default() }
}

/// The status and body of each path's answer.
fn answers(filter: Option<(&str, Value)>) -> Vec<(u16, String)> {
    let plugin = |(name, configuration): (&str, Value)| Plugin {
        name: name.to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module(name).unwrap(),
        configuration: configuration.to_string(),
    };
    let node = Node { metadata: json!({"NAMESPACE": "a"}).as_object().cloned().unwrap(), ..Node::default() };
    let proxy = Listener { node, ignore_path_parameters: true, ..Listener::default() };
    let plugins = filter.map(plugin).into_iter().collect();
    let mut proxy = match Proxy::start(Setup { plugins, proxy, world: routes(), ..Setup::default() }).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    };
    let mut answer = |path: &str| {
        let response = proxy.send(&Request { path: path.into(), ..Request::default() }).unwrap();
        (response.status.unwrap(), String::from_utf8(response.body.0).unwrap())
    };
    let answers = PATHS.iter().map(|path| answer(path)).collect();
    proxy.stop().unwrap();
    answers
}

fn policy(action: &str, paths: &[&str]) -> (&'static str, Value) {
    let spec = json!({"action": action, "rules": [{"to": [{"operation": {"paths": paths}}]}]});
    let object = json!({"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": "a"}, "spec": spec});
    ("policy", json!({"schema": 1, "name": "t", "workload": {"ignorePathParameters": true}, "policies": [object]}))
}

fn limit(paths: &[&str]) -> (&'static str, Value) {
    let actions = json!([{"actions": [{"generic_key": {"descriptor_value": "all"}}]}]);
    let apply = json!([{"to": [{"operation": {"paths": paths}}], "rate_limits": actions}]);
    let none = json!({"unit": "hour", "requests_per_unit": 0});
    let descriptors = json!([{"key": "generic_key", "value": "all", "rate_limit": none}]);
    let config = json!({"domain": "d", "descriptors": descriptors});
    let document =
        json!({"schema": 1, "name": "t", "ignorePathParameters": true, "apply": apply, "local": {"config": config}});
    ("rate-limit", document)
}

#[test]
fn what_is_said_of_a_routes_path_holds_for_all_that_reach_the_route() {
    let free = answers(None);
    assert!(free.iter().all(|(status, _)| *status == 200), "{free:?}");
    for route in ["login", "action"] {
        assert!(free.iter().filter(|(_, name)| name == route).count() > 1, "{route}: {free:?}");
    }
    let mut rows = Rows::default();
    for (route, paths) in [("login", ["/login"].as_slice()), ("action", &["/admin/action*"])] {
        let (deny, allow) = (answers(Some(policy("DENY", paths))), answers(Some(policy("ALLOW", paths))));
        let limited = answers(Some(limit(paths)));
        let table = PATHS.iter().zip(&free).zip(deny.iter().zip(&allow)).zip(&limited);
        for (((path, (_, reached)), ((denied, _), (allowed, _))), (limited, _)) in table {
            let is_there = reached == route;
            let found = (*denied == 403, *allowed == 200, *limited == 429);
            // Where lines of Envoy differ, and older ones compare otherwise for policies than for routes, rules may refuse
            // more than they would have to.
            let holds = (found.0 || !is_there, !found.1 || is_there, found.2 || !is_there);
            let name = format!("{path} reaches `{reached}`; policies are on `{route}`: {found:?}");
            rows.check(&name, holds, (true, true, true));
            if !path
                .split_once(';')
                .is_some_and(|(_, rest)| rest.split('?').next().is_some_and(|rest| rest.contains('/')))
            {
                rows.check(name, found, (is_there, is_there, is_there));
            }
        }
    }
}
