//! Plugins that get in each other's way: EnvoyExtensionPolicies of which Envoy Gateway runs one, and plugins of one name.

use super::{has_lines, here};
use weir_testing::Rows;

fn policy(name: &str, target: &str, more: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  targetRefs: [{{group: gateway.networking.k8s.io, {target}}}]\n{more}"
    )
}

fn ours(name: &str, target: &str) -> String {
    let entry = "  wasm:\n  - failOpen: true\n    code: {type: Image, image: {url: r.example/weir/telemetry:1}}\n    config: {schema: 1, name: a}\n";
    policy(name, target, entry)
}

/// `resolveEnvoyExtensionPolicyGatewayTargetRef`, `translateEnvoyExtensionPolicyForListeners` and `mergeEnvoyExtensionPolicy` of
/// Envoy Gateway.
#[test]
fn one_extension_policy_is_in_force_for_a_target_and_for_a_route() {
    let lua =
        |target: &str, more: &str| policy("lua", target, &format!("  lua: [{{type: Inline, inline: '--'}}]\n{more}"));
    let route = |gateway: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: cart, namespace: shop}}\nspec: \
             {{parentRefs: [{{name: {gateway}}}]}}\n"
        )
    };
    let [gateway, cart] = ["kind: Gateway, name: edge", "kind: HTTPRoute, name: cart"];
    let conflict = "15:16: error: EnvoyExtensionPolicy shop/";
    let replaced = "15:16: warning: $.spec.targetRefs[0]: in this scope the policy replaces EnvoyExtensionPolicy shop/a at \
                    stdin:1:1, of which nothing runs there: write `mergeType: StrategicMerge`";
    let listener = replaced.replace("`mergeType: StrategicMerge`", "the entries of that one into");
    let mut rows = Rows::default();
    for (name, second, more, lines) in [
        (
            "two of one Gateway",
            ours("b", gateway),
            String::new(),
            vec![format!(
                "{conflict}b: $.spec.targetRefs[0]: EnvoyExtensionPolicy shop/a at stdin:1:1 has the same target, and Envoy \
                 Gateway attaches one"
            )],
        ),
        ("of others too", lua(gateway, ""), String::new(), vec!["15:16: error: $.spec.targetRefs[0]: ".to_owned()]),
        ("another Gateway", ours("b", "kind: Gateway, name: in"), String::new(), vec![]),
        ("another namespace", ours("b", gateway).replace("shop", "bank"), String::new(), vec![]),
        ("a route", lua(cart, ""), String::new(), vec![replaced.to_owned()]),
        ("a route of the Gateway", lua(cart, ""), route("edge"), vec![replaced.to_owned()]),
        ("a route of another Gateway", lua(cart, ""), route("in"), vec![]),
        ("a route that merges", lua(cart, "  mergeType: StrategicMerge\n"), String::new(), vec![]),
        (
            "a list that is merged is replaced",
            ours("b", cart) + "  mergeType: StrategicMerge\n",
            String::new(),
            vec![
                "15:16: warning: EnvoyExtensionPolicy shop/b: $.spec.targetRefs[0]: in this scope the policy replaces \
                 EnvoyExtensionPolicy shop/a at stdin:1:1, of which nothing runs there: write the entries"
                    .to_owned(),
            ],
        ),
        (
            "a listener",
            lua("kind: Gateway, name: edge, sectionName: web", ""),
            String::new(),
            vec![listener.to_owned()],
        ),
        ("a listener of another", lua("kind: Gateway, name: in, sectionName: web", ""), String::new(), vec![]),
    ] {
        let rest = if more.is_empty() { String::new() } else { format!("---\n{more}") };
        let input = format!("{}---\n{second}{rest}", ours("a", gateway));
        let (_, output) = here(&["-"], &input);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        rows.check(format!("{name}: {output}"), has_lines(&output, &lines), true);
    }
    // None of both is Weir's.
    let (_, output) =
        here(&["-"], &format!("{}---\n{}", lua(gateway, ""), lua(gateway, "").replace("name: lua", "name: b")));
    rows.check(&output, has_lines(&output, &[]), true);
}

/// A chain has one name in all its documents, and one module of each kind.
#[test]
fn plugins_of_one_name_are_warned_of_where_they_have_a_section_of_one_kind() {
    let plugin = |name: &str, document: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
             selector: {{matchLabels: {{app: cart}}}}\n  url: oci://r.example/{name}\n  failStrategy: FAIL_OPEN\n  pluginName: weir\n  \
             pluginConfig: {{schema: 1, name: cart, mode: shadow, {document}}}\n"
        )
    };
    let limits = "rateLimit: {rate_limits: [{actions: [{remote_address: {}}]}], local: {config: {domain: d, descriptors: [{key: \
                  remote_address, rate_limit: {unit: second, requests_per_unit: 5}}]}}}";
    let mut rows = Rows::default();
    for (name, first, second, is_warned_of) in [
        ("limits and telemetry", limits, "telemetry: {}", false),
        ("limits twice", limits, limits, true),
        ("telemetry twice", "telemetry: {metricPrefix: a_}", "telemetry: {metricPrefix: b_}", true),
        ("limits twice, once off", limits, &limits.replacen("rateLimit: {", "rateLimit: {mode: 'off', ", 1), false),
    ] {
        let (_, output) = here(&["-"], &format!("{}---\n{}", plugin("a", first), plugin("b", second)));
        rows.check(format!("{name}: {output}"), output.contains("[same-name]"), is_warned_of);
    }
}
