//! Whether a document and the routes around it agree on path parameters.

use super::*;
use crate::check::Elsewhere;

fn with_paths(field: &str) -> Value {
    let policies = json!([{
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"to": [{"operation": {field: ["/admin"]}}]}]},
    }]);
    suite(json!({"policy": {"policies": policies}}))
}

/// A listener with the plugin, and routes with `option`.
fn manager(document: Value, option: Option<bool>) -> Value {
    let mut routes = json!({"virtual_hosts": []});
    if let Some(on) = option {
        routes["ignore_path_parameters_in_path_matching"] = json!(on);
    }
    let filter = filter(HTTP, document, json!({"failure_policy": "FAIL_RELOAD"}));
    json!({"typed_config": {"route_config": routes, "http_filters": [filter]}})
}

#[test]
fn paths_are_compared_as_the_routes_compare_them() {
    let inner = "$.listeners[0].typed_config.http_filters[0].typed_config.config.configuration.value";
    let missing = format!(
        "{inner}.policy.workload.ignorePathParameters: $.listeners[0].typed_config.route_config.\
         ignore_path_parameters_in_path_matching makes Envoy ignore path parameters"
    );
    let listeners = |list: Value| json!({"listeners": list});
    let apply = suite(json!({"rateLimit": {
        "apply": [{"to": [{"operation": {"paths": ["/admin"]}}], "rate_limits": []}],
        "local": {"config": {"domain": "d", "descriptors": []}},
    }}));
    let limits_missing = format!("{inner}.rateLimit.ignorePathParameters: ");
    let no_paths = || with_paths("methods");
    let patch = json!({"ignorePathParametersInPathMatching": true});
    let plugin = filter(HTTP, with_paths("paths"), json!({"failure_policy": "FAIL_RELOAD"}));
    expect(&[
        ("on", listeners(json!([manager(with_paths("paths"), Some(true))])), &[&missing]),
        ("on, notPaths", listeners(json!([manager(with_paths("notPaths"), Some(true))])), &[&missing]),
        ("on, limits", listeners(json!([manager(apply, Some(true))])), &[&limits_missing]),
        ("off", listeners(json!([manager(with_paths("paths"), Some(false))])), &[]),
        ("absent", listeners(json!([manager(with_paths("paths"), None)])), &[]),
        ("no paths", listeners(json!([manager(no_paths(), Some(true))])), &[]),
        (
            "on in another listener",
            listeners(json!([manager(with_paths("paths"), None), manager(no_paths(), Some(true))])),
            &[],
        ),
        (
            "on in a patch",
            json!({"kind": "EnvoyFilter", "spec": {"configPatches": [plugin, patch]}}),
            &["$.spec.configPatches[0].typed_config.config.configuration.value.policy.workload.ignorePathParameters: \
               $.spec.configPatches[1].ignorePathParametersInPathMatching makes Envoy ignore"],
        ),
    ]);
}

#[test]
fn paths_that_lose_parameters_here_alone_are_reported() {
    let mut document = with_paths("paths");
    document["policy"]["workload"] = json!({"ignorePathParameters": true});
    let about = |option: Option<bool>| -> Vec<String> {
        let lines = diagnostics(&json!({"listeners": [manager(document.clone(), option)]}), &Others::default());
        lines
            .iter()
            .map(|diagnostic| diagnostic.line("f"))
            .filter(|line| line.contains("this document ignores path parameters"))
            .collect()
    };
    assert!(about(Some(true)).is_empty());
    assert!(about(None)[0].contains("in the routes at $.listeners[0].typed_config.route_config"), "{:?}", about(None));
    assert!(about(Some(false))[0].contains("warning: "), "{:?}", about(Some(false)));
}

#[test]
fn an_option_of_another_file_is_a_warning() {
    let routes = Contents::of(&json!({"ignore_path_parameters_in_path_matching": true}));
    let option = Elsewhere { file: "routes.yaml".to_owned(), option: routes.path_options.first().unwrap().clone() };
    let elsewhere = Others { options: vec![option], ..Others::default() };
    let found = diagnostics(&with_paths("paths"), &elsewhere);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].is_error() && found[0].message.contains("of `routes.yaml` makes Envoy ignore"), "{found:?}");
    assert!(found[0].path.ends_with("$.policy.workload.ignorePathParameters"), "{found:?}");
    // A policy of its own is going to stand in a document that is not here.
    let alone = with_paths("paths")["policy"]["policies"][0].clone();
    let found = diagnostics(&alone, &elsewhere);
    assert_eq!((found.len(), found[0].is_error(), found[0].path.as_str()), (1, false, "$"), "{found:?}");
}
