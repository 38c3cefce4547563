//! Configuration swapped under load: a bad one is refused with all its problems, a good one comes into force, and no
//! request is lost either way.

mod rules;
mod upgrade;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use weir_scenario::{Failure, Node, Proxy as Listener, Request, Response};
use weir_test_envoy::{Booted, Dialer, Discovery, Plugin, Proxy, Setup, module};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A document whose one policy closes that path.
fn closing(path: &str) -> Value {
    document("cart", "DENY", path)
}

fn document(name: &str, action: &str, path: &str) -> Value {
    json!({
        "schema": 1,
        "name": name,
        "policies": [{
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "closed", "namespace": "shop"},
            "spec": {"action": action, "rules": [{"to": [{"operation": {"paths": [path]}}]}]},
        }],
    })
}

fn plugins(configuration: &Value) -> Result<Vec<Plugin>, Failure> {
    let plugin = Plugin {
        name: "policy".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("policy")?,
        configuration: configuration.to_string(),
    };
    Ok(vec![plugin])
}

fn get(path: &str) -> Request {
    Request { path: path.into(), ..Request::default() }
}

/// Which of the two paths are open.
fn open(proxy: &mut Proxy) -> Result<(bool, bool), Failure> {
    let mut status = |path| Ok(proxy.send(&get(path))?.status == Some(200));
    Ok((status("/admin")?, status("/open")?))
}

/// Requests over and over, each on the connection of the one before as long as that is open.
fn load(dialer: &Dialer, request: &Request, ended: &AtomicBool) -> Result<Vec<Response>, Failure> {
    let mut wire = dialer.connect(request)?;
    let mut responses = Vec::new();
    while !ended.load(Ordering::Relaxed) && responses.len() < 50_000 {
        if !wire.is_open() {
            wire = dialer.connect(request)?;
        }
        responses.push(wire.send(request));
        thread::sleep(Duration::from_millis(1));
    }
    Ok(responses)
}

/// Ends the loads however the swaps end.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs swaps through one kind of discovery while two clients send on their own connections.
fn swaps(discovery: Discovery) -> Outcome {
    let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
    let node = Node { metadata: metadata.as_object().cloned().unwrap_or_default(), ..Node::default() };
    let setup = Setup {
        plugins: plugins(&closing("/admin"))?,
        proxy: Listener { node, workers: 2, ..Listener::default() },
        discovery,
        ..Setup::default()
    };
    let mut proxy = match Proxy::start(setup)? {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => return Err(log.into()),
    };
    let request = get("/elsewhere");
    let dialer = proxy.dialer(&request)?;
    let ended = AtomicBool::new(false);
    let loads = thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        let loads = [0, 1].map(|_| scope.spawn(|| load(&dialer, &request, &ended)));
        {
            let _end = End(&ended);
            all_swaps(&mut proxy)?;
        }
        Ok(loads.map(|load| load.join().unwrap_or_else(|_| Err(Failure("a load ended badly".to_owned())))))
    })?;
    for load in loads {
        let load = load?;
        assert!(load.len() > 50, "only {} requests", load.len());
        none_lost(&load);
    }
    assert_eq!(proxy.vm_failures()?, 0);
    proxy.stop()?;
    Ok(())
}

fn all_swaps(proxy: &mut Proxy) -> Outcome {
    let request = get("/elsewhere");
    for round in 0..2 {
        // Envoy remembers that a configuration failed and refuses the same one without reading it, so each has its own name.
        let mut faulty = document(&format!("faulty-{round}"), "DENIED", "/open");
        if let Some(fields) = faulty.as_object_mut() {
            fields.insert("polices".to_owned(), json!([]));
        }
        assert_eq!(open(proxy)?, (false, true));
        let change = proxy.swap(plugins(&faulty)?, Some(&request))?;
        none_lost(&change.during);
        let report = change.refused.ok_or("a faulty configuration was taken")?;
        for problem in ["$.policies[0].spec.action", "`DENIED`", "$.polices"] {
            assert!(report.contains(problem), "{problem} is not in\n{report}");
        }
        assert_eq!(open(proxy)?, (false, true), "the running configuration stays in force");
        for (path, expected) in [("/open", (true, false)), ("/admin", (false, true))] {
            let change = proxy.swap(plugins(&closing(path))?, Some(&request))?;
            assert_eq!(change.refused, None);
            none_lost(&change.during);
            assert_eq!(open(proxy)?, expected);
        }
    }
    Ok(())
}

fn none_lost(responses: &[Response]) {
    for (number, response) in responses.iter().enumerate() {
        assert_eq!((response.status, response.broken), (Some(200), false), "request {number} of {}", responses.len());
    }
}

#[test]
fn filters_are_swapped_through_extension_discovery() -> Outcome {
    swaps(Discovery::Filters)
}

#[test]
fn the_listener_is_swapped_through_listener_discovery() -> Outcome {
    swaps(Discovery::Listener)
}
