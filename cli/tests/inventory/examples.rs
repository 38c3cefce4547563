//! The examples of `docs/configuration.md`: a document of each module, one of the suite, and a `weir.yaml`. Each is taken.

use super::reference::{objects, read};
use boon::{Compiler, Schemas};
use serde_json::Value;
use std::fs;
use std::process::Command;
use weir_testing::Rows;

/// Each with the module whose document it is, and what it shows.
pub(crate) const DOCUMENTS: [(&str, &str, &str); 4] = [
    (
        "policy",
        "**Policy.** Without `workload` the proxy's node says who it is.",
        "schema: 1
name: cart
mode: shadow                          # decides and counts, and refuses nothing
workload:
  namespace: shop
  labels: {app: cart}
  directAddress: {filterState: weir.direct_address}
policies:
- kind: AuthorizationPolicy
  metadata: {name: reads, namespace: shop}
  spec:
    selector: {matchLabels: {app: cart}}
    action: ALLOW
    rules:
    - from:
      - source:
          principals: [cluster.local/ns/shop/sa/web]
          ipBlocks: [10.0.0.0/8]
      to:
      - operation: {methods: [GET], paths: [\"/cart\", \"/items/{*}\"]}
      when:
      - {key: \"request.headers[x-version]\", values: [v1, v2]}
",
    ),
    (
        "rate-limit",
        "**Rate limit.** A limit for each user, and one for all writes together.",
        "schema: 1
name: cart
rate_limits:
- actions: [{request_headers: {header_name: x-user, descriptor_key: user}}]
apply:
- to: [{operation: {methods: [POST, PUT, DELETE]}}]
  rate_limits:
  - actions: [{generic_key: {descriptor_key: kind, descriptor_value: write}}]
local:
  config:
    domain: shop
    descriptors:
    - {key: user, rate_limit: {name: per-user, unit: minute, requests_per_unit: 100}}
    - {key: kind, value: write, rate_limit: {name: writes, unit: second, requests_per_unit: 50}}
  algorithms: {per-user: {gcra: {burst: 20}}}
  maxKeys: 65536
enable_x_ratelimit_headers: DRAFT_VERSION_03
",
    ),
    (
        "telemetry",
        "**Telemetry.** At most 2,000 rows in each VM, with at most 200 callers kept apart.",
        "schema: 1
name: cart
metricPrefix: weir_istio_
cardinality:
  series: 2000
  fold: {source_workload: 200}
  keep: [reporter, response_code]
peerMetadata: {trust: mtls}
",
    ),
    (
        "suite",
        "**Suite.** Policies on trial, limits in force.",
        "schema: 1
name: cart
policy:
  mode: shadow
  policies:
  - kind: AuthorizationPolicy
    metadata: {name: no-admin, namespace: shop}
    spec:
      action: DENY
      rules: [{to: [{operation: {paths: [/admin, \"/admin/*\"]}}]}]
rateLimit:
  rate_limits:
  - actions: [{remote_address: {}}]
  local:
    config:
      domain: shop
      descriptors:
      - {key: remote_address, rate_limit: {name: per-client, unit: second, requests_per_unit: 50}}
telemetry: {}
",
    ),
];

pub(crate) const MESH: &str = "schema: 1
form: wasmplugin
istio: \"1.31\"
images:
  suite: >-
    oci://registry.example.com/weir/suite@sha256:0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192
policies: [\"policies/**/*.yaml\"]
mesh: {trustDomain: example.com, trustDomainAliases: [cluster.local]}
workloads:
- namespace: shop
  name: cart
  labels: {app: cart, version: v1}
  selector: {app: cart}
  documents: [suite.yaml]
  outbound: [telemetry]
  modes: {rateLimit: enforce}
- namespace: edge
  name: public
  proxy: gateway
  targetRef: Gateway/public
  documents: [suite.yaml]
  sections: [rateLimit]
";

/// What `weir render` writes itself, and a proxy without it needs.
pub(crate) const RENDERED: &str = "
## What `weir render` writes

Leave these out of documents that you render. In a document that an Envoy reads as you wrote it,
such as one in a bootstrap of your own, they are yours to write.

| field | what `weir render` does with it | in a plain Envoy |
| --- | --- | --- |
| `schema`, `name` | written if they are left out; the name is the workload's | required |
| `listener` | replaced by the direction of each manifest, where the form has a manifest for each | optional: it saves asking for each stream |
| `mode`, also of sections | replaced by `--mode`, `mode` or `modes` | optional |
| `policy.policies` | replaced by the policies that are for the workload; above 200,000 bytes they are in `policiesGzip` | required for a policy to decide |
| `policy.workload.namespace`, `proxy`, `labels` | replaced by those of the workload. Another namespace or proxy is an error; labels are left to the pod where they have to decide | the node's `NAMESPACE`, id and `LABELS`, or written here |
| `policy.workload.rootNamespace`, `trustDomain`, `trustDomainAliases` | written if they are left out and `mesh` of `weir.yaml` says them | required if they are not the defaults |
| `policy.workload.directAddress`, `peerUriSans` | written where policies need them, with the filter that keeps them | required for `ipBlocks` and `source.ip`, with the filter |
| `telemetry.metricPrefix` | `weir_istio_` if it is left out, in Istio's forms and without `--replace-native` | optional |
";

/// A file of the folder that the example names.
const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: reads, namespace: shop}\nspec:\n  \
                      selector: {matchLabels: {app: cart}}\n  rules: [{to: [{operation: {methods: [GET]}}]}]\n";

#[test]
fn every_document_is_taken_and_the_mesh_is_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = Rows::default();
    let mut run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_weir")).current_dir(folder.path()).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        rows.check(format!("{arguments:?}\n{said}"), output.status.code(), Some(0));
    };
    for (module, _, text) in DOCUMENTS {
        let file = format!("{module}.yaml");
        fs::write(folder.path().join(&file), text).unwrap();
        run(&["validate", "--module", module, "--warnings-as-errors", &file]);
    }
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/cart.yaml"), POLICY).unwrap();
    fs::write(folder.path().join("weir.yaml"), MESH).unwrap();
    run(&["render", "--all", "manifests", "--config", "weir.yaml"]);
    run(&["validate", "--warnings-as-errors", "manifests"]);
}

/// Every value under `examples` and `default` of a schema is one that its field takes.
#[test]
fn examples_and_defaults_are_values_of_their_fields() {
    let mut rows = Rows::default();
    let mut count = 0;
    for name in ["config.json", "weir.schema.json"] {
        let whole = read(name);
        let mut found = Vec::new();
        objects(&whole, name, &mut found);
        for (path, fields) in found {
            for (field, schema) in fields {
                let values = schema["examples"].as_array().into_iter().flatten().chain(schema.get("default"));
                let mut alone = schema.clone();
                if let Some(definitions) = whole.get("definitions") {
                    alone["definitions"] = definitions.clone();
                }
                for value in values {
                    count += 1;
                    rows.check(format!("{path}: {field}: {value}"), takes(&alone, value), true);
                }
            }
        }
    }
    assert!(count > 20, "{count}");
    rows.check("a wrong one", takes(&serde_json::json!({"type": "string"}), &serde_json::json!(1)), false);
}

fn takes(schema: &Value, value: &Value) -> bool {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("http://weir/field.json", schema.clone()).unwrap();
    let index = compiler.compile("http://weir/field.json", &mut schemas).unwrap();
    schemas.validate(value, index).is_ok()
}
