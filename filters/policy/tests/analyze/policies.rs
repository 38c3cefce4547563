//! Random policies over two or three places of a request, in few letters.

use crate::generator::Random;
use serde_json::{Map, Value, json};

/// What a clause may look at: where it stands, its name and its values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The place of a request that it reads.
    pub(crate) place: &'static str,
    pub(crate) part: Part,
    pub(crate) name: &'static str,
    pub(crate) not: &'static str,
    pub(crate) values: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    From,
    To,
    When,
}

const PATHS: &[&str] = &[
    "/",
    "/a",
    "/b",
    "/a/b",
    "/a*",
    "/a/*",
    "*",
    "*a",
    "*b",
    "*/b",
    "/{*}",
    "/a/{*}",
    "/{*}/b",
    "/{**}",
    "/{**}/b",
    "/{*}/{**}",
];
const RAW_PATHS: &[&str] = &["/a", "/a?b", "*?*", "/a*", "*b", "*"];
const PRINCIPALS: &[&str] = &["td/ns/n/sa/a", "td/*", "*/sa/a", "*", "*a", "td/ns/m/sa/b"];
const REQUEST_PRINCIPALS: &[&str] = &["*", "i/a", "i/*", "*/a", "*a", "i*", "i/", "/a"];

pub(crate) const FIELDS: &[Field] = &[
    Field { place: "path", part: Part::To, name: "paths", not: "notPaths", values: PATHS },
    Field { place: "path", part: Part::To, name: "paths", not: "notPaths", values: PATHS },
    Field { place: "path", part: Part::When, name: "request.headers[:path]", not: "", values: RAW_PATHS },
    Field {
        place: "method",
        part: Part::To,
        name: "methods",
        not: "notMethods",
        values: &["GET", "POST", "P*", "*T", "*"],
    },
    Field {
        place: "host",
        part: Part::To,
        name: "hosts",
        not: "notHosts",
        values: &["h", "H.e", "*.E", "h*", "*", "h:1"],
    },
    Field {
        place: "host",
        part: Part::When,
        name: "request.headers[:authority]",
        not: "",
        values: &["h", "H", "H*", "*"],
    },
    Field { place: "x", part: Part::When, name: "request.headers[x]", not: "", values: &["1", "1*", "*2", "12", "*"] },
    Field { place: "x", part: Part::When, name: "request.headers[x]", not: "", values: &["1", "1*", "*2", "12", "*"] },
    Field {
        place: "agent",
        part: Part::When,
        name: "request.headers[User-Agent]",
        not: "",
        values: &["1", "1*", "*2", "*"],
    },
    Field { place: "peer", part: Part::From, name: "principals", not: "notPrincipals", values: PRINCIPALS },
    Field { place: "peer", part: Part::From, name: "namespaces", not: "notNamespaces", values: &["n", "m", "n*", "*"] },
    Field {
        place: "peer",
        part: Part::From,
        name: "trustDomains",
        not: "notTrustDomains",
        values: &["td", "t*", "*", "*2"],
    },
    Field { place: "peer", part: Part::When, name: "source.serviceAccount", not: "", values: &["n/a", "m/b", "n/b"] },
    Field { place: "remote", part: Part::From, name: "remoteIpBlocks", not: "notRemoteIpBlocks", values: BLOCKS },
    Field { place: "remote", part: Part::When, name: "remote.ip", not: "", values: BLOCKS },
    Field { place: "direct", part: Part::From, name: "ipBlocks", not: "notIpBlocks", values: BLOCKS },
    Field { place: "destination", part: Part::To, name: "ports", not: "notPorts", values: &["80", "81", "0"] },
    Field { place: "destination", part: Part::When, name: "destination.ip", not: "", values: BLOCKS },
    Field { place: "sni", part: Part::When, name: "connection.sni", not: "", values: &["h", "*e", "*", "h*"] },
    Field {
        place: "claims",
        part: Part::From,
        name: "requestPrincipals",
        not: "notRequestPrincipals",
        values: REQUEST_PRINCIPALS,
    },
    Field { place: "claims", part: Part::When, name: "request.auth.claims[iss]", not: "", values: &["i", "i*", "*"] },
    Field {
        place: "claims",
        part: Part::When,
        name: "request.auth.claims[sub]",
        not: "",
        values: &["a", "b", "*a", "*"],
    },
    Field {
        place: "claims",
        part: Part::When,
        name: "request.auth.claims[g]",
        not: "",
        values: &["a", "a*", "*b", "*"],
    },
    Field { place: "claims", part: Part::When, name: "request.auth.claims[g][r]", not: "", values: &["a", "*", "b"] },
    Field { place: "cel", part: Part::When, name: "cel", not: "", values: EXPRESSION },
    Field { place: "cel", part: Part::When, name: "cel", not: "", values: EXPRESSION },
    Field { place: "cel", part: Part::When, name: "cel", not: "", values: EXPRESSION },
    Field {
        place: "k",
        part: Part::When,
        name: "experimental.envoy.filters.x[k]",
        not: "",
        values: &["a", "a*", "[a]", "[*b]", "*", "[*]"],
    },
];

