//! The runs: what the probe tries, and the requests that are sent meanwhile.

use weir_scenario::{
    Abort, Bytes, Failure, Fields, FilterSpec, Module, Outcome, Payload, Protocol, Proxy, Request, Scenario,
    Surroundings, WorldSkips,
};

/// The node, the routes and the clusters of every run.
const WORLD: &str = include_str!("world.yaml");

/// One run: one start of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub name: &'static str,
    /// The probe's configuration.
    pub plan: &'static str,
    /// The requests, by the names that [`Run::requests`] knows.
    pub requests: &'static str,
}

/// All runs.
#[must_use]
pub fn runs() -> Vec<Run> {
    let table = include_str!("runs.txt").lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    table.filter_map(parse).collect()
}

/// `NAME | REQUESTS | PLAN`
fn parse(line: &'static str) -> Option<Run> {
    let (name, rest) = line.split_once('|')?;
    let (requests, plan) = rest.split_once('|')?;
    Some(Run { name: name.trim(), plan: plan.trim(), requests: requests.trim() })
}

#[derive(serde::Deserialize)]
struct World {
    proxy: Proxy,
    world: Surroundings,
}

impl Run {
    /// The proxy of this run as a scenario without steps.
    ///
    /// # Errors
    /// When the world cannot be read.
    pub fn scenario(&self) -> Result<Scenario, Failure> {
        let World { proxy, world } = serde_yaml_ng::from_str(WORLD).map_err(|e| Failure(e.to_string()))?;
        let config = serde_json::Value::String(self.plan.to_owned());
        Ok(Scenario {
            name: self.name.to_owned(),
            description: "The probe tries what its configuration says.".to_owned(),
            worlds: WorldSkips::default(),
            filters: vec![FilterSpec {
                module: Module::Probe,
                config,
                root_id: "probe".to_owned(),
                vm_config: String::new(),
            }],
            proxy,
            world,
            start: Outcome::Accepted,
            window: None,
            steps: Vec::new(),
        })
    }

    /// The probe for this run: what it tries while it starts, before it can be configured, stands in its data.
    ///
    /// # Errors
    /// When the module is not the probe.
    pub fn module(&self, probe: &[u8]) -> Result<Vec<u8>, Failure> {
        const MARK: &[u8] = b"weir-probe-start=none";
        let case = self.plan.split(' ').find_map(|word| word.strip_prefix("start=")).unwrap_or("none");
        let at = probe.windows(MARK.len()).position(|window| window == MARK);
        let at = at.ok_or_else(|| Failure("the module is not the probe".to_owned()))?;
        let name = format!("weir-probe-start={case:<31}");
        let mut module = probe.to_vec();
        module.iter_mut().skip(at).zip(name.bytes()).for_each(|(old, new)| *old = new);
        Ok(module)
    }

    /// The requests, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.split_whitespace().filter_map(request).collect()
    }
}

/// The headers of every request.
fn headers() -> Fields {
    let fields = [("x-user", "ann"), ("x-twice", "a"), ("x-twice", "b"), ("x-empty", ""), ("user-agent", "probe/1")];
    Fields(fields.iter().map(|(name, value)| (Bytes::from(*name), Bytes::from(*value))).collect())
}

/// A request by its name.
fn request(name: &str) -> Option<Request> {
    let get = Request { path: Bytes::from("/items/7?q=1"), headers: headers(), ..Request::default() };
    let body = Payload::Bytes(Bytes::from("request body"));
    let post = Request { method: "POST".to_owned(), body, ..get.clone() };
    let to = |path: &str, request: &Request| Request { path: Bytes::from(path), ..request.clone() };
    let trailers = Fields(vec![(Bytes::from("x-trailer"), Bytes::from("request"))]);
    Some(match name {
        "get" => get,
        "post" => post,
        "direct" => to("/direct", &get),
        "dead" => to("/dead", &get),
        "h2" => Request { protocol: Protocol::H2, trailers, ..to("/h2/items", &post) },
        "h2-get" => Request { protocol: Protocol::H2, ..to("/h2/items", &get) },
        "abort" => Request { abort: Some(Abort::MidBody), ..post },
        "hang" => {
            Request { timeout: Some(weir_scenario::Span(std::time::Duration::from_millis(300))), ..to("/hang", &get) }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testing::Rows;

    #[test]
    fn the_case_of_the_start_replaces_the_one_in_the_data() {
        let run = |plan| Run { name: "", plan, requests: "-" };
        let probe = format!("before weir-probe-start={:<31}after", "none").into_bytes();
        let patched = |plan| String::from_utf8(run(plan).module(&probe).unwrap()).unwrap();
        assert_eq!(patched("part=none start=tick").len(), probe.len());
        assert!(patched("part=none start=tick").contains("start=tick  "));
        assert!(patched("part=none start=tick").ends_with(" after"));
        assert_eq!(patched("part=none").as_bytes(), probe);
        assert!(run("part=none").module(b"no probe").is_err());
    }

    #[test]
    fn every_run_can_be_made() {
        let all = runs();
        assert!(all.len() > 40, "only {} runs", all.len());
        let mut rows = Rows::default();
        for run in &all {
            rows.check(run.name, run.scenario().err().map(|error| error.to_string()), None::<String>);
            let named = run.requests.split_whitespace().filter(|name| *name != "-").count();
            rows.check(run.name, run.requests().len(), named);
            rows.check(run.plan, run.plan.starts_with("part="), true);
        }
    }
}
