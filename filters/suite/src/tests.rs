//! The real parts together, over cells in memory, with no more facts than they demand.

use super::Suite;
use std::collections::BTreeMap;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{
    Attribute, Attributes, Demand, Edits, Effects, Facts, Filter, Headers, Io, MemoryCells, MetricKind, MetricOp, Node,
    Now, Offer, PairsBuilder, Phase, Struct, StructValue, Verdict,
};
use weir_testing::Rows;

const DOCUMENT: &str = r#"{
  "schema": 1, "name": "cart",
  "policy": {"policies": [
    {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
     "metadata": {"name": "no-admin", "namespace": "shop"},
     "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/admin*"]}}]}]}}]},
  "rateLimit": {
    "rate_limits": [{"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}],
    "local": {"config": {"domain": "edge", "descriptors": [
      {"key": "user", "rate_limit": {"name": "per-user", "unit": "minute", "requests_per_unit": 2}}]}}},
  "telemetry": {"reporter": "destination"}
}"#;

fn node() -> Node {
    let text = |value: &str| StructValue::Text(value.to_owned());
    let labels = Struct::from([("app".to_owned(), text("cart"))]);
    let metadata = Struct::from([
        ("NAMESPACE".to_owned(), text("shop")),
        ("WORKLOAD_NAME".to_owned(), text("cart-v1")),
        ("LABELS".to_owned(), StructValue::Map(labels)),
    ]);
    Node { id: "cart-1".to_owned(), cluster: "cart".to_owned(), metadata, ..Node::default() }
}

fn suite(document: &str) -> Suite {
    match Suite::compile(document.as_bytes(), &node()) {
        Ok(suite) => suite,
        Err(problems) => panic!("{problems}"),
    }
}

/// One proxy: its suite, its shared cells, and its counters by owner and stat name.
struct Proxy {
    suite: Suite,
    cells: MemoryCells,
    names: BTreeMap<(u8, u32), String>,
    counters: BTreeMap<(u8, String), u64>,
    effects: Effects,
}

impl Proxy {
    fn new(document: &str) -> Self {
        Self {
            suite: suite(document),
            cells: MemoryCells::default(),
            names: BTreeMap::new(),
            counters: BTreeMap::new(),
            effects: Effects::default(),
        }
    }

    /// Sends a request through to its end and returns the verdict on it.
    fn send(&mut self, path: &str, user: &str) -> Verdict {
        let mut known = Attributes::default();
        known.set(&Attribute::SourceAddress, b"10.0.0.1:4711");
        known.set_int(&Attribute::ListenerDirection, 1);
        let mut effects = std::mem::take(&mut self.effects);
        let mut stream = Default::default();
        let sent: [(&str, &str); 4] = [(":method", "GET"), (":path", path), (":authority", "cart"), ("x-user", user)];
        let mut verdict = Verdict::Continue;
        let mut code = 200;
        for phase in [Phase::Request, Phase::Response, Phase::End] {
            let demand = self.suite.demand(phase).clone();
            if phase == Phase::End {
                known.set_int(&Attribute::ResponseCode, code);
            }
            let mut pairs = PairsBuilder::default();
            for (name, value) in sent.iter().filter(|_| demand.request_headers) {
                pairs.push(name.as_bytes(), value.as_bytes());
            }
            let pairs = pairs.finish();
            let mut attributes = Attributes::default();
            for attribute in demand.attributes.iter() {
                if let Some(value) = known.bytes(attribute) {
                    attributes.set(attribute, value);
                }
            }
            let facts = Facts {
                request_headers: Headers::new(&pairs),
                response_headers: Headers::default(),
                response_trailers: Headers::default(),
                attributes: &attributes,
            };
            let now = Now { wall_nanos: 1_700_000_000_000_000_000, mono_nanos: 1 };
            let mut io = Io::new(now, &mut self.cells, &mut effects);
            match phase {
                _ if demand.idle => {}
                Phase::Request => {
                    verdict = self.suite.request(&mut stream, &facts, &mut Edits::default(), &mut io);
                    if let Verdict::Reply(reply) = &verdict {
                        code = i64::from(reply.status);
                    }
                }
                Phase::Response => self.suite.response(&mut stream, &facts, &mut Edits::default(), &mut io),
                Phase::End | Phase::EndUnseen => self.suite.end(&mut stream, phase, &facts, &mut io),
            }
        }
        self.drain(&mut effects);
        self.effects = effects;
        verdict
    }

    fn drain(&mut self, effects: &mut Effects) {
        for op in effects.metrics.drain(..) {
            match op {
                MetricOp::Define { owner, series, name, .. } => self.define(owner, series, name),
                MetricOp::Add { owner, series, by } => self.add(owner, series, by),
                MetricOp::Record { owner, series, .. } => assert!(self.names.contains_key(&(owner, series))),
            }
        }
        for Offer { owner, series, kind, name, values } in effects.offers.drain(..) {
            self.define(owner, series, name);
            effects.defined.push((owner, series));
            for value in values.into_iter().filter(|_| kind == MetricKind::Counter) {
                self.add(owner, series, value);
            }
        }
    }

    fn define(&mut self, owner: u8, series: u32, name: String) {
        assert_eq!(self.names.insert((owner, series), name), None, "a series is defined once");
    }

    fn add(&mut self, owner: u8, series: u32, by: u64) {
        let name = self.names[&(owner, series)].clone();
        *self.counters.entry((owner, name)).or_default() += by;
    }

    /// Total of `metric` over the series whose names hold all of `parts`.
    fn count(&self, owner: u8, metric: &str, parts: &[&str]) -> u64 {
        let matches = |(found, name): &(u8, String)| {
            *found == owner && name.ends_with(metric) && parts.iter().all(|part| name.contains(part))
        };
        self.counters.iter().filter(|(key, _)| matches(key)).map(|(_, total)| total).sum()
    }
}

fn status(verdict: &Verdict) -> u16 {
    match verdict {
        Verdict::Continue => 200,
        Verdict::Reply(reply) => reply.status,
        Verdict::Await(_) => panic!("nothing here asks another service"),
    }
}

#[test]
fn policy_refuses_first_limits_second_and_telemetry_counts_all() {
    let mut proxy = Proxy::new(DOCUMENT);
    let sent = [
        ("/admin", "ann"),
        ("/", "ann"),
        ("/admin/x", "ann"),
        ("/", "ann"),
        ("/", "ann"),
        ("/", "bob"),
        ("/admin", "ann"),
    ];
    let found: Vec<u16> = sent.iter().map(|(path, user)| status(&proxy.send(path, user))).collect();
    assert_eq!(found, [403, 200, 403, 200, 429, 200, 403], "a refused request is charged to no limit");
    let mut rows = Rows::default();
    for (code, total) in [("200", 3), ("403", 3), ("429", 1)] {
        let code = format!("response_code=.={code};.;");
        rows.check(&code, proxy.count(2, "istio_requests_total", &["reporter=.=destination;.;", &code]), total);
    }
    assert_eq!(proxy.count(0, "weir_policy_decisions_total", &["decision=.=deny;.;"]), 3);
    assert_eq!(proxy.count(0, "weir_policy_decisions_total", &["decision=.=allow;.;"]), 4);
    assert_eq!(proxy.count(1, "weir_ratelimit_requests_total", &["decision=.=ok;.;"]), 3);
    assert_eq!(proxy.count(1, "weir_ratelimit_requests_total", &["decision=.=over_limit;.;"]), 1);
}

#[test]
fn a_refusal_names_the_rule() {
    let verdict = Proxy::new(DOCUMENT).send("/admin", "ann");
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reply.details, "rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]]");
    assert_eq!(reply.body, b"RBAC: access denied");
}

