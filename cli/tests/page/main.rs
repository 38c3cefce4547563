//! The page of `weir serve` in a real Chromium: what it answers is what the command line answers. Needs `make page build`, and
//! chromedriver.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends where it fails")]

mod browser;

use browser::Browser;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use weir_launch::{Client, Protocol, Request};
use weir_testing::Rows;

const POLICIES: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads, namespace: shop}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
    to: [{operation: {methods: [GET], paths: [\"/cart/{*}\"]}}]
  - to: [{operation: {methods: [GET], paths: [\"/cart/{*}\"]}}]
    when: [{key: \"request.auth.claims[groups]\", values: [staff]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-guests, namespace: shop}
spec:
  action: DENY
  rules:
  - when: [{key: \"request.headers[x-role]\", values: [guest]}]
  - when: [{key: \"request.headers[x-role]\", values: [guest]}, {key: source.ip, values: [192.0.2.0/24]}]
";

/// Another set: it allows one path more.
const OTHERS: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads, namespace: shop}
spec:
  rules:
  - to: [{operation: {methods: [GET], paths: [/cart/1, /health]}}]
";

/// A `weir serve` that is ended with the test.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["serve", "--port", "0"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap();
        Self { address: address.parse().unwrap(), child }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the command line prints: to standard output, and to standard error.
fn printed(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir")).current_dir(folder).args(arguments).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What the page shows of the answer.
fn shown(browser: &Browser) -> (String, String) {
    browser.wait("document.getElementById('answer').getAttribute('aria-busy') === 'false'");
    (browser.text("output"), browser.text("notes"))
}

#[test]
fn the_page_answers_as_the_command_line_and_needs_no_server_once_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policies.yaml"), POLICIES).unwrap();
    fs::write(folder.path().join("replaced.yaml"), OTHERS).unwrap();
    let file = folder.path().join("policies.yaml");
    let serving = Serving::start(&[file.to_str().unwrap(), "--workload", "shop/cart"]);
    let browser = Browser::start();
    browser.open(&serving.url());
    let (output, _) = shown(&browser);
    assert!(output.starts_with("deny: "), "{output}");
    assert_eq!(browser.value("policies"), format!("# {}\n{POLICIES}", file.display()));
    browser.write("policies", POLICIES);
    drop(serving);
    let mut rows = Rows::default();
    let of = ["--workload", "shop/cart", "--allow-no-policies"];
    for (title, request, verdict) in [
        (
            "a caller",
            "method: GET\npath: /cart/1\nsource: {principal: spiffe://cluster.local/ns/shop/sa/web}\n",
            "good",
        ),
        (
            "a claim",
            "{\"method\": \"GET\", \"path\": \"/cart/1\", \"jwt\": {\"claims\": {\"groups\": [\"staff\"]}}}",
            "good",
        ),
        ("another claim", "method: GET\npath: /cart/1\njwt: {claims: {groups: [guests]}}\n", "bad"),
        (
            "two segments",
            "method: GET\npath: /cart/1/2\nsource: {principal: spiffe://cluster.local/ns/shop/sa/web}\n",
            "bad",
        ),
        ("a header", "method: GET\npath: /cart/1\nheaders: {x-role: guest}\nsource: {ip: 192.0.2.7}\n", "bad"),
        ("not of this world", "method: [\n", "doubt"),
        ("wrong fields", "method: GET\npath: cart\nno: 1\n", "doubt"),
        ("nothing", "", "doubt"),
        ("a connection", "protocol: tcp\nsource: {ip: 192.0.2.7}\n", "bad"),
        (
            "letters of the world",
            "method: GET\npath: /cart/\u{e9}\u{65e5}\nsource: {principal: spiffe://cluster.local/ns/shop/sa/web}\n",
            "bad",
        ),
    ] {
        fs::write(folder.path().join("request.yaml"), request).unwrap();
        browser.write("request", request);
        browser.click("ask");
        let words = [&["explain", "policies.yaml"], &of[..], &["--request", "request.yaml"]].concat();
        rows.check(
            title,
            (shown(&browser), browser.class("verdict")),
            (printed(folder.path(), &words), verdict.to_owned()),
        );
    }
    browser.click("tab-analyze");
    let words = [&["analyze", "policies.yaml"], &of[..], &["--reach"]].concat();
    rows.check("analyze", shown(&browser), printed(folder.path(), &words));
    rows.check("it finds the rule that never decides", browser.class("verdict"), "bad".to_owned());
    browser.wait("document.getElementById('picture').naturalWidth > 100");
    browser.click("tab-compare");
    browser.write("replaced", OTHERS);
    browser.click("ask");
    let words = [&["analyze", "policies.yaml"], &of[..], &["--against", "replaced.yaml"]].concat();
    rows.check("compare", shown(&browser), printed(folder.path(), &words));
    rows.check("no picture of it", browser.truth("document.getElementById('picture').hidden"), true);
    rows.check("what the browser says", browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_file_of_the_page_and_a_link_show_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let written = printed(folder.path(), &["serve", "--write", "page.html"]);
    assert_eq!(written, Default::default());
    let browser = Browser::start();
    browser.open(&format!("file://{}", page.display()));
    let (output, notes) = shown(&browser);
    assert!(output.starts_with("deny: shop/no-admin rule 0 (DENY) matches\n"), "{output}");
    browser
        .write("request", "method: GET\npath: /cart/7\nsource: {principal: spiffe://cluster.local/ns/shop/sa/web}\n");
    browser.click("ask");
    let answer = shown(&browser);
    assert!(answer.0.starts_with("allow: ") && answer.1 == notes, "{answer:?}");
    browser.click("share");
    browser.wait("location.hash.length > 100");
    let link = browser.ask("return location.href").as_str().unwrap().to_owned();
    let another = Browser::start();
    another.open(&link);
    assert_eq!(shown(&another), answer);
    assert_eq!(another.complaints(), Vec::<String>::new());
}

#[test]
fn nothing_that_is_given_runs_or_leaves_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=hit=1></script><script>hit=1</script>";
    let policy = POLICIES.replace("[guest]", &format!("['{hostile}']"));
    fs::write(folder.path().join("policies.yaml"), format!("# {hostile}\n{policy}")).unwrap();
    let file = folder.path().join("policies.yaml");
    let serving = Serving::start(&[file.to_str().unwrap(), "--workload", "shop/cart"]);
    let browser = Browser::start();
    browser.open(&serving.url());
    browser.write("request", &format!("method: GET\npath: /\nheaders: {{x-role: '{hostile}'}}\n"));
    browser.click("ask");
    let (output, _) = shown(&browser);
    let mut rows = Rows::default();
    rows.check("the decision", output.lines().next(), Some("deny: shop/no-guests rule 0 (DENY) matches"));
    rows.check("it is shown as it is", output.contains(hostile), true);
    browser.click("tab-analyze");
    rows.check("analyzed too", shown(&browser).0.contains("no-guests"), true);
    rows.check("and does not run", browser.ask("return String(window.hit)").as_str(), Some("undefined"));
    let fetch = format!("return fetch('{}').then(() => 'sent', () => 'refused')", serving.url());
    rows.check("nothing can be sent", browser.ask(&fetch).as_str(), Some("refused"));
    // What ends the worker leaves the page.
    let deep = "[".repeat(200_000);
    let level = |(name, of): (char, char)| format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(", "));
    let bomb = "a: &a [1]\n".to_owned() + &('b'..'m').zip('a'..).map(level).collect::<String>();
    browser.click("tab-explain");
    for (name, text) in [("deep", deep.as_str()), ("bytes", "\u{0}\u{1}\u{fffe}"), ("a bomb", bomb.as_str())] {
        browser.set("policies", text);
        browser.click("ask");
        shown(&browser);
        rows.check(name, browser.class("verdict"), "doubt".to_owned());
    }
    browser.set("policies", POLICIES);
    browser.click("ask");
    rows.check("it goes on", shown(&browser).0.starts_with("deny: "), true);
}

#[test]
fn a_long_question_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["serve", "--write", "page.html"]);
    let rules: Vec<String> = (0..4000)
        .map(|rule| {
            format!("  - to: [{{operation: {{paths: [\"*{rule}\", \"/a{rule}*\"], notPaths: [\"/{rule}/*\"]}}}}]\n")
        })
        .collect();
    let policies = |head: &str| {
        format!(
            "kind: AuthorizationPolicy\nmetadata: {{name: {head}, namespace: shop}}\nspec:\n  rules:\n{}",
            rules.concat()
        )
    };
    let browser = Browser::start();
    browser.open(&format!("file://{}", folder.path().join("page.html").display()));
    shown(&browser);
    browser.set("policies", &policies("new"));
    browser.set("replaced", &policies("old"));
    browser.click("tab-compare");
    browser.wait("!document.getElementById('stop').disabled");
    browser.click("stop");
    shown(&browser);
    assert_eq!(browser.text("verdict"), "stopped");
    browser.set("policies", POLICIES);
    browser.click("tab-explain");
    assert!(shown(&browser).0.starts_with("deny: "));
}

#[test]
fn the_server_answers_this_machine_alone() {
    let serving = Serving::start(&[]);
    let port = serving.address.port();
    let mut rows = Rows::default();
    for (host, method, path, status) in [
        (format!("127.0.0.1:{port}"), "GET", "/", 200),
        (format!("localhost:{port}"), "GET", "/?x=1", 200),
        ("localhost".to_owned(), "HEAD", "/", 200),
        (format!("127.0.0.1:{port}"), "GET", "/etc/passwd", 404),
        (format!("127.0.0.1:{port}"), "POST", "/", 405),
        (format!("rebound.example:{port}"), "GET", "/", 403),
        ("127.0.0.1.rebound.example".to_owned(), "GET", "/", 403),
    ] {
        let request = Request::new(method, &host, path);
        let response = Client::new().unwrap().send(serving.address, Protocol::Http1, &request).unwrap();
        rows.check(format!("{method} {host}{path}"), response.status, status);
    }
    let taken = port.to_string();
    let (output, error) = printed(Path::new("."), &["serve", "--port", &taken]);
    rows.check("a port in use", (output.as_str(), error.contains("choose another --port")), ("", true));
}
