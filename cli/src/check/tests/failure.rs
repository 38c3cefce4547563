//! What happens to requests while a policy is not in force: the failure policy of a plugin, and a discovered filter's
//! default.

use super::*;

#[test]
fn a_strategy_fits_the_mode() {
    let istio = |document: Value, strategy: &str| wasm_plugin(document, json!({"failStrategy": strategy}));
    let envoy = |document: Value, more: Value| filter(HTTP, document, more);
    let limits = json!({"local": {"config": {"domain": "d", "descriptors": []}}});
    let limited = |mode: &str| suite(json!({"mode": mode, "rateLimit": limits}));
    let mut without_mode = policy("enforce");
    without_mode["policy"].as_object_mut().unwrap().remove("mode");
    let trial = "warning: $.spec.failStrategy: `failStrategy: ";
    let door = "warning: $.spec.failStrategy: `failStrategy: FAIL_OPEN` lets every request past the policy";
    expect(&[
        ("shadow, open", istio(policy("shadow"), "FAIL_OPEN"), &[]),
        ("shadow, closed", istio(policy("shadow"), "FAIL_CLOSE"), &[trial]),
        ("shadow, reload", istio(policy("shadow"), "FAIL_RELOAD"), &[trial]),
        ("off, reload", istio(policy("off"), "FAIL_RELOAD"), &[trial]),
        ("observe, reload", istio(limited("observe"), "FAIL_RELOAD"), &[trial]),
        ("telemetry, closed", istio(suite(json!({"telemetry": {}})), "FAIL_CLOSE"), &[trial]),
        (
            "shadow, default",
            wasm_plugin(policy("shadow"), json!({})),
            &["warning: $.spec: no `failStrategy`, which means `FAIL_CLOSE`, refuses"],
        ),
        ("enforce, default", wasm_plugin(policy("enforce"), json!({})), &[]),
        ("enforce, reload", istio(policy("enforce"), "FAIL_RELOAD"), &[]),
        ("enforce, open", istio(policy("enforce"), "FAIL_OPEN"), &[door]),
        ("no mode, open", istio(without_mode, "FAIL_OPEN"), &[door]),
        ("no policies, open", istio(suite(json!({"policy": {"policies": []}})), "FAIL_OPEN"), &[]),
        (
            "shadow, reload from a file",
            wasm_plugin(policy("shadow"), json!({"failStrategy": "FAIL_RELOAD", "url": "file:///opt/suite.wasm"})),
            &[],
        ),
        (
            "shadow, closed from a file",
            wasm_plugin(policy("shadow"), json!({"failStrategy": "FAIL_CLOSE", "url": "file:///opt/suite.wasm"})),
            &[trial],
        ),
        ("limits, open", istio(limited("enforce"), "FAIL_OPEN"), &[]),
        ("limits, reload", istio(limited("enforce"), "FAIL_RELOAD"), &[]),
        ("no strategy", istio(policy("enforce"), "FAIL_CLOSED"), &["$.spec.failStrategy: `FAIL_CLOSED` is not one of"]),
        (
            "a mode that is none is one problem",
            istio(policy("shadwo"), "FAIL_CLOSE"),
            &["$.spec.pluginConfig.policy.mode"],
        ),
        ("envoy: shadow, open", envoy(policy("shadow"), json!({"failure_policy": "FAIL_OPEN"})), &[]),
        (
            "envoy: shadow, camel case",
            envoy(policy("shadow"), json!({"failurePolicy": "FAIL_CLOSED"})),
            &["warning: $.typed_config.config.failurePolicy: `failurePolicy: FAIL_CLOSED` refuses"],
        ),
        (
            "envoy: shadow, default",
            envoy(policy("shadow"), json!({})),
            &["warning: $.typed_config.config: no `failure_policy`, which means `FAIL_CLOSED`, refuses"],
        ),
        ("envoy: shadow, old field", envoy(policy("shadow"), json!({"fail_open": true})), &[]),
        (
            "envoy: enforce, old field",
            envoy(policy("enforce"), json!({"fail_open": true})),
            &["warning: $.typed_config.config.fail_open: `fail_open: true` lets every request past the policy"],
        ),
        (
            "envoy: both fields",
            envoy(policy("enforce"), json!({"fail_open": true, "failure_policy": "FAIL_RELOAD"})),
            &[
                "$.typed_config.config.failure_policy: Envoy refuses `failure_policy` beside `fail_open`: remove `fail_open`",
            ],
        ),
    ]);
}

#[test]
fn a_filter_that_lets_pass_until_there_is_a_policy_is_reported() {
    let discovery = |default: Value| json!({"name": "shop.weir", "config_discovery": {"default_config": default}});
    let rbac = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"});
    let both = |mode: &str, strategy: &str, default: &Value| {
        json!({"kind": "EnvoyFilter", "spec": [
            filter(HTTP, policy(mode), json!({"failure_policy": strategy})),
            discovery(default.clone()),
        ]})
    };
    let without_default = |mode: &str| {
        let mut plugin = filter(HTTP, policy(mode), json!({"failure_policy": "FAIL_RELOAD"}));
        plugin["typed_config"]["config"]["vm_config"] = json!({"code": {"local": {"filename": "/opt/suite.wasm"}}});
        json!({"kind": "EnvoyFilter", "spec": [plugin, {"name": "shop.weir", "config_discovery": {"type_urls": [HTTP]}}]})
    };
    expect(&[
        (
            "enforce",
            both("enforce", "FAIL_RELOAD", &rbac),
            &["warning: $.spec[1].config_discovery.default_config: requests pass without a policy"],
        ),
        ("shadow", both("shadow", "FAIL_OPEN", &rbac), &[]),
        ("nothing, enforce", without_default("enforce"), &[]),
        (
            "nothing, shadow",
            without_default("shadow"),
            &["warning: $.spec[1].config_discovery: every request is refused until the module is loaded"],
        ),
        ("the filter's own", both("enforce", "FAIL_RELOAD", &json!({"@type": HTTP})), &[]),
    ]);
}
