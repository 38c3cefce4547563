//! Random policies of every field and condition that the filter takes, in words that requests meet often.

use serde_json::{Map, Value, json};

use crate::claims;
use crate::random::Random;
use crate::world::Kind;

const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/b",
    "/a/b/c",
    "/a*",
    "/a/*",
    "*b",
    "*c",
    "*/",
    "*",
    "/a/{*}",
    "/{*}/b",
    "/a/{**}",
    "/{**}/c",
    "/a/{*}/{**}",
    "/{*}",
    "/{**}",
    "/a/{*}/c",
    "/{*}/{*}/c",
    "/a;x",
    "/a;x*",
    "*;x",
    "/a;x/{*}",
    "/a//b",
    "//",
    "**",
    "/\u{e4}*",
    "/%61",
];
const HOSTS: &[&str] = &["h", "H.example", "*.EXAMPLE", "h*", "*", "h:80", "h.example", "h."];
const METHODS: &[&str] = &["GET", "POST", "P*", "*T", "*", "get"];
const VALUES: &[&str] = &["1", "1*", "*2", "12", "*", "x y", "1,2", " 1", "1 ", "\t1", "* ", " *", "é", "*é"];
const PATHS_AS_TEXT: &[&str] = &["/a", "/a?q", "/*", "*q", "*;x"];
const PRINCIPALS: &[&str] = &[
    "td/ns/n1/sa/a",
    "td2/ns/n1/sa/a",
    "td/ns/*",
    "td/*",
    "*/sa/a",
    "*",
    "td2/ns/n2/sa/b",
    "*b",
    "cluster.local/ns/n1/sa/a",
    "*d/ns/n1/sa/a",
    "*/ns/n1/sa/a",
    "*d2/ns/n1/sa/a",
    "other/ns/n1/sa/a",
    "ns/foo/sa/a",
    "td",
    "t.d/ns/n1/sa/a.b",
    "*a.b",
    "*/ns/n1/sa/a+b",
];
const NAMESPACES: &[&str] = &["n1", "n2", "n*", "*2", "*", "n", "foo", "n.1", "n*1", "n1*"];
const ACCOUNTS: &[&str] = &["n1/a", "n2/b", "n1/b", "a", "foo/a", "n1/a.b", "ns/a"];
const DOMAINS: &[&str] = &["td", "td2", "td*", "*2", "*", "other", "cluster.local", "ns", "t.d", "old-td"];
const BLOCKS: &[&str] = &[
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "127.0.0.1",
    "127.0.0.0/8",
    "0.0.0.0/0",
    "fd00::/8",
    "fd00::1",
    "::/0",
    "192.168.0.0/24",
];
const SNI: &[&str] = &["proxy", "p*", "*y", "*", "*.example", "other"];

const SOURCE: &[(&str, &str, &[&str])] = &[
    ("principals", "notPrincipals", PRINCIPALS),
    ("requestPrincipals", "notRequestPrincipals", claims::PRINCIPALS),
    ("namespaces", "notNamespaces", NAMESPACES),
    ("trustDomains", "notTrustDomains", DOMAINS),
    ("serviceAccounts", "notServiceAccounts", ACCOUNTS),
    ("ipBlocks", "notIpBlocks", BLOCKS),
    ("remoteIpBlocks", "notRemoteIpBlocks", BLOCKS),
];
const OPERATION: &[(&str, &str, &[&str])] = &[
    ("hosts", "notHosts", HOSTS),
    ("ports", "notPorts", &["PORT", "80", "0"]),
    ("methods", "notMethods", METHODS),
    ("paths", "notPaths", PATHS),
    ("paths", "notPaths", PATHS),
];
const WHEN: &[(&str, &[&str])] = &[
    // Headers more often than the rest: their values come in the most forms.
    ("request.headers[x]", VALUES),
    ("request.headers[x]", VALUES),
    ("request.headers[y-y]", VALUES),
    ("request.headers[y-y]", VALUES),
    ("request.headers[x]", VALUES),
    ("request.headers[X]", VALUES),
    ("request.headers[Y-y]", VALUES),
    ("request.headers[host]", HOSTS),
    ("request.headers[:authority]", HOSTS),
    ("request.headers[:method]", METHODS),
    ("request.headers[:path]", PATHS_AS_TEXT),
    ("source.principal", PRINCIPALS),
    ("source.namespace", NAMESPACES),
    ("source.serviceAccount", ACCOUNTS),
    ("source.trustDomain", DOMAINS),
    ("source.ip", BLOCKS),
    ("remote.ip", BLOCKS),
    ("destination.ip", BLOCKS),
    ("destination.port", &["PORT", "80", "0"]),
    ("connection.sni", SNI),
];

