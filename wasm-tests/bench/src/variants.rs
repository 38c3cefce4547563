//! What is compared with what.

use crate::client::REQUEST;
use crate::scene::Scene;
use crate::wasm::wasm;
use crate::{native, rules};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The variant that all others of its scene are compared with.
pub(crate) const BASE: &str = "no filter";
/// The smallest filter that the Rust SDK makes.
pub(crate) const EMPTY: &str = "empty SDK filter";

/// One Envoy of the benchmark.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) scene: Scene,
    /// Its filters before the router.
    pub(crate) filters: Vec<Value>,
    pub(crate) access_log: Vec<Value>,
    /// Its filters ask services, which answer at once.
    pub(crate) asks_services: bool,
    /// Its node is not Istio's in any scene.
    pub(crate) outside_istio: bool,
    /// What its clients send.
    pub(crate) request: Vec<u8>,
    /// A request takes millions of instructions.
    pub(crate) is_dear: bool,
}

/// Two variants that differ in what one of them reads.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) scene: Scene,
    /// What is read.
    pub(crate) what: &'static str,
    pub(crate) with: String,
    pub(crate) without: String,
}

/// Ours and what does the same work otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

/// The built modules, and the variants that they make.
#[derive(Clone, Debug)]
pub(crate) struct Modules {
    dist: PathBuf,
}

/// A document for the listener of a scene.
fn standalone(scene: Scene, mut section: Value) -> Value {
    if let Some(fields) = section.as_object_mut() {
        fields.insert("schema".to_owned(), json!(1));
        fields.insert("name".to_owned(), json!("bench"));
        fields.insert("listener".to_owned(), json!(scene.listener()));
    }
    section
}

/// Sets fields of a document; those that are null go.
fn overwrite(document: &mut Value, fields: Value) {
    let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) else { return };
    for (name, value) in fields {
        match value {
            Value::Null => drop(document.remove(&name)),
            value => drop(document.insert(name, value)),
        }
    }
}

fn policies(rules: usize) -> Value {
    json!({"policies": [rules::authorization_policy(rules)]})
}

fn rate_limit() -> Value {
    json!({
        "rate_limits": rules::rate_limits(),
        "local": {"config": {"domain": "bench", "descriptors": [
            {"key": "user", "rate_limit": {"name": "per-user", "unit": "day", "requests_per_unit": 1_000_000_000}},
        ]}},
    })
}

impl Modules {
    /// Those below `dist`.
    ///
    /// # Errors
    /// A module that has not been built.
    pub(crate) fn find(dist: &Path) -> Result<Self, String> {
        for name in ["empty", "empty-stripped", "policy", "rate-limit-lean", "telemetry", "suite", "suite-lean"] {
            let path = dist.join(format!("{name}.wasm"));
            if !path.is_file() {
                return Err(format!("{} is missing: make build test-modules", path.display()));
            }
        }
        Ok(Self { dist: dist.to_owned() })
    }

    fn wasm(&self, name: &str, module: &str, document: &Value) -> Value {
        wasm(name, &self.dist.join(format!("{module}.wasm")), document)
    }

    fn empties(&self, count: usize) -> Vec<Value> {
        (0..count).map(|number| self.wasm(&format!("empty-{number}"), "empty", &json!({}))).collect()
    }

    fn policy(&self, scene: Scene, rules: usize) -> Value {
        self.wasm("policy", "policy", &standalone(scene, policies(rules)))
    }

    /// The policy filter with these policies.
    pub(crate) fn policies(&self, scene: Scene, policies: &[Value]) -> Value {
        self.wasm("policy", "policy", &standalone(scene, json!({"policies": policies})))
    }

    fn by_principal(&self, scene: Scene, rules: usize) -> Value {
        self.wasm("policy", "policy", &standalone(scene, json!({"policies": [rules::by_principal(rules)]})))
    }

    fn rate_limit(&self, scene: Scene) -> Value {
        self.wasm("rate-limit", "rate-limit-lean", &standalone(scene, rate_limit()))
    }

