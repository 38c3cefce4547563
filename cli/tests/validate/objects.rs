//! Objects that load plugins of Weir, as the API server sees them.

use super::{has_lines, here};
use weir_testing::Rows;

/// What the API server refuses is an error, and what it prunes a warning. The module's own words are not repeated.
#[test]
fn objects_with_plugins_are_held_to_the_schemas_of_their_kinds() {
    let digest = "0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";
    let head = |api: &str, kind: &str, spec: &str| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\nspec:\n{spec}")
    };
    let wasm = head(
        "extensions.istio.io/v1alpha1",
        "WasmPlugin",
        &format!(
            "  selector: {{matchLabels: {{app: cart}}}}\n  url: oci://r.example/weir/telemetry@sha256:{digest}\n  failStrategy: \
             FAIL_OPEN\n  pluginConfig: {{schema: 1, name: a}}\n"
        ),
    );
    let extension = head(
        "extensions.istio.io/v1alpha1",
        "TrafficExtension",
        "  wasm:\n    url: oci://r.example/weir/telemetry:1\n    failStrategy: FAIL_OPEN\n    pluginConfig: {schema: 1, name: a}\n",
    );
    let gateway = head(
        "gateway.envoyproxy.io/v1alpha1",
        "EnvoyExtensionPolicy",
        &format!(
            "  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: a}}]\n  wasm:\n  - failOpen: true\n    \
             code: {{type: Image, image: {{url: r.example/weir/telemetry@sha256:{digest}}}}}\n    config: {{schema: 1, name: a}}\n"
        ),
    );
    let filter = head(
        "networking.istio.io/v1alpha3",
        "EnvoyFilter",
        "  configPatches:\n  - applyTo: EXTENSION_CONFIG\n    match: {context: WAYPOINT}\n    patch:\n      operation: ADD\n      value: \
         {typed_config: {config: {root_id: weir, failure_policy: FAIL_OPEN, vm_config: {code: {local: {filename: \
         /telemetry.wasm}}}, configuration: {value: {schema: 1, name: a}}}}}\n",
    );
    let foreign = wasm.replace("weir/telemetry", "waf").replace("schema: 1, ", "");
    let mut rows = Rows::default();
    for (name, object, from, to, lines) in [
        ("as it should be", &wasm, "", "", vec![]),
        (
            "a field",
            &wasm,
            "selector:",
            "selectr:",
            vec!["5:3: warning: WasmPlugin b/a: $.spec.selectr: unknown field"],
        ),
        (
            "a field within",
            &wasm,
            "matchLabels",
            "labels",
            vec!["5:14: warning: WasmPlugin b/a: $.spec.selector.labels: unknown field"],
        ),
        (
            "a word",
            &wasm,
            "spec:",
            "spec:\n  match: [{mode: BOTH}]",
            vec!["5:12: error: WasmPlugin b/a: $.spec.match[0].mode: `BOTH` is not one of"],
        ),
        (
            "a type",
            &wasm,
            "spec:",
            "spec:\n  priority: \"5\"",
            vec!["5:3: error: WasmPlugin b/a: $.spec.priority: expected `integer`, `null`"],
        ),
        (
            "no API",
            &wasm,
            "apiVersion: extensions.istio.io/v1alpha1\n",
            "",
            vec!["1:1: error: WasmPlugin b/a: $: `apiVersion` is missing"],
        ),
        (
            "another API",
            &wasm,
            "v1alpha1",
            "v1",
            vec!["1:1: error: WasmPlugin b/a: $.apiVersion: expected `extensions.istio.io/v1alpha1`"],
        ),
        (
            "no address",
            &wasm,
            "url: oci",
            "# oci",
            vec![
                "4:1: error: WasmPlugin b/a: $.spec: `url` is missing",
                "8:3: warning: WasmPlugin b/a: $.spec.pluginConfig: the",
            ],
        ),
        (
            "the configuration",
            &wasm,
            "pluginConfig",
            "pluginConfg",
            vec![
                "4:1: error: WasmPlugin b/a: $.spec: `pluginConfig` is missing",
                "8:3: warning: WasmPlugin b/a: $.spec.pluginConfg: unknown field",
            ],
        ),
        (
            "said once",
            &wasm,
            "FAIL_OPEN",
            "FAIL_OPENED",
            vec!["7:3: error: WasmPlugin b/a: $.spec.failStrategy: `FAIL_OPENED` is not one of"],
        ),
        ("the same digest", &wasm, "spec:", &format!("spec:\n  sha256: {digest}"), vec![]),
        (
            "another digest",
            &wasm,
            "spec:",
            &format!("spec:\n  sha256: {}", digest.replace("0f", "1f")),
            vec![
                "5:3: warning: WasmPlugin b/a: $.spec.sha256: this is not the digest in the image's address: none is loaded, unless",
            ],
        ),
        ("somebody else's", &foreign, "selector:", "selectr:", vec![]),
        ("an extension", &extension, "", "", vec![]),
        (
            "a field of an extension",
            &extension,
            "url:",
            "priority: 1\n    url:",
            vec!["6:5: warning: TrafficExtension b/a: $.spec.wasm.priority: unknown"],
        ),
        (
            "an extension's configuration",
            &extension,
            "pluginConfig",
            "config",
            vec![
                "5:3: error: TrafficExtension b/a: $.spec.wasm: `pluginConfig` is missing",
                "8:5: warning: TrafficExtension b/a: $.spec.wasm.config: unknown field",
            ],
        ),
        ("Envoy Gateway's", &gateway, "", "", vec![]),
        (
            "a target",
            &gateway,
            "Gateway, name",
            "Service, name",
            vec!["5:51: error: EnvoyExtensionPolicy b/a: $.spec.targetRefs[0].kind: `Service` is not"],
        ),
        (
            "a field of Envoy Gateway's",
            &gateway,
            "failOpen",
            "failStrategy",
            vec![
                "7:5: warning: EnvoyExtensionPolicy b/a: $.spec.wasm[0]: no `failOpen`",
                "7:5: warning: EnvoyExtensionPolicy b/a: $.spec.wasm[0].failStrategy: unknown field",
            ],
        ),
        (
            "Envoy Gateway's digest",
            &gateway,
            "image: {",
            "image: {sha256: abc, ",
            vec!["8:33: warning: EnvoyExtensionPolicy b/a: $.spec.wasm[0].code.image.sha256: this is not the digest"],
        ),
        ("a filter, as 1.29 has it", &filter, "", "", vec![]),
        (
            "a context",
            &filter,
            "WAYPOINT",
            "WAYPOINTS",
            vec!["7:13: error: EnvoyFilter b/a: $.spec.configPatches[0].match.context: `WAYPOINTS` is not one of"],
        ),
        ("a field of Envoy's", &filter, "failure_policy", "failurePolicy", vec![]),
        (
            "a field of Envoy's, misspelt",
            &filter,
            "vm_config: {",
            "vm_config: {vmid: a, ",
            vec![
                "10:93: warning: EnvoyFilter b/a: $.spec.configPatches[0].patch.value.typed_config.config.vm_config.vmid: unknown",
            ],
        ),
        (
            "a field of a patch",
            &filter,
            "applyTo",
            "apply_to",
            vec!["6:5: warning: EnvoyFilter b/a: $.spec.configPatches[0].apply_to: unknown field"],
        ),
    ] {
        let input = object.replacen(from, to, 1);
        let (code, output) = here(&["-"], &input);
        rows.check(format!("{name}: {output}"), has_lines(&output, &lines), true);
        rows.check(name, code, i32::from(lines.iter().any(|line| line.contains(" error: "))));
    }
}