/// Up to five policies, for a workload of namespace `ns` whose listener has this port.
pub(crate) fn policies(random: &mut Random, kind: Kind, port: u16) -> Vec<Value> {
    let mut policies: Vec<Value> = (0..random.below(6)).map(|number| policy(random, kind, number)).collect();
    let port = port.to_string();
    policies.iter_mut().for_each(|policy| name_port(policy, &port));
    policies
}

fn policy(random: &mut Random, kind: Kind, number: usize) -> Value {
    let action = random.pick(&["ALLOW", "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT"]);
    let most = if random.chance(15) { 14 } else { 3 };
    let on_claims = random.chance(40);
    let one = |random: &mut Random| if on_claims { rule_on_claims(random) } else { rule(random, kind) };
    let mut rules: Vec<Value> = (0..1 + random.below(most)).map(|_| one(random)).collect();
    if random.chance(3) {
        rules.push(json!({}));
    }
    if action == "ALLOW" && random.chance(5) {
        rules.clear();
    }
    let trial = if random.chance(15) && action != "AUDIT" { "true" } else { "false" };
    let namespace = if random.chance(20) && !kind.waypoint() { "istio-system" } else { "ns" };
    let mut spec = json!({"action": action, "rules": rules});
    if kind.waypoint() {
        let gateway = json!({"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "waypoint"});
        spec["targetRefs"] = json!([gateway]);
    }
    json!({
        "kind": "AuthorizationPolicy",
        "metadata": {
            "name": format!("p{number}"),
            "namespace": namespace,
            "annotations": {"istio.io/dry-run": trial},
        },
        "spec": spec,
    })
}

/// A rule that asks for claims or metadata alone, so that they decide.
fn rule_on_claims(random: &mut Random) -> Value {
    let source = [("requestPrincipals", "notRequestPrincipals", claims::PRINCIPALS)];
    match random.below(3) {
        0 => json!({"from": parts(random, "source", &source)}),
        _ => json!({"when": conditions(random, claims::WHEN, 1)}),
    }
}

fn rule(random: &mut Random, kind: Kind) -> Value {
    let mut rule = Map::new();
    let identities = if kind.identities() { 70 } else { 20 };
    if random.chance(identities) {
        rule.insert("from".to_owned(), parts(random, "source", SOURCE));
    }
    if random.chance(if kind.identities() { 30 } else { 80 }) {
        rule.insert("to".to_owned(), parts(random, "operation", OPERATION));
    }
    if random.chance(45) || rule.is_empty() {
        let known = if random.chance(25) { claims::WHEN } else { WHEN };
        let count = 1 + random.below(2);
        rule.insert("when".to_owned(), conditions(random, known, count));
    }
    Value::Object(rule)
}

fn conditions(random: &mut Random, known: &[(&str, &[&str])], count: usize) -> Value {
    let conditions = (0..count).map(|_| {
        let (key, words) = known[random.below(known.len())];
        let mut condition = json!({"key": key});
        let which = random.below(4);
        if which != 0 {
            condition["values"] = values(random, words);
        }
        if which == 0 || which == 3 {
            condition["notValues"] = values(random, words);
        }
        condition
    });
    conditions.collect()
}

fn parts(random: &mut Random, name: &str, known: &[(&'static str, &'static str, &[&str])]) -> Value {
    (0..1 + random.below(2)).map(|_| json!({name: part(random, known)})).collect()
}

fn part(random: &mut Random, known: &[(&'static str, &'static str, &[&str])]) -> Value {
    let mut fields = Map::new();
    for _ in 0..1 + random.below(2) {
        let (positive, negative, words) = known[random.below(known.len())];
        let name = if random.chance(30) { negative } else { positive };
        fields.insert(name.to_owned(), values(random, words));
    }
    // Istio takes service accounts without principals and namespaces only.
    if fields.contains_key("serviceAccounts") || fields.contains_key("notServiceAccounts") {
        for other in ["principals", "notPrincipals", "namespaces", "notNamespaces"] {
            fields.remove(other);
        }
    }
    Value::Object(fields)
}

fn values(random: &mut Random, words: &[&str]) -> Value {
    (0..1 + random.below(3)).map(|_| random.pick(words)).collect()
}

/// Writes the listener's port where a word stands for it.
fn name_port(value: &mut Value, port: &str) {
    match value {
        Value::String(text) if text == "PORT" => port.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| name_port(item, port)),
        Value::Object(fields) => fields.values_mut().for_each(|field| name_port(field, port)),
        _ => {}
    }
}