/// There is one expression, and what it comes to is a place of a request.
pub(crate) const EXPRESSION: &[&str] = &["size(request.path) > 7"];

const BLOCKS: &[&str] =
    &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "::/0", "fd00::/8", "0.0.0.0/1", "128.0.0.0/1"];

/// One to three places.
pub(crate) fn places(random: &mut Random) -> Vec<&'static str> {
    let mut places: Vec<&'static str> = Vec::new();
    let count = 1 + usize::from(random.chance(75)) + usize::from(random.chance(20));
    // Beside large ones there may be no room for another.
    for _ in 0..100 {
        if places.len() == count {
            break;
        }
        let place = FIELDS[random.below(FIELDS.len())].place;
        places.push(place);
        if places.iter().filter(|known| **known == place).count() > 1 || !crate::brute::is_small(&places) {
            places.pop();
        }
    }
    places
}

fn values(random: &mut Random, field: &Field) -> Value {
    (0..1 + random.below(3)).map(|_| random.pick(field.values)).collect()
}

fn item(random: &mut Random, fields: &[&Field]) -> Value {
    let mut item = Map::new();
    for _ in 0..1 + random.below(2) {
        let field = fields[random.below(fields.len())];
        let name = if random.chance(30) { field.not } else { field.name };
        item.insert(name.to_owned(), values(random, field));
    }
    Value::Object(item)
}

fn rule(random: &mut Random, places: &[&str]) -> Value {
    let of = |part: Part| -> Vec<&Field> {
        FIELDS.iter().filter(|field| field.part == part && places.contains(&field.place)).collect()
    };
    let mut rule = Map::new();
    for (part, name, inner, percent) in [(Part::From, "from", "source", 60), (Part::To, "to", "operation", 75)] {
        let fields = of(part);
        if !fields.is_empty() && random.chance(percent) {
            let items: Vec<Value> = (0..1 + random.below(2)).map(|_| json!({inner: item(random, &fields)})).collect();
            rule.insert(name.to_owned(), items.into());
        }
    }
    let fields = of(Part::When);
    if !fields.is_empty() && random.chance(60) {
        let conditions = (0..1 + random.below(2)).map(|_| {
            let field = fields[random.below(fields.len())];
            let mut condition = json!({"key": field.name});
            let which = random.below(4);
            if which != 0 {
                condition["values"] = values(random, field);
            }
            if which == 0 || which == 3 {
                condition["notValues"] = values(random, field);
            }
            condition
        });
        let conditions: Vec<Value> = conditions.collect();
        rule.insert("when".to_owned(), conditions.into());
    }
    Value::Object(rule)
}

/// Up to three policies.
pub(crate) fn policies(random: &mut Random, places: &[&str]) -> Vec<Value> {
    let count = random.below(4);
    (0..count)
        .map(|number| {
            let action = random.pick(&["ALLOW", "ALLOW", "DENY"]);
            let most = if random.chance(20) { 9 } else { 4 };
            let rules: Vec<Value> = (0..1 + random.below(most)).map(|_| rule(random, places)).collect();
            policy(&format!("p{number}"), action, rules)
        })
        .collect()
}

pub(crate) fn policy(name: &str, action: &str, rules: Vec<Value>) -> Value {
    json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"action": action, "rules": rules},
    })
}

/// Other policies that may mean the same.
pub(crate) fn changed(random: &mut Random, policies: &[Value], places: &[&str]) -> Vec<Value> {
    let mut changed = policies.to_vec();
    for _ in 0..random.below(3) {
        if changed.is_empty() || random.chance(10) {
            let action = random.pick(&["ALLOW", "DENY"]);
            let more = vec![rule(random, places)];
            changed.push(policy(&format!("q{}", changed.len()), action, more));
            continue;
        }
        let place = random.below(changed.len());
        let rules = changed[place]["spec"]["rules"].as_array_mut().unwrap();
        let number = random.below(rules.len());
        match random.below(6) {
            // The same by itself, before or behind.
            0 => rules.push(rules[number].clone()),
            1 => rules.reverse(),
            // Each item in a rule of its own.
            2 => {
                let whole = rules.remove(number);
                let part = if whole["to"].is_array() { "to" } else { "from" };
                match whole[part].as_array().cloned() {
                    Some(items) => rules.extend(items.into_iter().map(|item| {
                        let mut alone = whole.clone();
                        alone[part] = json!([item]);
                        alone
                    })),
                    None => rules.push(whole),
                }
            }
            3 if rules.len() > 1 => {
                rules.remove(number);
            }
            4 => rules[number] = rule(random, places),
            _ => rules.push(rule(random, places)),
        }
    }
    changed
}
