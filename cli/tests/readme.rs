//! The README's way from an application's own files to a deciding Envoy and to manifests. Needs `make build`.
use std::fs;
use std::path::Path;
use std::process::Command;
use weir_testing::Rows;

/// The files of an application as Kustomize keeps them: no object says its namespace.
const FILES: [(&str, &str); 7] = [
    ("kustomization.yaml", "kind: Kustomization\nnamespace: shop\nresources: [deployment.yaml, service.yaml]\n"),
    (
        "deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart}\nspec: {template: {metadata: {labels: {app: cart}}}}\n",
    ),
    ("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: cart}\nspec: {selector: {app: cart}}\n"),
    (
        "reads.yaml",
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: reads}\nspec:\n  selector: \
         {matchLabels: {app: cart}}\n  rules: [{to: [{operation: {methods: [GET]}}]}]\n",
    ),
    (
        "no-admin.yaml",
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: no-admin}\nspec:\n  action: DENY\n  \
         rules: [{to: [{operation: {paths: [/admin, /admin/*]}}]}]\n",
    ),
    (
        "others.yaml",
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: web}\nspec:\n  selector: \
         {matchLabels: {app: web}}\n  rules: [{}]\n",
    ),
    ("alerts.yaml", "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: cart}\n"),
];

#[test]
fn the_way_of_the_readme_leads_to_envoy_and_to_manifests() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let page = fs::read_to_string(workspace.join("README.md")).unwrap();
    let section = page.split("## Your own files").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("\n```").next().unwrap().replace("\\\n", "");
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    for (name, text) in FILES {
        fs::write(policies.join(name), text).unwrap();
    }
    fs::write(folder.path().join("requests.yaml"), "- {say: a write, method: POST, path: /}\n").unwrap();
    let mut rows = Rows::default();
    let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("dist/weir ")).collect();
    assert_eq!(commands.len(), 3, "{block}");
    for command in commands {
        // It does not stay up, and objects of Kustomize have no namespace.
        let more: &[&str] = match command.split(' ').next().unwrap() {
            "run" => &["--exit", "--port", "0", "--admin-port", "0", "--requests", "requests.yaml"],
            _ => &["--namespace", "shop"],
        };
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .current_dir(folder.path())
            .args(command.split_whitespace())
            .args(more)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        rows.check(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)), output.status.code(), Some(0));
        rows.contains(
            command,
            &text,
            match command.split(' ').next().unwrap() {
                "validate" => "7 files: 3 AuthorizationPolicies: no errors",
                "run" => "no ALLOW rule matches",
                _ => "kind: EnvoyFilter",
            },
        );
    }
}