/// Where a condition in CEL stands alone, Istio would refuse it; in a document it may be not what its author means.
#[test]
fn conditions_in_cel_are_looked_at() {
    let policy = |rule: &str| {
        format!(
            "kind: AuthorizationPolicy\nmetadata: {{name: a, namespace: b}}\nspec: {{action: DENY, rules: [{rule}]}}\n"
        )
    };
    let document = |rule: &str| {
        let spec = format!(
            "{{kind: AuthorizationPolicy, metadata: {{name: a, namespace: b}}, spec: {{action: DENY, rules: [{rule}]}}}}"
        );
        format!("schema: 1\nname: cart\nworkload: {{namespace: b, labels: {{}}}}\npolicies: [{spec}]\n")
    };
    let narrow = "{to: [{operation: {paths: [/a]}}], when: [{key: cel, values: [\"request.method == 'GET'\"]}]}";
    let wide = "{when: [{key: cel, values: [\"request.headers['x-a'] == '1'\"]}]}";
    let mut rows = Rows::default();
    for (name, input, lines) in [
        ("alone", policy(narrow), vec!["$.spec.rules[0].when[0].key: Istio refuses an object with this key"]),
        ("in a document", document(narrow), vec![]),
        ("on a header", document(wide), vec!["[cel-every-request]", "[cel-joined-headers]", "[cel-header-absent]"]),
    ] {
        let (code, report) = here(&["-"], &input);
        rows.check(name, (code, report.matches("[beyond-istio]").count()), (0, usize::from(name == "alone")));
        rows.check(name, report.matches("warning").count() > 0, !lines.is_empty());
        for line in lines {
            rows.contains(name, &report, line);
        }
    }
    let (_, silenced) = here(&["--silence", "beyond-istio", "-"], &policy(narrow));
    rows.check("silenced", silenced.contains("beyond-istio"), false);
}