    fn telemetry(&self, scene: Scene) -> Value {
        self.wasm("telemetry", "telemetry", &standalone(scene, json!({})))
    }

    fn suite(&self, scene: Scene, rules: usize) -> Value {
        self.suite_of("suite-lean", scene, rules)
    }

    fn suite_of(&self, module: &str, scene: Scene, rules: usize) -> Value {
        let document = json!({"policy": policies(rules), "rateLimit": rate_limit(), "telemetry": {}});
        self.wasm("suite", module, &standalone(scene, document))
    }

    /// The variants whose instructions are counted.
    pub(crate) fn counted(&self) -> Vec<Variant> {
        let mut all = Vec::new();
        for scene in Scene::ALL {
            let row = |name: &str, filters: Vec<Value>| plain(name, scene, filters);
            all.push(row(BASE, Vec::new()));
            if scene == Scene::Plain {
                all.push(row(EMPTY, self.empties(1)));
                all.push(row(
                    "empty SDK filter, exports stripped",
                    vec![self.wasm("bare", "empty-stripped", &json!({}))],
                ));
                all.push(row("three empty SDK filters", self.empties(3)));
            }
            all.push(row("weir policy, 10 rules", vec![self.policy(scene, 10)]));
            all.push(row("weir policy, 10,000 rules", vec![self.policy(scene, 10_000)]));
            all.push(row("weir policy, 10 rules on principals", vec![self.by_principal(scene, 10)]));
            all.push(row("weir rate limit, one key", vec![self.rate_limit(scene)]));
            all.push(row("weir telemetry", vec![self.telemetry(scene)]));
            all.push(row("weir suite, 10 rules", vec![self.suite(scene, 10)]));
            all.push(row("weir suite, 10,000 rules", vec![self.suite(scene, 10_000)]));
            if scene == Scene::Plain {
                let chained = vec![self.policy(scene, 10_000), self.rate_limit(scene), self.telemetry(scene)];
                all.push(row("weir three modules chained, 10,000 rules", chained));
                let whole = vec![self.suite_of("suite", scene, 10)];
                all.push(row("weir suite, 10 rules, called for responses too", whole));
                for (name, count) in [("1 policy", 1), ("100 policies", 100), ("1,000 policies", 1_000)] {
                    all.push(row(&format!("Envoy RBAC, {name}"), vec![native::rbac(count)]));
                }
                all.push(row("Envoy RBAC, 10,000 policies", vec![native::rbac(10_000)]));
                let tree = vec![native::rbac_matcher(10_000)];
                all.push(row("Envoy RBAC, matcher tree of 10,000 exact paths", tree));
                all.push(row("Envoy local rate limit, no key", vec![native::local_rate_limit(false)]));
                all.push(row("Envoy Lua, reading two headers", vec![native::lua()]));
            }
            all.push(row("Envoy RBAC, 10 policies", vec![native::rbac(10)]));
            all.push(row("Envoy local rate limit, one key", vec![native::local_rate_limit(true)]));
            all.push(logger(scene));
            all.push(native_three(scene, 10));
        }
        all
    }

