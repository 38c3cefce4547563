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
        let request = Request::new(method, "cart.example", "/").header("x-user", user);
        Client::new().unwrap().send(self.address, Protocol::Http1, &request).unwrap().status
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

#[test]
fn what_cannot_be_run_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("one.yaml", POLICY);
    write("two.yaml", &POLICY.replace("reads", "other").replace("store", "web"));
    write("wrong.yaml", &POLICY.replace("GET", "7"));
    write("envoy.yaml", "static_resources: {}\n");
    write("requests.yaml", "- {say: a, method: GET, path: 7}\n");
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
        (&["one.yaml", "--workload", "cart"], 2, "--workload cart: write NAMESPACE/NAME"),
        (&["one.yaml", "--bootstrap", "envoy.yaml"], 2, "--bootstrap takes its document with --config"),
        (&["envoy.yaml", "one.yaml"], 2, "a bootstrap stands alone"),
        (&["envoy.yaml"], 1, "`envoy.yaml` is not a usable bootstrap"),
        (
            &["one.yaml", "values.yaml", "--workload", "shop/cart", "--requests", "requests.yaml"],
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

#[test]
fn every_shell_gets_its_completions() {
    let mut rows = Rows::default();
    for (shell, expected) in [("bash", "complete -F _weir"), ("zsh", "#compdef weir"), ("fish", "complete -c weir")] {
        let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(["completions", shell]).output().unwrap();
        rows.contains(shell, &String::from_utf8(output.stdout).unwrap(), expected);
    }
}
