//! `weir run` with an operator's own files: what decides, and what becomes of edits. Needs `make build`.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use weir_launch::{Client, Protocol, Request};
use weir_testing::Rows;

const POLICY: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads}
spec:
  selector: {matchLabels: {tier: store}}
  rules: [{to: [{operation: {methods: [GET]}}]}]
";
const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec: {template: {metadata: {labels: {app: cart, tier: store}}}}
";
const LIMITS: &str = "domain: shop
descriptors:
- {key: user, rate_limit: {name: per-user, unit: hour, requests_per_unit: 2}}
---
rate_limits:
- actions: [{request_headers: {header_name: x-user, descriptor_key: user}}]
";

/// A `weir run` that is ended with the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.current_dir(folder).args(["run", "--port", "0", "--admin-port", "0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut running = Self { child, lines, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        let line = running.line(" on http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        running.address = address.parse().unwrap();
        running
    }

    /// The next line with these words.
    fn line(&self, words: &str) -> String {
        let patience = Duration::from_secs(60);
        std::iter::from_fn(|| self.lines.recv_timeout(patience).ok()).find(|line| line.contains(words)).unwrap()
    }

    fn status(&self, method: &str, user: &str) -> u16 {
        self.send(&Request::new(method, "cart.example", "/").header("x-user", user))
    }

    fn at(&self, method: &str, path: &str) -> u16 {
        self.send(&Request::new(method, "cart.example", path))
    }

    fn send(&self, request: &Request) -> u16 {
        Client::new().unwrap().send(self.address, Protocol::Http1, request).unwrap().status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[test]
fn native_objects_decide_and_edits_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    write("policies/reads.yaml", POLICY);
    write("policies/cart.yaml", DEPLOYMENT);
    write("limits.yaml", LIMITS);
    let running = Running::start(folder.path(), &["policies", "limits.yaml", "--workload", "shop/cart"]);
    let mut rows = Rows::default();
    rows.check("reads", (running.status("GET", "ann"), running.status("GET", "ann")), (200, 200));
    rows.check("a third", running.status("GET", "ann"), 429);
    rows.check("another user", running.status("GET", "bob"), 200);
    rows.check("a write", running.status("DELETE", "eve"), 403);
    rows.contains("its line", &running.line("GET /"), "shop/reads[0]");
    rows.contains("the other line", &running.line("DELETE /"), "no ALLOW rule matches");

    write("policies/reads.yaml", &POLICY.replace("GET", "GET, DELETE"));
    running.line("the files have changed: in force");
    rows.check("a write that is allowed now", running.status("DELETE", "eve"), 200);
    rows.check("counts are kept", running.status("GET", "ann"), 429);

    write("policies/reads.yaml", &POLICY.replace("rules", "rulez"));
    running.line("the old configuration stays in force");
    rows.check("a write under the old configuration", running.status("DELETE", "eve"), 200);

    write("policies/reads.yaml", &POLICY.replace("GET", "GET, DELETE"));
    running.line("and nothing that runs");

    write("policies/reads.yaml", POLICY);
    running.line("the files have changed: in force");
    rows.check("a write that is refused again", running.status("DELETE", "tom"), 403);
}

/// Rules on identities decide requests that have one: each comes over mutual TLS with a certificate of its own.
#[test]
fn requests_have_the_identity_that_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let policy = "kind: AuthorizationPolicy
metadata: {name: callers}
spec:
  rules:
  - {from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {paths: [/a]}}]}
  - {from: [{source: {namespaces: [ops]}}], to: [{operation: {paths: [/b]}}]}
  - {to: [{operation: {paths: [/c]}}]}
";
    write("policy.yaml", policy);
    write(
        "requests.yaml",
        "- {say: the principal, method: GET, path: /a, principal: cluster.local/ns/shop/sa/web}
- {say: another one, method: GET, path: /a, principal: cluster.local/ns/shop/sa/job}
- {say: its namespace, method: GET, path: /b, principal: spiffe://cluster.local/ns/ops/sa/x}
- {say: another namespace, method: GET, path: /b, principal: cluster.local/ns/shop/sa/web}
- {say: no identity, method: GET, path: /a}
- {say: no method of HTTP, method: get, path: /c}
- {say: none is needed, method: GET, path: /c}
- {say: counted over TLS, method: GET, path: /c, headers: {x-user: ann}, principal: cluster.local/ns/shop/sa/web}
- {say: and without, method: GET, path: /c, headers: {x-user: ann}}
- {say: one too many, method: GET, path: /c, headers: {x-user: ann}, principal: cluster.local/ns/shop/sa/web}
",
    );
    write("limits.yaml", LIMITS);
    let running = Running::start(
        folder.path(),
        &["policy.yaml", "limits.yaml", "--workload", "shop/cart", "--requests", "requests.yaml"],
    );
    let mut rows = Rows::default();
    for (say, principal, status, by) in [
        ("sent", "principal", "status", "decided by"),
        ("the principal", "cluster.local/ns/shop/sa/web", "200", "shop/callers[0]"),
        ("another one", "cluster.local/ns/shop/sa/job", "403", "no ALLOW rule matches"),
        ("its namespace", "cluster.local/ns/ops/sa/x", "200", "shop/callers[1]"),
        ("another namespace", "cluster.local/ns/shop/sa/web", "403", "no ALLOW rule matches"),
        ("no identity", "-", "403", "no ALLOW rule matches"),
        ("no method of HTTP", "-", "400,", "no decision: Envoy refuses it before any filter"),
        ("none is needed", "-", "200", "shop/callers[2]"),
        ("counted over TLS", "cluster.local/ns/shop/sa/web", "200", "per-user: 1 left"),
        ("and without", "-", "200", "per-user: 0 left"),
        ("one too many", "cluster.local/ns/shop/sa/web", "429", "limit per-user"),
    ] {
        let line = running.line(say);
        let words: Vec<&str> = line.strip_prefix(say).unwrap_or_default().split_whitespace().collect();
        rows.check(&line, (words.first().copied(), words.contains(&status)), (Some(principal), true));
        rows.contains(say, &line, by);
    }
    // Both filter chains have the same configuration.
    write("policy.yaml", &policy.replace("[/c]", "[/d]"));
    running.line("the files have changed: in force");
    rows.check("edited", running.at("GET", "/c"), 403);
    rows.check("edited", running.at("GET", "/d"), 200);
}