    /// The variants by which sources are priced, and which two show each.
    pub(crate) fn priced(&self) -> (Vec<Variant>, Vec<Source>) {
        let (mut all, mut sources) = (Vec::new(), Vec::new());
        let policy = |scene: Scene, kind: Value, fields: Value| {
            let mut document = standalone(scene, json!({"policies": [kind]}));
            overwrite(&mut document, fields);
            self.wasm("policy", "policy", &document)
        };
        let telemetry = |scene: Scene, fields: Value| {
            let mut document = standalone(scene, json!({}));
            overwrite(&mut document, fields);
            self.wasm("telemetry", "telemetry", &document)
        };
        let state = |key: &str| json!({"workload": {key: {"filterState": format!("bench.{key}")}}});
        let mut priced = |what: &'static str, with: Variant, without: Variant| {
            let scene = with.scene;
            let (with_name, without_name) = (format!("with: {what}"), format!("without: {what}"));
            all.push(Variant { name: with_name.clone(), ..with });
            all.push(Variant { name: without_name.clone(), ..without });
            sources.push(Source { scene, what, with: with_name, without: without_name });
        };
        let mut price = |scene: Scene, what: &'static str, with: Vec<Value>, without: Vec<Value>| {
            priced(what, plain("", scene, with), plain("", scene, without));
        };
        let rules = || rules::authorization_policy(10);
        let unsaid = json!({"listener": null});
        for scene in [Scene::Plain, Scene::Inbound] {
            let own = policy(scene, rules(), json!({}));
            let on_peers = policy(scene, rules::by_principal(10), json!({}));
            price(
                scene,
                "policy: who the peer is, from filter state and certificate",
                vec![on_peers.clone()],
                vec![own.clone()],
            );
            let set = native::set_filter_state;
            let sans = policy(scene, rules::by_principal(10), state("peerUriSans"));
            let set_sans = || set("bench.peerUriSans", "%DOWNSTREAM_PEER_URI_SAN%");
            price(scene, "policy: `workload.peerUriSans`", vec![set_sans(), sans], vec![set_sans(), on_peers]);
            let addresses = policy(scene, rules::by_address(10), state("directAddress"));
            let set_address = || set("bench.directAddress", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%");
            let what = "policy: ten rules on `workload.directAddress` in place of paths";
            price(scene, what, vec![set_address(), addresses], vec![set_address(), own.clone()]);
            let parameters = policy(scene, rules(), json!({"workload": {"ignorePathParameters": true}}));
            price(scene, "policy: `workload.ignorePathParameters`", vec![parameters], vec![own.clone()]);
            price(
                scene,
                "policy: the listener's direction, where no `listener` is given",
                vec![policy(scene, rules(), unsaid.clone())],
                vec![own.clone()],
            );
            let logged = policy(scene, rules(), json!({"accessLogState": "always"}));
            price(scene, "policy: `accessLogState: always`", vec![logged], vec![own.clone()]);
            let cel = |expression: &str| policy(scene, rules::with_expression(10, expression), json!({}));
            let (part, pattern) = (cel("request.path.contains('last')"), cel("request.path.matches('^/[a-z]+/last$')"));
            price(scene, "policy: an expression in CEL, a part of the path", vec![part], vec![own.clone()]);
            price(scene, "policy: an expression in CEL, a pattern of the path", vec![pattern], vec![own]);
            let peers = |trust: &str| telemetry(scene, json!({"peerMetadata": {"trust": trust}}));
            price(
                scene,
                "telemetry: `peerMetadata.trust: always`, no header",
                vec![peers("always")],
                vec![peers("never")],
            );
            price(
                scene,
                "telemetry: the listener's direction, where no `listener` is given",
                vec![telemetry(scene, unsaid.clone())],
                vec![telemetry(scene, json!({}))],
            );
        }
        for scene in [Scene::Inbound, Scene::Outbound] {
            let inside = plain("", scene, vec![telemetry(scene, json!({}))]);
            let outside = Variant { outside_istio: true, ..inside.clone() };
            priced("telemetry: the peer from Istio's filter state, absent", inside, outside);
        }
        (all, sources)
    }

    /// The variants whose CPU time is compared, and the comparisons.
    pub(crate) fn compared(&self) -> (Vec<Variant>, Vec<Pair>) {
        let (mut all, mut pairs) = (Vec::new(), Vec::new());
        let pair = |ours: &str, theirs: &str| Pair { ours: ours.to_owned(), theirs: theirs.to_owned() };
        for scene in [Scene::Plain, Scene::Inbound] {
            let row = |name: &str, filters: Vec<Value>| plain(name, scene, filters);
            all.push(row(BASE, Vec::new()));
            all.push(row(EMPTY, self.empties(1)));
            for rules in COMPARED_RULES {
                all.push(row(&format!("weir suite, {rules} rules"), vec![self.suite(scene, rules)]));
                all.push(native_three(scene, rules));
                all.push(row(&format!("weir policy, {rules} rules"), vec![self.policy(scene, rules)]));
                all.push(row(&format!("Envoy RBAC, {rules} policies"), vec![native::rbac(rules)]));
            }
            all.push(row("weir rate limit, one key", vec![self.rate_limit(scene)]));
            all.push(row("Envoy local rate limit, one key", vec![native::local_rate_limit(true)]));
            all.push(row("weir telemetry", vec![self.telemetry(scene)]));
            all.push(logger(scene));
        }
        for rules in COMPARED_RULES {
            pairs.push(pair(&format!("weir suite, {rules} rules"), &three_name(rules)));
        }
        pairs.push(pair("weir telemetry", LOGGER));
        pairs.push(pair("weir rate limit, one key", "Envoy local rate limit, one key"));
        pairs.push(pair("weir policy, 10 rules", EMPTY));
        // What any Wasm filter pays before it has read anything.
        pairs.push(pair(EMPTY, LOGGER));
        pairs.push(pair(EMPTY, &three_name(10)));
        for rules in COMPARED_RULES {
            pairs.push(pair(&format!("weir policy, {rules} rules"), &format!("Envoy RBAC, {rules} policies")));
        }
        (all, pairs)
    }

    /// The variants whose clients' waiting is measured.
    pub(crate) fn awaited(&self) -> Vec<Variant> {
        let scene = Scene::Plain;
        let row = |name: &str, filters: Vec<Value>| plain(name, scene, filters);
        let hop = row("Envoy asking an ext_authz and a rate limit service", native::services());
        vec![
            row(BASE, Vec::new()),
            row(EMPTY, self.empties(1)),
            native_three(scene, 10),
            row("weir suite, 10 rules", vec![self.suite(scene, 10)]),
            Variant { asks_services: true, ..hop },
        ]
    }

    /// The variants whose memory and time to ready are measured.
    pub(crate) fn weighed(&self) -> Vec<Variant> {
        let scene = Scene::Plain;
        let row = |name: &str, filters: Vec<Value>| plain(name, scene, filters);
        vec![
            row(BASE, Vec::new()),
            row(EMPTY, self.empties(1)),
            row("weir policy, 10 rules", vec![self.policy(scene, 10)]),
            row("weir policy, 10,000 rules", vec![self.policy(scene, 10_000)]),
            row("weir policy, 30,000 rules", vec![self.policy(scene, 30_000)]),
            row("weir rate limit, one key", vec![self.rate_limit(scene)]),
            row("weir telemetry", vec![self.telemetry(scene)]),
            row("weir suite, 10 rules", vec![self.suite(scene, 10)]),
            row("weir suite, 10,000 rules", vec![self.suite(scene, 10_000)]),
        ]
    }
}

/// The numbers of rules at which CPU time is compared.
pub(crate) const COMPARED_RULES: [usize; 3] = [2, 10, 100];

const LOGGER: &str = "Envoy stats access logger, 25 labels";

pub(crate) fn plain(name: &str, scene: Scene, filters: Vec<Value>) -> Variant {
    Variant {
        name: name.to_owned(),
        scene,
        filters,
        access_log: Vec::new(),
        asks_services: false,
        outside_istio: false,
        request: REQUEST.to_vec(),
        is_dear: false,
    }
}

fn logger(scene: Scene) -> Variant {
    let access_log = vec![native::stats_logger(scene)];
    Variant { access_log, ..plain(LOGGER, scene, Vec::new()) }
}

fn three_name(rules: usize) -> String {
    format!("Envoy RBAC of {rules}, keyed limit, stats logger")
}

fn native_three(scene: Scene, rules: usize) -> Variant {
    let filters = vec![native::rbac(rules), native::local_rate_limit(true)];
    Variant { access_log: vec![native::stats_logger(scene)], ..plain(&three_name(rules), scene, filters) }
}
