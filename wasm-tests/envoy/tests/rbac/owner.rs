//! Who owns the policy: native RBAC beside Weir, ahead of it and behind it, in every step of the way in and of the way out.
//! At each step a table says who refuses, and clients that never stop sending show that nothing that was closed opens and
//! nothing that must pass is lost. `docs/beside-istio.md` has the order and the
//! bound of `mode: off`.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use weir_launch::{Deadline, wait_until};
use weir_scenario::{Failure, Node, Proxy as Listener, Request, Span};
use weir_test_envoy::{Booted, Dialer, Discovery, OnFailure, Plugin, Proxy, Setup, Wire, module};
use weir_testing::Rows;

use crate::istio::{self, Bundle, Options};

type Outcome = Result<(), Box<dyn Error>>;

/// A request that must pass, one that a rule refuses, and one that no rule allows.
const OPEN: &str = "/cart";
const CLOSED: &str = "/cart/closed";
const UNMATCHED: &str = "/admin";

/// How long connections of a replaced listener may go on: 45 seconds in Istio. Envoy then closes them, with what is in flight:
/// on a busy machine a client that never stops may need more than a second to move on.
const DRAIN: Duration = Duration::from_secs(3);
/// How soon `mode: off` holds for every request, as the page says.
const BREAK_GLASS: Duration = Duration::from_secs(1);

/// Where Envoy's RBAC stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Native {
    /// Ahead of Weir, as with `weir render envoyfilter`.
    First,
    /// Behind it, as with a WasmPlugin of phase AUTHZ.
    Last,
}

/// Who decides at a step.
#[derive(Clone, Copy, Debug)]
struct Step {
    native: bool,
    /// Weir's mode, if it is there.
    weir: Option<&'static str>,
}

const NATIVE: Step = Step { native: true, weir: None };
const SHADOW: Step = Step { native: true, weir: Some("shadow") };
const BOTH: Step = Step { native: true, weir: Some("enforce") };
const WEIR: Step = Step { native: false, weir: Some("enforce") };
const OFF: Step = Step { native: true, weir: Some("off") };

fn policies() -> [Value; 2] {
    let policy = |name: &str, action: &str, paths: &[&str]| {
        json!({
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"action": action, "rules": [{"to": [{"operation": {"paths": paths}}]}]},
        })
    };
    [policy("open", "ALLOW", &["/cart", "/cart/*"]), policy("closed", "DENY", &[CLOSED])]
}

fn rbac() -> Vec<Value> {
    istio::filters(&policies(), &Options { bundle: Bundle(vec!["cluster.local".to_owned()]), ..Options::default() })
}

fn plugins(mode: &str) -> Result<Vec<Plugin>, Failure> {
    let document = json!({"schema": 1, "name": "cart", "mode": mode, "policies": policies()});
    Ok(vec![Plugin {
        name: "policy".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("policy")?,
        configuration: document.to_string(),
    }])
}

fn setup(native: Native, step: Step, discovery: Discovery) -> Result<Setup, Failure> {
    let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
    let node = Node { metadata: metadata.as_object().cloned().unwrap_or_default(), ..Node::default() };
    let mut setup = Setup {
        proxy: Listener { node, workers: 2, ..Listener::default() },
        on_failure: OnFailure::Reload,
        drain_time: Some(DRAIN),
        discovery,
        ..Setup::default()
    };
    serve(&mut setup, native, step)?;
    Ok(setup)
}

fn serve(setup: &mut Setup, native: Native, step: Step) -> Result<(), Failure> {
    let filters = if step.native { rbac() } else { Vec::new() };
    (setup.native_first, setup.native) =
        if native == Native::First { (filters, Vec::new()) } else { (Vec::new(), filters) };
    setup.plugins = step.weir.map(plugins).transpose()?.unwrap_or_default();
    Ok(())
}

fn start(setup: Setup) -> Result<Box<Proxy>, Failure> {
    match Proxy::start(setup)? {
        Booted::Ready(proxy) => Ok(proxy),
        Booted::Refused(log) => Err(Failure(log)),
    }
}

/// A request whose client waits while a busy machine makes a VM.
fn get(path: &str) -> Request {
    Request { path: path.into(), timeout: Some(Span(Duration::from_secs(30))), ..Request::default() }
}

