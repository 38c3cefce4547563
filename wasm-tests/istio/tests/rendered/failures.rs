//! The table "When the module fails" of the page on operations: a module that traps when a request asks for it, in rendered
//! manifests, under each failure policy. How long requests fail, how many, and what shows it.

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use weir_launch::{Deadline, wait_until};
use weir_test_envoy::{envoy_line, module};
use weir_test_istio::{Client, Load, Mesh, Options, Proxy, Running};
use weir_testing::Rows;

use crate::contexts::{CONTEXTS, Outcome, Registry, image, line, request};
use crate::gateway::{Edge, rendered};

/// How a proxy gets the module and its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In the listener, from a file: form `envoy`.
    Static,
    /// Through extension config discovery: form `envoyfilter`.
    Discovered,
    /// The same with a default configuration, as for a document that refuses nothing.
    Defaulted,
    /// Form `wasmplugin`.
    Plugin,
}

const WAYS: [Way; 4] = [Way::Static, Way::Discovered, Way::Defaulted, Way::Plugin];
/// Longer than Envoy waits between two VMs under FAIL_RELOAD.
const BACKOFF: Duration = Duration::from_millis(1500);
/// How long a failure that does not heal is looked at: longer than FAIL_RELOAD takes.
const FOR_GOOD: Duration = Duration::from_millis(2500);
/// How long requests that need a new VM take at most.
const SOON: Duration = Duration::from_secs(1);
const CLIENTS: usize = 3;

/// The rendered objects with another failure policy, and a number in their document that makes it another one.
fn objects(way: Way, policy: &str, version: u32) -> Result<Vec<Value>, Box<dyn Error>> {
    let context = &CONTEXTS[0];
    let (image, probe, line) = (image(), module("shell-probe")?, envoy_line());
    let (form, code): (_, &[&str]) = match way {
        Way::Static => ("envoy", &["--module-file", probe.to_str().unwrap(), "--snippet", "--envoy", &line]),
        Way::Discovered => ("envoyfilter", &["--image", &image]),
        Way::Defaulted => ("envoyfilter", &["--image", &image, "--mode", "shadow"]),
        Way::Plugin => ("wasmplugin", &["--image", &image]),
    };
    let mut trees = context.render(form, code)?.trees;
    if way == Way::Static {
        trees = vec![inserted(&trees[0])];
    }
    trees.iter_mut().for_each(|tree| change(tree, policy, version));
    Ok(trees)
}

/// The filters of a snippet, put before the router of the sidecar.
fn inserted(snippet: &Value) -> Value {
    let manager = "envoy.filters.network.http_connection_manager";
    let anchor = json!({"name": manager, "subFilter": {"name": "envoy.filters.http.router"}});
    let patch = |filter: &Value| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": anchor}}},
            "patch": {"operation": "INSERT_BEFORE", "value": filter},
        })
    };
    let patches: Vec<Value> = snippet.as_array().unwrap().iter().map(patch).collect();
    json!({
        "kind": "EnvoyFilter",
        "metadata": {"name": "snippet", "namespace": "shop"},
        "spec": {"workloadSelector": {"labels": {"app": "cart"}}, "configPatches": patches},
    })
}

fn change(tree: &mut Value, policy: &str, version: u32) {
    if let Some(fields) = tree.as_object_mut() {
        let strategy = if policy == "FAIL_CLOSED" { "FAIL_CLOSE" } else { policy };
        for (field, word) in [("failure_policy", policy), ("failStrategy", strategy)] {
            if let Some(written) = fields.get_mut(field) {
                *written = json!(word);
            }
        }
        if fields.contains_key("schema") {
            fields.insert("version".to_owned(), json!(version));
        }
    }
    match tree {
        Value::Object(fields) => fields.values_mut().for_each(|inner| change(inner, policy, version)),
        Value::Array(items) => items.iter_mut().for_each(|inner| change(inner, policy, version)),
        _ => {}
    }
}

/// A proxy with the module.
struct Proxied {
    mesh: Mesh,
    registry: Registry,
    running: Running,
}

/// The status of an answer, and whether the module saw the request.
type Answer = (u16, bool);

const SERVED: Answer = (200, true);
const PASSED: Answer = (200, false);
const REFUSED: Answer = (503, false);

impl Proxied {
    fn start(way: Way, policy: &str, mut registry: Registry) -> Result<Self, Box<dyn Error>> {
        let mut mesh = Mesh::new(Proxy::sidecar()?, line())?;
        let running = mesh.start(&objects(way, policy, 1)?, &mut registry, Options::default())?;
        Ok(Self { mesh, registry, running })
    }

    /// The answer to a request with that plan.
    fn ask(&self, plan: &str) -> Result<Answer, Box<dyn Error>> {
        answer(&self.running, plan)
    }

