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

const REQUESTS: &str = "- {say: a write, method: POST, path: /}\n- {say: ann, method: GET, path: /, headers: {x-user: ann}}\n\
                        - {say: ann again, method: GET, path: /, headers: {x-user: ann}}\n";

/// The commands of a block of the section, without those before `weir`.
fn commands(block: &str) -> Vec<String> {
    block.lines().filter_map(|line| line.strip_prefix("weir ")).map(str::to_owned).collect()
}

/// `cli/tests/images/page.rs` runs the last block, which needs a registry.
#[test]
fn the_way_of_the_readme_leads_to_envoy_and_takes_limits() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let page = fs::read_to_string(workspace.join("README.md")).unwrap();
    let section = page.split("## Your own files").nth(1).unwrap().split("\n## ").next().unwrap();
    let fenced = |language: &str| -> Vec<&str> {
        let fence = format!("```{language}\n");
        section.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
    };
    let (blocks, files) = (fenced("sh"), fenced("yaml"));
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    for (name, text) in FILES {
        fs::write(policies.join(name), text).unwrap();
    }
    assert_eq!(files.len(), 1, "{section}");
    fs::write(folder.path().join(files[0].lines().next().unwrap().strip_prefix("# ").unwrap()), files[0]).unwrap();
    fs::write(folder.path().join("requests.yaml"), REQUESTS).unwrap();
    let mut rows = Rows::default();
    let expected = [
        ("validate policies", &["7 files: 3 AuthorizationPolicies: no errors"][..]),
        ("run policies --workload shop/cart", &["no ALLOW rule matches"]),
        (
            "run policies limits.yaml --workload shop/cart",
            &["no ALLOW rule matches", "allowed, limit per-user: 99 left", "allowed, limit per-user: 98 left"],
        ),
    ];
    let found: Vec<String> = blocks.iter().take(2).flat_map(|block| commands(block)).collect();
    rows.check("commands", found, expected.map(|(command, _)| command.to_owned()).to_vec());
    for (command, lines) in expected {
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
        for line in lines {
            rows.contains(command, &text, line);
        }
    }
    // After `make build` the command is on the path.
    let export = blocks[0].lines().find(|line| line.starts_with("export PATH=")).unwrap();
    let script = format!("{export}\necho \"${{PATH%%:*}}\"");
    let output = Command::new("bash").current_dir(&workspace).args(["-c", &script]).output().unwrap();
    let first = String::from_utf8(output.stdout).unwrap();
    rows.check("path", first.trim_end(), workspace.join("dist").to_str().unwrap());
}
