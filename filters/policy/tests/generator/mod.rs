//! Random policies and requests from a small vocabulary, so that they meet often.

use super::naive::Request;
use serde_json::{Map, Value, json};

/// A xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

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
const WHEN: &[(&str, &str, &[&str])] = &[
    ("request.headers[x]", "", VALUES),
    ("request.headers[Y-y]", "", VALUES),
    ("request.headers[:path]", "", PATHS_AS_TEXT),
    ("source.serviceAccount", "", ACCOUNTS),
    ("source.principal", "", PRINCIPALS),
    ("source.ip", "", BLOCKS),
    ("remote.ip", "", BLOCKS),
    ("destination.ip", "", BLOCKS),
    ("destination.port", "", PORTS),
    ("connection.sni", "", HOSTS_AS_TEXT),
];
const PATHS_AS_TEXT: &[&str] = &["/a", "/a?q", "/*", "*q"];
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
    if random.chance(40) {
        rule.insert("from".to_owned(), parts(random, "source", SOURCE));
    }
    if random.chance(70) || rule.is_empty() {
        rule.insert("to".to_owned(), parts(random, "operation", OPERATION));
    }
    if random.chance(30) {
        let conditions = (0..1 + random.below(2)).map(|_| {
            let (key, _, words) = WHEN[random.below(WHEN.len())];
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
            let action = random.pick(&["ALLOW", "ALLOW", "DENY"]);
            let most = if random.chance(15) { 14 } else { 4 };
            let mut rules: Vec<Value> = (0..1 + random.below(most)).map(|_| rule(random)).collect();
            if random.chance(3) {
                rules.push(json!({}));
            }
            let trial = if random.chance(20) { "true" } else { "false" };
            json!({
                "kind": "AuthorizationPolicy",
                "metadata": {"name": format!("p{number}"), "namespace": "ns", "annotations": {"istio.io/dry-run": trial}},
                "spec": {"action": action, "rules": rules},
            })
        })
        .collect()
}

fn bytes(random: &mut Random, words: &[&str]) -> Vec<u8> {
    if random.chance(5) {
        return (0..random.below(20)).map(|_| random.below(256) as u8).collect();
    }
    random.pick(words).as_bytes().to_vec()
}

fn perhaps(random: &mut Random, percent: usize, words: &[&str]) -> Option<Vec<u8>> {
    random.chance(percent).then(|| bytes(random, words))
}

/// A request, one value in twenty of random bytes.
pub(crate) fn request(random: &mut Random) -> Request {
    let mut headers = Vec::new();
    let paths = [
        "/", "/a", "/a/b", "/a/b/c", "/a/", "//", "/a//c", "/a?q", "/a/b#f?x", "/x/b", "/a/*", "*", "/xzy", "/\u{e4}b",
    ];
    let fields: [(&str, usize, &[&str]); 6] = [
        (":path", 97, &paths),
        (":method", 98, &["GET", "POST", "PUT", "get"]),
        (":authority", 97, &["h", "H", "h.example", "H.Example", "h:80", ""]),
        ("x", 60, &["1", "12", " 1 ", "2", "", "x y"]),
        ("x", 30, &["1", "12", "2"]),
        ("y-y", 40, &["1", "12", "x"]),
    ];
    for (name, percent, words) in fields {
        headers.extend(perhaps(random, percent, words).map(|value| (name.as_bytes().to_vec(), value)));
    }
    if random.chance(10) {
        headers.push((bytes(random, &["z"]), bytes(random, &["z"])));
    }
    let sans = [
        "spiffe://td/ns/n1/sa/a",
        "spiffe://td2/ns/n2/sa/b",
        "spiffe://td/ns/n1/sa/b",
        "spiffe://cluster.local/ns/n1/sa/a",
        "spiffe://td",
        "https://td/ns/n1/sa/a",
        "spiffe://td/ns/n1/sa/a\0",
        "spiffe:///ns/n1/sa/a",
        "spiffe://td/ns/n1/x/sa/a/b",
    ];
    let addresses = ["10.1.2.3:5", "10.9.9.9:80", "[fd00::1]:8080", "192.168.0.9:0", "[::1]:80", "1.1.1.1:80"];
    Request {
        headers,
        san: perhaps(random, 70, &sans),
        remote: perhaps(random, 98, &addresses),
        destination: perhaps(random, 98, &addresses),
        direct: perhaps(random, 90, &["10.1.2.3", "10.9.9.9", "fd00::1", "9.9.9.9"]),
        server_name: perhaps(random, 50, &["h", "a.example", ""]),
    }
}