    /// Lets the module trap so many times while clients send requests. After each it waits until a request is answered with
    /// 200: the answer to the one that trapped and after how long the last time, and what came of the clients' requests.
    fn trap(&mut self, times: usize) -> Result<(Answer, Option<Duration>, Load), Box<dyn Error>> {
        let clients = vec![Client::PLAIN; CLIENTS];
        let work = |running: &mut Running| {
            let lost = |error: Box<dyn Error>| weir_scenario::Failure(error.to_string());
            let mut last = (REFUSED, None);
            for _ in 0..times {
                let trapped = answer(running, "trap").map_err(lost)?;
                let clock = Deadline::after(FOR_GOOD * 10);
                let flows = || (answer(running, "").ok()?.0 == 200).then(|| FOR_GOOD * 10 - clock.left());
                last = (trapped, wait_until(FOR_GOOD, flows));
            }
            Ok(last)
        };
        let request = request("GET", "/cart", None);
        let ((trapped, after), load) = self.running.under_load(&clients, &request, work)?;
        Ok((trapped, after, load))
    }

    /// Serves another configuration.
    fn edit(&mut self, way: Way, policy: &str) -> Outcome {
        let (_, resources) = self.mesh.apply(&objects(way, policy, 2)?, &mut self.registry)?;
        assert!(self.running.push(&resources)?, "the other configuration is taken");
        Ok(())
    }

    /// The sum of the counters that end so.
    fn count(&self, ending: &str) -> Result<u64, Box<dyn Error>> {
        let stats: BTreeMap<String, u64> = self.running.stats()?;
        Ok(stats.iter().filter(|(name, _)| name.ends_with(ending)).map(|(_, value)| value).sum())
    }
}

fn answer(running: &Running, plan: &str) -> Result<Answer, Box<dyn Error>> {
    let mut request = request("GET", "/cart", None);
    request.headers = serde_json::from_value(json!({"x-do": plan}))?;
    let response = running.send(&Client::PLAIN, &request)?;
    let seen = response.headers.0.iter().any(|(name, _)| name.0 == b"x-response");
    Ok((response.status.unwrap_or(0), seen))
}

/// What Envoy logs of a trap, at level error.
const LOGGED: &str = "proxy_on_request_headers failed: Uncaught RuntimeError: unreachable";

/// Checks every way in a thread of its own, as most of the time is spent waiting.
fn each_way(check: impl Fn(Way, &mut Rows) -> Outcome + Sync) {
    let check = &check;
    thread::scope(|scope| {
        for way in WAYS {
            scope.spawn(move || {
                let mut rows = Rows::default();
                let outcome = check(way, &mut rows).map_err(|error| error.to_string());
                rows.check(format!("{way:?}"), outcome, Ok(()));
            });
        }
    });
}

#[test]
fn fail_reload_heals_with_the_next_request_or_after_the_backoff() {
    each_way(|way, rows| {
        let mut proxied = Proxied::start(way, "FAIL_RELOAD", Registry::with("shell-probe")?)?;
        rows.check(format!("{way:?}: before"), proxied.ask("")?, SERVED);
        thread::sleep(BACKOFF);
        let (trapped, after, load) = proxied.trap(1)?;
        println!("{way:?} FAIL_RELOAD: flows after {after:?}, {load:?}");
        rows.check(format!("{way:?}: the request that traps"), trapped, REFUSED);
        let soon = after.is_some_and(|after| after < SOON);
        rows.check(format!("{way:?}: the next requests pass, {after:?}"), soon, true);
        let failed = load.statuses.get(&503).copied().unwrap_or(0);
        rows.check(format!("{way:?}: only those in flight fail, {load:?}"), (failed <= CLIENTS, load.lost), (true, 0));
        let reloads = (proxied.count(".vm_reload_success")?, proxied.count(".vm_reload_backoff")?);
        rows.check(format!("{way:?}: a new VM, without waiting"), reloads, (1, 0));

        // The last of these VMs has just been made when it traps.
        let (_, after, load) = proxied.trap(2)?;
        println!("{way:?} FAIL_RELOAD, just made: flows after {after:?}, {load:?}");
        rows.check(format!("{way:?}: after the backoff, {after:?}"), after.is_some(), true);
        let only = load.lost == 0 && load.statuses.keys().all(|status| [200, 503].contains(status));
        rows.check(format!("{way:?}: refused meanwhile, {load:?}"), only, true);
        rows.check(format!("{way:?}: waited"), proxied.count(".vm_reload_backoff")? > 0, true);
        rows.check(format!("{way:?}: new VMs"), proxied.count(".vm_reload_success")?, 3);
        rows.check(format!("{way:?}: after"), proxied.ask("")?, SERVED);
        rows.contains(format!("{way:?}: log"), &proxied.running.log()?.join("\n"), LOGGED);
        Ok(())
    });
}

