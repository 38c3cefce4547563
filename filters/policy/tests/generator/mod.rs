//! Random policies from a small vocabulary, so that requests meet them often.

mod hostile;
mod random;

pub(crate) use random::Random;
use serde_json::{Map, Value, json};

const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/b",
    "/a/b/c",
    "/a*",
    "/a/*",
    "*b",
    "*c",
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
    "/x*y",
    "**",
    "/\u{e4}*",
];
const HOSTS: &[&str] = &["h", "H.example", "*.EXAMPLE", "h*", "*", "h:80"];
const METHODS: &[&str] = &["GET", "POST", "P*", "*T", "*"];
const VALUES: &[&str] = &["1", "1*", "*2", "12", "*", "x y"];
const PRINCIPALS: &[&str] =
    &["td/ns/n1/sa/a", "td/ns/*", "*/sa/a", "*", "td2/ns/n2/sa/b", "*b", "cluster.local/ns/n1/sa/a"];
const NAMESPACES: &[&str] = &["n1", "n2", "n*", "*2", "*", "n"];
const ACCOUNTS: &[&str] = &["n1/a", "n2/b", "n1/b", "a"];
const DOMAINS: &[&str] = &["td", "td*", "*2", "*", "other"];
const BLOCKS: &[&str] = &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "fd00::/8", "192.168.0.0/24"];
const PORTS: &[&str] = &["80", "8080", "0"];

const SOURCE: &[(&str, &str, &[&str])] = &[
    ("principals", "notPrincipals", PRINCIPALS),
    ("requestPrincipals", "notRequestPrincipals", REQUEST_PRINCIPALS),
    ("namespaces", "notNamespaces", NAMESPACES),
    ("trustDomains", "notTrustDomains", DOMAINS),
    ("ipBlocks", "notIpBlocks", BLOCKS),
    ("remoteIpBlocks", "notRemoteIpBlocks", BLOCKS),
];
const OPERATION: &[(&str, &str, &[&str])] = &[
    ("hosts", "notHosts", HOSTS),
    ("ports", "notPorts", PORTS),
    ("methods", "notMethods", METHODS),
    ("paths", "notPaths", PATHS),
    ("paths", "notPaths", PATHS),
];
const WHEN: &[(&str, &[&str])] = &[
    ("request.headers[x]", VALUES),
    ("request.headers[Y-y]", VALUES),
    ("request.headers[:path]", PATHS_AS_TEXT),
    ("source.serviceAccount", ACCOUNTS),
    ("source.principal", PRINCIPALS),
    ("source.ip", BLOCKS),
    ("remote.ip", BLOCKS),
    ("destination.ip", BLOCKS),
    ("destination.port", PORTS),
    ("connection.sni", HOSTS_AS_TEXT),
];
const METADATA_KEYS: &[(&str, &[&str])] = &[
    ("request.auth.principal", REQUEST_PRINCIPALS),
    ("request.auth.principal", REQUEST_PRINCIPALS),
    ("request.auth.audiences", CLAIMS),
    ("request.auth.presenter", CLAIMS),
    ("request.auth.claims[group]", CLAIMS),
    ("request.auth.claims[group][role]", CLAIMS),
    ("request.auth.claims[[group]]", CLAIMS),
    ("experimental.envoy.filters.x[k]", METADATA),
    ("experimental.envoy.filters.x[k][l]", METADATA),
];
const PATHS_AS_TEXT: &[&str] = &["/a", "/a?q", "/*", "*q"];
const REQUEST_PRINCIPALS: &[&str] = &[
    "*",
    "i/a",
    "i/*",
    "i/a*",
    "i*",
    "*/a",
    "*a",
    "*x/a",
    "https://i/x/a",
    "https://*",
    "/a",
    "/*",
    "i/",
    "i",
    "/",
    "**",
    "*/*",
    "a*/b",
];
const CLAIMS: &[&str] = &["a", "a*", "*b", "*", "b", "1", "[a]", "a b"];
const METADATA: &[&str] = &["a", "a*", "*b", "*", "[a]", "[b*]", "[*b]", "[*]", "[]", "[[a]]", "a]"];
const HOSTS_AS_TEXT: &[&str] = &["h", "*.example", "*"];

fn values(random: &mut Random, words: &[&str]) -> Value {
    (0..1 + random.below(3)).map(|_| random.pick(words)).collect()
}

fn part(random: &mut Random, known: &[(&'static str, &'static str, &[&str])]) -> Value {
    let mut fields = Map::new();
    for _ in 0..1 + random.below(2) {
        let (positive, negative, words) = known[random.below(known.len())];
        let name = if random.chance(25) { negative } else { positive };
        fields.insert(name.to_owned(), values(random, words));
    }
    Value::Object(fields)
}

fn rule(random: &mut Random) -> Value {
    let mut rule = Map::new();
    let parts = |random: &mut Random, name: &str, known| -> Value {
        (0..1 + random.below(2)).map(|_| json!({name: part(random, known)})).collect()
    };
    // Where a rule asks for nothing else, claims and metadata decide.
    let only_metadata = random.chance(15);
    if random.chance(40) && !only_metadata {
        rule.insert("from".to_owned(), parts(random, "source", SOURCE));
    }
    if !only_metadata && (random.chance(70) || rule.is_empty()) {
        rule.insert("to".to_owned(), parts(random, "operation", OPERATION));
    }
    if random.chance(30) || only_metadata {
        let known = if only_metadata { METADATA_KEYS } else { WHEN };
        let conditions = (0..1 + random.below(2)).map(|_| {
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
        rule.insert("when".to_owned(), conditions.collect());
    }
    Value::Object(rule)
}

/// Up to four policies of one namespace.
pub(crate) fn policies(random: &mut Random) -> Vec<Value> {
    (0..random.below(5))
        .map(|number| {
            let action = random.pick(&["ALLOW", "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT"]);
            let most = if random.chance(15) { 14 } else { 4 };
            let mut rules: Vec<Value> = (0..1 + random.below(most)).map(|_| rule(random)).collect();
            if random.chance(12) {
                rules = hostile::rules(random);
            }
            if random.chance(3) {
                rules.push(json!({}));
            }
            let trial = if action != "AUDIT" && random.chance(25) { "true" } else { "false" };
            json!({
                "kind": "AuthorizationPolicy",
                "metadata": {"name": format!("p{number}"), "namespace": "ns", "annotations": {"istio.io/dry-run": trial}},
                "spec": {"action": action, "rules": rules},
            })
        })
        .collect()
}