#[test]
fn what_cannot_be_run_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("one.yaml", POLICY);
    write("two.yaml", &POLICY.replace("reads", "other").replace("store", "web"));
    write("wrong.yaml", &POLICY.replace("GET", "7"));
    write("envoy.yaml", "static_resources: {}\n");
    write("requests.yaml", "- {say: a, method: GET, path: 7}\n");
    write("fine.yaml", "- {say: a, method: GET, path: /}\n");
    write("limits.yaml", LIMITS);
    write("values.yaml", "image: {tag: '1'}\n");
    let mut rows = Rows::default();
    for (arguments, code, expected) in [
        (
            &["one.yaml", "two.yaml", "-n", "shop"][..],
            2,
            "choose one with --workload NAMESPACE/NAME\n  shop: tier=store\n  shop: tier=web",
        ),
        (
            &["wrong.yaml", "--workload", "shop/cart"],
            1,
            "wrong.yaml:6:40: error: AuthorizationPolicy shop/reads: $.spec.rules[0]",
        ),
        (&["one.yaml", "--workload", "shop/cart"], 2, "--exit with a PATH needs --requests"),
        (
            &["one.yaml", "--workload", "shp/cart", "-n", "shop", "--requests", "fine.yaml"],
            1,
            "none of 1 AuthorizationPolicy is for shp/cart: they are of the namespaces `shop` (1), so every request would pass",
        ),
        (
            &["one.yaml", "limits.yaml", "--workload", "shop/crat", "--requests", "fine.yaml"],
            1,
            "left out, as for other workloads: `shop/reads` (asks for `tier=store`)",
        ),
        (&["one.yaml", "--workload", "cart"], 2, "--workload: `cart` is not NAMESPACE/NAME"),
        (&["one.yaml", "--bootstrap", "envoy.yaml"], 2, "--bootstrap takes its document with --config"),
        (&["envoy.yaml", "one.yaml"], 2, "a bootstrap stands alone"),
        (&["envoy.yaml"], 1, "`envoy.yaml` is not a usable bootstrap"),
        (
            &[
                "one.yaml",
                "values.yaml",
                "--workload",
                "shop/store",
                "--labels",
                "tier=store",
                "--requests",
                "requests.yaml",
            ],
            2,
            "requests.yaml:1:25: error: $[0].path: expected a string, found a number",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .current_dir(folder.path())
            .args(["run", "--exit", "--port", "0", "--admin-port", "0"])
            .args(arguments)
            .output()
            .unwrap();
        rows.check(arguments.join(" "), output.status.code(), Some(code));
        rows.contains(arguments.join(" "), &String::from_utf8(output.stderr).unwrap(), expected);
    }
}

/// What is doubtful has one line, at its place in the operator's file.
#[test]
fn a_warning_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("one.yaml", POLICY);
    // Neither the limit nor the action meets the other.
    write("limits.yaml", &LIMITS.replace("key: user,", "key: usr,"));
    write("requests.yaml", "7\n");
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(folder.path())
        .args(["run", "--exit", "one.yaml", "limits.yaml", "-n", "shop", "--requests", "requests.yaml"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "limits.yaml:3:3: warning: $.descriptors[0]: no request is counted by this limit";
    let mut rows = Rows::default();
    rows.check(&said, (said.matches("warning:").count(), said.matches(expected).count()), (2, 1));
    rows.check("in the operator's file", said.contains("static_resources"), false);
}

#[test]
fn every_shell_gets_its_completions() {
    let mut rows = Rows::default();
    for (shell, expected) in [("bash", "complete -F _weir"), ("zsh", "#compdef weir"), ("fish", "complete -c weir")] {
        let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(["completions", shell]).output().unwrap();
        rows.contains(shell, &String::from_utf8(output.stdout).unwrap(), expected);
    }
}