/// No stat of Wasm tells these failures: there is no new VM, and the module's own counters stand still.
fn lasts(rows: &mut Rows, way: Way, policy: &str, then: Answer) -> Outcome {
    let title = format!("{way:?} {policy}");
    let mut proxied = Proxied::start(way, policy, Registry::with("shell-probe")?)?;
    rows.check(format!("{title}: before"), proxied.ask("")?, SERVED);
    let (trapped, after, load) = proxied.trap(1)?;
    println!("{title}: flows after {after:?}, {load:?}");
    rows.check(format!("{title}: the request that traps"), trapped, REFUSED);
    rows.check(format!("{title}: requests pass, {after:?}"), after.is_some(), then == PASSED);
    let failed = load.statuses.get(&503).copied().unwrap_or(0);
    rows.check(format!("{title}: those in flight fail, {load:?}"), failed <= CLIENTS, then == PASSED);
    let counted = proxied.count("shell_requests")?;
    if then == PASSED {
        thread::sleep(FOR_GOOD);
    }
    rows.check(format!("{title}: for good"), proxied.ask("")?, then);
    let reloads = [".vm_reload_success", ".vm_reload_backoff", ".vm_reload_failure"].map(|stat| proxied.count(stat));
    rows.check(format!("{title}: no new VM"), reloads.into_iter().sum::<Result<u64, _>>()?, 0);
    rows.check(format!("{title}: nothing is counted"), proxied.count("shell_requests")?, counted);
    let stats = proxied.running.stats()?;
    let of_chain =
        |(name, _): &(&String, &u64)| name.starts_with("http.inbound") && name.ends_with("downstream_rq_5xx");
    let counted: u64 = stats.iter().filter(of_chain).map(|(_, value)| value).sum();
    rows.check(format!("{title}: {counted} responses of 5xx"), counted > CLIENTS as u64 + 1, then == REFUSED);
    rows.contains(format!("{title}: log"), &proxied.running.log()?.join("\n"), LOGGED);
    if way != Way::Static {
        proxied.edit(way, policy)?;
        let heals = wait_until(FOR_GOOD, || (proxied.ask("").ok()? == SERVED).then_some(()));
        rows.check(format!("{title}: heals with another configuration"), heals.is_some(), true);
    }
    Ok(())
}

#[test]
fn fail_closed_refuses_until_another_configuration() {
    each_way(|way, rows| lasts(rows, way, "FAIL_CLOSED", REFUSED));
}

#[test]
fn fail_open_lets_requests_pass_undecided_until_another_configuration() {
    each_way(|way, rows| lasts(rows, way, "FAIL_OPEN", PASSED));
}

/// The agent's stand-in is all that the proxy has, also where there is a default configuration.
#[test]
fn a_failed_pull_allows_or_denies_everything() -> Outcome {
    let mut rows = Rows::default();
    for way in [Way::Discovered, Way::Defaulted, Way::Plugin] {
        for (policy, status, stat, denied) in [
            ("FAIL_OPEN", 200, "wasm-default-allow.", 0_u64),
            ("FAIL_RELOAD", 403, "wasm-default-deny.", 1),
            ("FAIL_CLOSED", 403, "wasm-default-deny.", 1),
        ] {
            let title = format!("{way:?} {policy}");
            let proxied = Proxied::start(way, policy, Registry { module: None })?;
            rows.check(&title, proxied.ask("")?, (status, false));
            // One stat for each chain: of them all, the request that was sent is in one.
            let stats = proxied.running.stats()?;
            let named = |(name, _): &(&String, &u64)| name.contains(stat) && name.ends_with(".denied");
            let found: Vec<_> = stats.iter().filter(named).map(|(_, value)| *value).collect();
            rows.check(format!("{title}: {stat}"), (found.is_empty(), found.iter().sum()), (false, denied));
        }
    }
    Ok(())
}

/// Envoy Gateway has Envoy's older field alone, which also lets the request pass that trapped.
#[test]
fn envoy_gateway_makes_no_new_vm_until_another_configuration() -> Outcome {
    let mut rows = Rows::default();
    for (mode, trapped, then) in [("enforce", REFUSED, REFUSED), ("shadow", PASSED, PASSED)] {
        let mut policy = rendered(mode)?;
        let edge = Edge::start(&policy, &module("shell-probe")?)?;
        let ask = |plan: &str| -> Result<Answer, Box<dyn Error>> {
            let response = edge.send("/cart", &[("x-do", plan)])?;
            Ok((response.status, response.header("x-response").is_some()))
        };
        rows.check(format!("{mode}: before"), ask("")?, SERVED);
        rows.check(format!("{mode}: the request that traps"), ask("trap")?, trapped);
        rows.check(format!("{mode}: the next"), ask("")?, then);
        thread::sleep(FOR_GOOD);
        rows.check(format!("{mode}: for good"), ask("")?, then);
        rows.contains(format!("{mode}: log"), &edge.log()?, LOGGED);
        policy["spec"]["wasm"][0]["config"]["version"] = json!(2);
        edge.edit(&policy)?;
        let heals = wait_until(FOR_GOOD, || (ask("").ok()? == SERVED).then_some(()));
        rows.check(format!("{mode}: heals with another configuration"), heals.is_some(), true);
    }
    Ok(())
}