/// Checks the row of the page's table: whose refusal it is, for each request. Both have the same response code details; what
/// tells them apart is Weir's filter state and the counter of Envoy's filter.
fn who_refuses(rows: &mut Rows, proxy: &mut Proxy, native: Native, step: Step) -> Outcome {
    let title = format!("{native:?}, {step:?}");
    // A filter that stands behind one that refuses does not see the request.
    let by_native = step.native && (native == Native::First || step.weir != Some("enforce"));
    let seen = !(step.native && native == Native::First);
    for (path, rule) in [
        (OPEN, None),
        (CLOSED, Some(("ns[shop]-policy[closed]-rule[0]", "shop/closed[0]"))),
        (UNMATCHED, Some(("none", "-"))),
    ] {
        let status = proxy.send(&get(path))?.status;
        let record = proxy.record()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (details, state) = (text(&record.details.0), text(&record.policy.0));
        let state_expected = match (rule, step.weir) {
            (Some((_, name)), Some("enforce")) if seen => format!("deny {name}"),
            (Some((_, name)), Some("shadow")) if seen => format!("shadow deny {name}"),
            _ => "-".to_owned(),
        };
        let details_expected = match rule {
            Some((id, _)) => format!("rbac_access_denied_matched_policy[{id}]"),
            None => "via_upstream".to_owned(),
        };
        let status_expected = if rule.is_some() { 403 } else { 200 };
        rows.check(format!("{title}: {path}"), (status, details), (Some(status_expected), details_expected));
        rows.check(format!("{title}: {path}: filter state"), state, state_expected);
    }
    // The load has refused requests. Those of its connections from before the step move to the new listener with their next
    // response.
    let counts = || {
        let before = denied(proxy)?;
        thread::sleep(Duration::from_millis(50));
        Some(denied(proxy)? > before)
    };
    let settled = wait_until(DRAIN, || (counts()? == by_native).then_some(()));
    rows.check(format!("{title}: Envoy's filter counts refusals: {by_native}"), settled, Some(()));
    Ok(())
}

/// How many requests Envoy's filter has refused.
fn denied(proxy: &Proxy) -> Option<u64> {
    let stats = proxy.stats().ok()?;
    Some(stats.iter().filter(|(name, _)| name.ends_with("rbac.denied")).map(|(_, value)| *value).sum())
}

/// What came of a client's requests: how many had each status, 0 for no answer.
type Statuses = BTreeMap<u16, usize>;

/// Sends one request over and over, each on a connection of its own or on one that is kept as long as it is open.
fn load(dialer: &Dialer, path: &str, kept: bool, ended: &AtomicBool) -> Result<Statuses, Failure> {
    let request = get(path);
    let mut statuses = Statuses::new();
    let mut wire = dialer.connect(&request)?;
    while !ended.load(Ordering::Relaxed) {
        if !kept || !wire.is_open() {
            wire = dialer.connect(&request)?;
        }
        let response = wire.send(&request);
        let status = response.status.filter(|_| !response.broken).unwrap_or(0);
        *statuses.entry(status).or_default() += 1;
        thread::sleep(Duration::from_millis(if kept { 1 } else { 5 }));
    }
    Ok(statuses)
}

/// Ends the loads however the work ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` while clients send what must pass and what must be refused.
fn under_load(rows: &mut Rows, proxy: &mut Proxy, work: impl FnOnce(&mut Rows, &mut Proxy) -> Outcome) -> Outcome {
    let dialer = proxy.dialer(&get(OPEN))?;
    let ended = AtomicBool::new(false);
    let clients = [(OPEN, true), (OPEN, false), (CLOSED, true), (CLOSED, false), (UNMATCHED, true)];
    thread::scope(|scope| {
        let (dialer, ended) = (&dialer, &ended);
        let loads = clients.map(|(path, kept)| scope.spawn(move || load(dialer, path, kept, ended)));
        {
            let _end = End(ended);
            work(rows, proxy)?;
        }
        for ((path, kept), load) in clients.into_iter().zip(loads) {
            let statuses = load.join().map_err(|_| "a load ended badly")??;
            let expected = if path == OPEN { 200 } else { 403 };
            let name = format!("{path}, kept: {kept}: {statuses:?}");
            rows.check(&name, statuses.keys().copied().collect::<Vec<_>>(), vec![expected]);
            rows.check(&name, statuses.values().sum::<usize>() > 100, true);
        }
        Ok(())
    })
}

/// A connection that was used once and then waits.
fn idle(proxy: &mut Proxy) -> Result<Wire, Failure> {
    let request = get(CLOSED);
    let mut wire = proxy.dialer(&request)?.connect(&request)?;
    match wire.send(&request).status {
        Some(403) => Ok(wire),
        other => Err(Failure(format!("{CLOSED} had {other:?}"))),
    }
}

