//! Every request of a small world, decided by the obvious evaluator.
//!
//! A request is a value for each place. What a clause says depends on one place alone, so it is evaluated once for each value
//! of it; the rest is logic.

use crate::claims::Metadata;
use crate::naive::{self, Request};
use crate::policies::FIELDS;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// What a value of a field says of each request of its place.
type Says = HashMap<(&'static str, String), Rc<Vec<bool>>>;

thread_local! {
    static VARIANTS: RefCell<HashMap<&'static str, Rc<Vec<Request>>>> = RefCell::default();
    static SAYS: RefCell<Says> = RefCell::default();
}

/// The most requests of a world.
const REQUESTS: usize = 40_000;

/// A request that has nothing that is asked for.
pub(crate) fn plain() -> Request {
    Request {
        headers: vec![
            (b":method".to_vec(), b"GET".to_vec()),
            (b":path".to_vec(), b"/".to_vec()),
            (b":authority".to_vec(), b"h".to_vec()),
        ],
        san: None,
        remote: Some(b"192.0.2.1:1".to_vec()),
        destination: Some(b"192.0.2.1:80".to_vec()),
        direct: Some(b"192.0.2.1".to_vec()),
        server_name: None,
        metadata: Metadata::Known(json!({})),
    }
}

fn set_header(request: &mut Request, name: &str, values: &[&str]) {
    request.headers.retain(|(known, _)| known != name.as_bytes());
    request.headers.extend(values.iter().map(|value| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
}

/// All words of up to that many letters.
fn words(letters: &str, most: usize) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = words.clone();
    for _ in 0..most {
        last = last.iter().flat_map(|word| letters.chars().map(move |letter| format!("{word}{letter}"))).collect();
        words.extend(last.clone());
    }
    words
}

/// All requests that differ in one place, made once.
fn variants_of(place: &'static str) -> Rc<Vec<Request>> {
    VARIANTS.with_borrow_mut(|known| Rc::clone(known.entry(place).or_insert_with(|| Rc::new(variants(place)))))
}

/// Whether a world of these places is small enough to try it whole.
pub(crate) fn is_small(places: &[&'static str]) -> bool {
    places.iter().map(|place| variants_of(place).len()).product::<usize>() <= REQUESTS
}

fn variants(place: &str) -> Vec<Request> {
    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = plain();
        change(&mut request);
        request
    };
    let header = |name: &'static str, values: Vec<Vec<&'static str>>| -> Vec<Request> {
        values.iter().map(|values| with(&|request| set_header(request, name, values))).collect()
    };
    let addresses = ["10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.1", "1.1.1.1", "fd00::1", "::1"];
    match place {
        "path" => {
            let mut paths: BTreeSet<String> = words("ab/\"", 3).into_iter().collect();
            paths.extend(words("ab/", 4));
            paths.extend(["a?", "a?b", "a?x", "?a", "b?", "a/b?b", "x?b"].map(str::to_owned));
            paths
                .into_iter()
                .map(|path| with(&|request| set_header(request, ":path", &[&format!("/{path}")])))
                .collect()
        }
        "cel" => header("cel", ["true", "false", "error"].map(|outcome| vec![outcome]).into()),
        "method" => header(":method", ["GET", "POST", "PUT", "X", "P", "T"].map(|method| vec![method]).into()),
        "host" => header(
            ":authority",
            ["h", "H", "h.e", "H.e", "H.E", "x.e", "x", "h:1", "H:1", "", "hx", "Hx"].map(|host| vec![host]).into(),
        ),
        "x" => {
            let values = ["", "1", "2", "12", "x", "1x", "x2"];
            let mut sets: Vec<Vec<&str>> = vec![vec![]];
            for (number, value) in values.iter().enumerate() {
                sets.push(vec![value]);
                sets.extend(values[number + 1..].iter().map(|other| vec![*value, other]));
            }
            sets.extend([vec!["1", "2", "12"], vec!["1x", "x2", "x"], vec!["1", "12", "x2"]]);
            header("x", sets)
        }
        "agent" => header(
            "user-agent",
            ["", "1", "2", "12", "x", "1x", "x2"].map(|value| vec![value]).into_iter().chain([vec![]]).collect(),
        ),
        "peer" => {
            let mut names: Vec<Option<String>> = vec![None];
            for domain in ["td", "t2", "x", "tdx"] {
                for (namespace, account) in [("n", "a"), ("m", "b"), ("n", "b"), ("nx", "a"), ("x", "ba"), ("m", "a")] {
                    names.push(Some(format!("spiffe://{domain}/ns/{namespace}/sa/{account}")));
                }
            }
            for odd in [
                "x",
                "spiffe://td",
                "spiffe://xa",
                "spiffe://x/sa/a",
                "https://td/ns/n/sa/a",
                "spiffe://td/ns/n/sa/b/ns/m/sa/b",
                "spiffe://td/ns/n/x",
                "spiffe://td/x",
                "x/ns/n/x",
                "spiffe://td/a",
                "spiffe://x/a",
                "spiffe://td/ns/n/sa/a/ns/m/x",
                "spiffe://t2/ns/m/x",
                "spiffe://td/ns/n/a",
                "spiffe://td/ns/n/sa/a/sa/b",
                "spiffe://x/ns/n/a",
                "x/ns/n/ns/m/x",
                "spiffe://t2/a",
                "spiffe://t2/x",
                "spiffe://x/x",
                "spiffe://x",
                "spiffe://a",
                "a",
                "spiffe://td/ns/n/sa/a/",
            ] {
                names.push(Some(odd.to_owned()));
            }
            names.into_iter().map(|name| with(&|request| request.san = name.clone().map(String::into_bytes))).collect()
        }
        "remote" => addresses.map(|address| with(&|request| request.remote = Some(socket(address, 1)))).into(),
        "direct" => addresses.map(|address| with(&|request| request.direct = Some(address.as_bytes().to_vec()))).into(),
        "destination" => addresses
            .iter()
            .flat_map(|address| [80, 81, 0, 82].map(|port| socket(address, port)))
            .map(|socket| with(&|request| request.destination = Some(socket.clone())))
            .collect(),
        "sni" => [None, Some("h"), Some("e"), Some("he"), Some("x"), Some("hx"), Some("xe")]
            .map(|name| with(&|request| request.server_name = name.map(|name| name.as_bytes().to_vec())))
            .into(),
        "claims" => {
            let mut all = vec![plain()];
            let one = [json!("a"), json!("b"), json!("x"), json!("")];
            let g = [
                json!(null),
                json!("a"),
                json!("b"),
                json!("ab"),
                json!("x"),
                json!(["a", "b"]),
                json!(["a", "x"]),
                json!({"r": "a"}),
                json!({"r": "b"}),
                json!({"r": ["a", "b"]}),
                json!({"r": "x"}),
                json!(["ax", "xb"]),
                json!(""),
                json!("ax"),
                json!("xb"),
            ];
            let issuers = [
                json!(null),
                json!("i"),
                json!("ix"),
                json!("x"),
                json!(""),
                json!(["i"]),
                json!(["x"]),
                json!(["ix", "x"]),
            ];
            let subjects =
                one.iter().cloned().chain([json!(null), json!("xa"), json!(["a"]), json!(["b", "a"]), json!(["x"])]);
            for subject in subjects {
                for issuer in &issuers {
                    for g in &g {
                        let payload = json!({"iss": issuer, "sub": subject, "g": g});
                        let metadata = json!({"envoy.filters.http.jwt_authn": {"payload": payload}});
                        all.push(with(&|request| request.metadata = Metadata::Known(metadata.clone())));
                    }
                }
            }
            all
        }
        "k" => [
            json!(null),
            json!("a"),
            json!("ax"),
            json!("x"),
            json!(""),
            json!(["a"]),
            json!(["b"]),
            json!(["xb", "a"]),
            json!(["x"]),
            json!([""]),
            json!([]),
            json!(["", "a"]),
            json!(["b", "x"]),
        ]
        .map(|k| with(&|request| request.metadata = Metadata::Known(json!({"envoy.filters.x": {"k": k}}))))
        .into(),
        other => panic!("no place {other}"),
    }
}

fn socket(address: &str, port: u16) -> Vec<u8> {
    let address: std::net::IpAddr = address.parse().unwrap();
    std::net::SocketAddr::new(address, port).to_string().into_bytes()
}

/// All requests of the places.
pub(crate) struct World {
    pub(crate) places: Vec<(&'static str, Rc<Vec<Request>>)>,
}

/// A place, and what a clause says of each of its requests; of an expression also that it may hold.
struct Clause {
    place: usize,
    says: Vec<bool>,
    is_expression: bool,
}

/// A rule as logic: parts, items, and clauses with what they say of each value of their place.
struct Rule {
    id: String,
    allows: bool,
    parts: Vec<Vec<Vec<Clause>>>,
}

/// A set of policies in a world.
pub(crate) struct Set {
    /// In the order in which they decide: those of DENY first, those without expressions before the others, then by their ids.
    rules: Vec<Rule>,
    has_allow: bool,
}

/// A decision, and the id of the rule that made it.
pub(crate) type Answer = (bool, Option<usize>);

impl World {
    pub(crate) fn new(places: &[&'static str]) -> Self {
        Self { places: places.iter().map(|place| (*place, variants_of(place))).collect() }
    }

    /// Shows each request, by the numbers of its values.
    pub(crate) fn each(&self, mut then: impl FnMut(&[usize])) {
        let mut numbers = vec![0; self.places.len()];
        loop {
            then(&numbers);
            let mut place = 0;
            loop {
                match self.places.get(place) {
                    None => return,
                    Some((_, variants)) if numbers[place] + 1 < variants.len() => {
                        numbers[place] += 1;
                        break;
                    }
                    Some(_) => {
                        numbers[place] = 0;
                        place += 1;
                    }
                }
            }
        }
    }

    fn clause(&self, name: &str, values: &Value, negated: bool, allows: bool) -> Clause {
        let field = FIELDS.iter().find(|field| field.name == name).unwrap();
        let place = self.places.iter().position(|(place, _)| *place == field.place).unwrap();
        if name == "cel" {
            // One that fails matches every rule but those of ALLOW.
            let says = |request: &Request| naive::test(name, values, request).map_or(!allows, |holds| holds != negated);
            return Clause { place, says: self.places[place].1.iter().map(says).collect(), is_expression: true };
        }
        let mut says = vec![negated; self.places[place].1.len()];
        for value in values.as_array().unwrap() {
            let key = (field.name, value.as_str().unwrap().to_owned());
            let known = SAYS.with_borrow(|known| known.get(&key).cloned());
            let of_value = known.unwrap_or_else(|| {
                let one = json!([value]);
                let says = |request: &Request| naive::test(name, &one, request).unwrap();
                let says: Rc<Vec<bool>> = Rc::new(self.places[place].1.iter().map(says).collect());
                SAYS.with_borrow_mut(|known| known.insert(key, Rc::clone(&says)));
                says
            });
            says.iter_mut()
                .zip(of_value.iter())
                .filter(|(_, matches)| **matches)
                .for_each(|(says, _)| *says = !negated);
        }
        Clause { place, says, is_expression: false }
    }

    pub(crate) fn set(&self, policies: &[Value]) -> Set {
        let mut rules = Vec::new();
        for policy in policies {
            let allows = policy["spec"]["action"] == "ALLOW";
            for (index, rule) in policy["spec"]["rules"].as_array().unwrap().iter().enumerate() {
                let mut parts = Vec::new();
                for (part, inner) in [("from", "source"), ("to", "operation")] {
                    let Some(items) = rule[part].as_array() else { continue };
                    let item = |item: &Value| -> Vec<Clause> {
                        let fields = item[inner].as_object().unwrap();
                        fields
                            .iter()
                            .map(|(name, values)| {
                                let field =
                                    FIELDS.iter().find(|field| field.name == name || field.not == name).unwrap();
                                self.clause(field.name, values, field.not == name, allows)
                            })
                            .collect()
                    };
                    parts.push(items.iter().map(item).collect());
                }
                for condition in rule["when"].as_array().into_iter().flatten() {
                    let key = condition["key"].as_str().unwrap();
                    let clauses = [("values", false), ("notValues", true)]
                        .into_iter()
                        .filter(|(name, _)| condition[name].is_array());
                    parts.push(vec![
                        clauses.map(|(name, negated)| self.clause(key, &condition[name], negated, allows)).collect(),
                    ]);
                }
                let id = format!("ns[ns]-policy[{}]-rule[{index}]", policy["metadata"]["name"].as_str().unwrap());
                rules.push(Rule { id, allows, parts });
            }
        }
        rules.sort_by_key(|rule| (rule.allows, rule.asks_expression(), rule.id.clone()));
        let has_allow = policies.iter().any(|policy| policy["spec"]["action"] == "ALLOW");
        Set { rules, has_allow }
    }
}

impl Rule {
    fn asks_expression(&self) -> bool {
        self.parts.iter().flatten().flatten().any(|clause| clause.is_expression)
    }

    fn matches(&self, request: &[usize]) -> bool {
        let clause = |clause: &Clause| clause.says[request[clause.place]];
        self.parts.iter().all(|part| part.iter().any(|item| item.iter().all(clause)))
    }

    /// Whether it matches for some outcome of its expressions, each taken by itself.
    fn may_match(&self, request: &[usize]) -> bool {
        let clause = |clause: &Clause| clause.is_expression || clause.says[request[clause.place]];
        self.parts.iter().all(|part| part.iter().any(|item| item.iter().all(clause)))
    }
}

impl Set {
    pub(crate) fn decide(&self, request: &[usize]) -> Answer {
        // Expressions of DENY are not evaluated where nothing could allow the request.
        let may_pass = !self.has_allow || self.rules.iter().any(|rule| rule.allows && rule.may_match(request));
        let is_tried = |rule: &Rule| rule.allows || may_pass || !rule.asks_expression();
        let found = self.rules.iter().position(|rule| is_tried(rule) && rule.matches(request));
        match found {
            Some(rule) => (self.rules[rule].allows, Some(rule)),
            None => (!self.has_allow, None),
        }
    }

    pub(crate) fn id(&self, rule: usize) -> &str {
        &self.rules[rule].id
    }

    /// Whether any rule of that policy matches.
    pub(crate) fn policy_matches(&self, name: &str, request: &[usize]) -> bool {
        let of = format!("ns[ns]-policy[{name}]-");
        self.rules.iter().any(|rule| rule.id.starts_with(&of) && rule.matches(request))
    }
}