#[test]
fn a_section_is_optional_and_its_mode_its_own() {
    let shadow = DOCUMENT.replace(r#""name": "cart","#, r#""name": "cart", "mode": "shadow","#);
    let enforced = shadow.replace(r#""policy": {"#, r#""policy": {"mode": "enforce", "#);
    let without = r#"{"schema": 1, "name": "cart", "telemetry": {}}"#;
    let mut rows = Rows::default();
    for (document, expected) in
        [(&shadow, [200; 4]), (&enforced, [403, 200, 200, 200]), (&without.to_owned(), [200; 4])]
    {
        let mut proxy = Proxy::new(document);
        let sent = [("/admin", "ann"), ("/", "ann"), ("/", "ann"), ("/", "ann")];
        rows.check(document, sent.map(|(path, user)| status(&proxy.send(path, user))), expected);
        rows.check(document, proxy.count(2, "istio_requests_total", &[]), 4);
    }
    let nothing = suite(&shadow.replace("shadow", "off"));
    assert!(Phase::ALL.iter().all(|phase| nothing.demand(*phase).idle));
}

#[test]
fn the_parts_are_read_for_once() {
    let suite = suite(DOCUMENT);
    let parts = [
        suite.policy().map(|part| Phase::ALL.map(|phase| part.demand(phase).clone())),
        suite.rate_limit().map(|part| Phase::ALL.map(|phase| part.demand(phase).clone())),
        suite.telemetry().map(|part| Phase::ALL.map(|phase| part.demand(phase).clone())),
    ];
    let mut rows = Rows::default();
    for (at, phase) in Phase::ALL.into_iter().enumerate() {
        let mut all = parts.iter().flatten().fold(Demand::idle(), |all, part| all.union(&part[at]));
        if phase == Phase::End {
            all = all.union(suite.rate_limit().map(|part| part.demand(Phase::EndUnseen)).unwrap());
        }
        rows.check(format!("{phase:?}"), suite.demand(phase), &all);
    }
}

#[test]
fn problems_of_all_sections_are_reported_at_once() {
    let document = DOCUMENT
        .replace(r#""DENY""#, r#""FORBID""#)
        .replace(r#""minute""#, r#""fortnight""#)
        .replace(r#""reporter": "destination""#, r#""reporter": "client""#);
    let problems = Suite::compile(document.as_bytes(), &node()).map(|_| ()).unwrap_err();
    let paths: Vec<&str> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths.len(), 3, "{problems}");
    let mut rows = Rows::default();
    for (path, start) in paths.iter().zip(["$.policy.policies[0]", "$.rateLimit.local.config", "$.telemetry.reporter"])
    {
        rows.check(path, path.starts_with(start), true);
    }
}

#[test]
fn a_flood_of_users_and_paths_makes_no_unbounded_state() {
    let mut proxy = Proxy::new(DOCUMENT);
    proxy.send("/", "first");
    for user in 0..2000 {
        proxy.send(&format!("/{user}"), &format!("user-{user}"));
    }
    assert_eq!(proxy.count(2, "istio_requests_total", &[]), 2001);
    assert!(proxy.names.len() < 20, "no label holds what a client sends: {:?}", proxy.names);
}