/// The way in and the way out, as the page has them, with Envoy's filter at one of its places.
fn in_and_out(native: Native) -> Outcome {
    let mut rows = Rows::default();
    let mut proxy = start(setup(native, NATIVE, Discovery::Both)?)?;
    under_load(&mut rows, &mut proxy, |rows, proxy| {
        who_refuses(rows, proxy, native, NATIVE)?;
        // In: the manifests, `mode: enforce`, and the native objects last.
        change(proxy, native, SHADOW)?;
        who_refuses(rows, proxy, native, SHADOW)?;
        rows.check("mode: enforce", proxy.swap(plugins("enforce")?, None)?.refused, None);
        who_refuses(rows, proxy, native, BOTH)?;
        change(proxy, native, WEIR)?;
        who_refuses(rows, proxy, native, WEIR)?;
        // Out: the native objects, the end of draining, `mode: off`, and the manifests last.
        let mut wire = idle(proxy)?;
        change(proxy, native, BOTH)?;
        who_refuses(rows, proxy, native, BOTH)?;
        proxy.drained()?;
        rows.check("mode: off", proxy.swap(plugins("off")?, None)?.refused, None);
        who_refuses(rows, proxy, native, OFF)?;
        rows.check("a connection that waited", wire.send(&get(CLOSED)).status, None);
        change(proxy, native, NATIVE)?;
        who_refuses(rows, proxy, native, NATIVE)
    })?;
    proxy.stop()?;
    Ok(())
}

/// Serves the listener of a step, and waits until a new connection gets it.
fn change(proxy: &mut Proxy, native: Native, step: Step) -> Result<(), Failure> {
    let mut served = Ok(());
    proxy.change_listener(|setup| served = serve(setup, native, step))?;
    served
}

#[test]
fn nothing_opens_on_the_way_in_and_out_with_rbac_ahead() -> Outcome {
    in_and_out(Native::First)
}

#[test]
fn nothing_opens_on_the_way_in_and_out_with_rbac_behind() -> Outcome {
    in_and_out(Native::Last)
}

/// Why the page says to wait: a connection from before the native objects keeps its listener, in which only Weir stands.
#[test]
fn mode_off_before_the_end_of_draining_opens_connections_of_before() -> Outcome {
    let mut proxy = start(Setup { drain_time: None, ..setup(Native::First, WEIR, Discovery::Both)? })?;
    let mut wire = idle(&mut proxy)?;
    change(&mut proxy, Native::First, BOTH)?;
    assert_eq!(proxy.swap(plugins("off")?, None)?.refused, None);
    assert_eq!(proxy.send(&get(CLOSED))?.status, Some(403), "a new connection");
    assert_eq!(wire.send(&get(CLOSED)).status, Some(200), "a connection of before");
    proxy.stop()?;
    Ok(())
}

/// From the moment that the agent hands `mode: off` to Envoy until no request is refused any more.
#[test]
fn mode_off_holds_within_the_bound_of_the_page() -> Outcome {
    const ROUNDS: usize = 5;
    let mut proxy = start(setup(Native::First, WEIR, Discovery::Filters)?)?;
    let dialer = proxy.dialer(&get(CLOSED))?;
    for round in 0..ROUNDS {
        let ended = AtomicBool::new(false);
        let (took, lost) = thread::scope(|scope| -> Result<_, Box<dyn Error>> {
            let (dialer, ended) = (&dialer, &ended);
            let clock = Deadline::after(BREAK_GLASS * 10);
            // On connections of both workers, most likely.
            let loads = [(); 6].map(|()| scope.spawn(move || refusals(dialer, clock, ended)));
            thread::sleep(Duration::from_millis(50));
            let began = clock.left();
            {
                let _end = End(ended);
                assert_eq!(proxy.swap(plugins("off")?, None)?.refused, None);
                thread::sleep(Duration::from_millis(50));
            }
            let (mut last, mut lost) = (began, 0);
            for load in loads {
                let (refused, broken) = load.join().map_err(|_| "a load ended badly")??;
                last = last.min(refused);
                lost += broken;
            }
            Ok((began - last, lost))
        })?;
        println!("mode: off holds after {took:?}");
        assert!(took < BREAK_GLASS && lost == 0, "round {round}: {took:?}, {lost} requests lost");
        assert_eq!(proxy.send(&get(CLOSED))?.status, Some(200));
        assert_eq!(proxy.swap(plugins("enforce")?, None)?.refused, None);
        assert_eq!(proxy.send(&get(CLOSED))?.status, Some(403));
    }
    proxy.stop()?;
    Ok(())
}

/// How much of the clock was left when the last request was refused on one connection, and how many had neither 200 nor 403.
fn refusals(dialer: &Dialer, clock: Deadline, ended: &AtomicBool) -> Result<(Duration, usize), Failure> {
    let request = get(CLOSED);
    let mut wire = dialer.connect(&request)?;
    let (mut refused, mut lost) = (clock.left(), 0);
    while !ended.load(Ordering::Relaxed) {
        match wire.send(&request).status {
            Some(403) => refused = clock.left(),
            Some(200) => {}
            _ => lost += 1,
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok((refused, lost))
}
