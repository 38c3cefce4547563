//! Rate limit actions make the descriptors that Envoy makes of them: random actions and requests, some of which no
//! well-behaved client sends, through Weir and, behind it, Envoy's own local rate limit. Neither refuses; both say in
//! `x-ratelimit-limit` whether a request's descriptor met their limit.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../../filters/policy/tests/generator/random.rs"]
mod random;

use random::Random;
use serde_json::{Value, json};
use weir_scenario::{Client, Fields, Node, Protocol, Proxy as Listener, Request};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module};

const CASES: usize = 160;
const REQUESTS: usize = 10;

/// What a request may send in one hour: more than this test sends, and the figure by which a limit is known.
const WEIR: u32 = 40_000;
const ENVOY: u32 = 50_000;
const ENVOY_DEFAULT: u32 = 60_000;

/// An action, and the entry that the limit is for.
type Case = (Value, &'static str, String);

#[test]
fn descriptors_are_envoys() {
    let mut random = Random::new(7);
    let cases: Vec<Case> = (0..CASES).map(|_| case(&mut random)).collect();
    let mut proxy = start(&cases);
    let mut met = [0; 2];
    for (number, (action, _, value)) in cases.iter().enumerate() {
        for _ in 0..REQUESTS {
            let request = request(&mut random, number);
            let response = proxy.send(&request).unwrap();
            let at = || format!("{action} with `{value}`: {} {:?} {}", request.line(), request.headers, request.xff);
            assert_eq!(response.status, Some(200), "{}", at());
            let said: Vec<String> = response
                .headers
                .0
                .iter()
                .filter(|(name, _)| name.0 == b"x-ratelimit-limit")
                .map(|(_, value)| String::from_utf8_lossy(&value.0).into_owned())
                .collect();
            let says = |limit: u32| said.iter().any(|text| text.starts_with(&limit.to_string()));
            assert!(says(ENVOY) || says(ENVOY_DEFAULT), "Envoy has not said anything: {said:?}, {}", at());
            assert_eq!(says(WEIR), says(ENVOY), "Weir on the left, Envoy on the right: {said:?}, {}", at());
            met[usize::from(says(ENVOY))] += 1;
        }
    }
    assert!(met.into_iter().all(|times| times >= CASES * REQUESTS / 5), "{met:?}");
    assert_eq!(proxy.vm_failures().unwrap(), 0);
    proxy.stop().unwrap();
}

fn start(cases: &[Case]) -> Box<Proxy> {
    // The header `case` says which of the actions a request is about.
    let limits: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(number, (action, ..))| {
            let header = json!({"name": "case", "string_match": {"exact": number.to_string()}});
            let this = json!({"header_value_match": {"descriptor_value": number.to_string(), "headers": [header]}});
            json!({"actions": [this, action]})
        })
        .collect();
    let configuration = json!({
        "schema": 1,
        "name": "actions",
        "rate_limits": limits,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "local": {"config": {"domain": "actions", "descriptors": cases.iter().enumerate().map(|(number, (_, key, value))| json!({
            "key": "header_match",
            "value": number.to_string(),
            "descriptors": [{"key": key, "value": value, "rate_limit": {"unit": "hour", "requests_per_unit": WEIR}}],
        })).collect::<Vec<_>>()}},
    });
    let plugin = Plugin {
        name: "rate-limit".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("rate-limit").unwrap(),
        configuration: configuration.to_string(),
    };
    let bucket = |tokens: u32| json!({"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": "3600s"});
    let always = json!({"default_value": {"numerator": 100}});
    let native = json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "native",
            "filter_enabled": always,
            "filter_enforced": always,
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
            "token_bucket": bucket(ENVOY_DEFAULT),
            "rate_limits": limits,
            "descriptors": cases.iter().enumerate().map(|(number, (_, key, value))| json!({
                "entries": [{"key": "header_match", "value": number.to_string()}, {"key": key, "value": value}],
                "token_bucket": bucket(ENVOY),
            })).collect::<Vec<_>>(),
        },
    });
    let proxy =
        Listener { node: Node::default(), use_remote_address: true, xff_trusted_hops: 1, ..Listener::default() };
    match Proxy::start(Setup { plugins: vec![plugin], native: vec![native], proxy, ..Setup::default() }).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    }
}

const TEXTS: &[&str] = &["h", "abc", "ab", "c", "x", "a b", "a+b", "=abc", "%zz", "abc,x", "5"];

fn case(random: &mut Random) -> Case {
    let matched = |action: &str, matchers: &str, list: Vec<Value>, expect: bool| {
        let mut inner = json!({"descriptor_key": "k", "descriptor_value": "v", "expect_match": expect});
        inner[matchers] = Value::Array(list);
        (json!({ action: inner }), "k", "v".to_owned())
    };
    let many = 1 + random.below(2);
    match random.below(12) {
        0..=3 => {
            let list = (0..many).map(|_| header_matcher(random)).collect();
            matched("header_value_match", "headers", list, random.chance(70))
        }
        4..=6 => {
            let list = (0..many).map(|_| query_matcher(random)).collect();
            matched("query_parameter_value_match", "query_parameters", list, random.chance(70))
        }
        7 => {
            let action = json!({"request_headers": {"header_name": random.pick(&["x", "Y", "x", "Host"]), "descriptor_key": "k"}});
            (action, "k", random.pick(&["abc", "5", "x", "abc,x", "h", "h"]).to_owned())
        }
        8 => {
            let action = json!({"query_parameters": {"query_parameter_name": "a", "descriptor_key": "k"}});
            (action, "k", random.pick(TEXTS).to_owned())
        }
        9 => {
            let value = random.pick(&["10.1.2.3", "fd00::1", "1.1.1.1", "::ffff:10.1.2.3", "127.0.0.1"]);
            (json!({"remote_address": {}}), "remote_address", value.to_owned())
        }
        10 => {
            let action = json!({"masked_remote_address": {"v4_prefix_mask_len": 12, "v6_prefix_mask_len": 90}});
            let value = random.pick(&[
                "10.0.0.0/12",
                "fd00::/90",
                "::/90",
                "::ffff:0.0.0.0/90",
                "::fffe:0:0/90",
                "127.0.0.0/12",
            ]);
            (action, "masked_remote_address", value.to_owned())
        }
        _ => {
            let ranges = [
                json!({"address_prefix": "10.1.0.0", "prefix_len": 16}),
                json!({"address_prefix": "fd00::", "prefix_len": 8}),
            ];
            let matcher = json!({"ranges": ranges, "invert_match": random.chance(40)});
            let inner = json!({"descriptor_key": "k", "descriptor_value": "v", "address_matcher": matcher});
            (json!({"remote_address_match": inner}), "k", "v".to_owned())
        }
    }
}

fn string_matcher(random: &mut Random) -> Value {
    let mut matcher = json!({ random.pick(&["exact", "prefix", "suffix", "contains"]): random.pick(TEXTS) });
    if random.chance(15) {
        matcher = json!({"exact": ""});
    }
    if random.chance(30) {
        matcher["ignore_case"] = true.into();
    }
    matcher
}

fn header_matcher(random: &mut Random) -> Value {
    let mut matcher = match random.below(9) {
        0 => json!({}),
        1 => json!({"present_match": random.chance(50)}),
        2 => json!({"range_match": {"start": -5, "end": 10}}),
        3 => json!({"exact_match": random.pick(&["", "abc"])}),
        4 => json!({ random.pick(&["prefix_match", "suffix_match", "contains_match"]): random.pick(TEXTS) }),
        _ => json!({"string_match": string_matcher(random)}),
    };
    matcher["name"] = random.pick(&["x", "X", "y", "host"]).into();
    for (field, percent) in [("invert_match", 30), ("treat_missing_header_as_empty", 30)] {
        if random.chance(percent) {
            matcher[field] = true.into();
        }
    }
    matcher
}

fn query_matcher(random: &mut Random) -> Value {
    let mut matcher = match random.below(4) {
        0 => json!({}),
        1 => json!({"present_match": random.chance(60)}),
        _ => json!({"string_match": string_matcher(random)}),
    };
    matcher["name"] = random.pick(&["a", "b"]).into();
    matcher
}

const VALUES: &[&str] =
    &["abc", "abc", "ABC", "ab", "x", "", "5", "-5", "+5", "10", " 5 ", "05", "5a", "abc,x", "a b", "\u{e4}"];
const QUERIES: &[&str] = &[
    "",
    "?",
    "?a",
    "?a=",
    "?a=abc",
    "?a=abc&b=abc",
    "?b=abc&a=x",
    "?a=x&a=abc",
    "?a=a%20b",
    "?a=a+b",
    "?a=a%2bb",
    "?a=%61bc",
    "?%61=abc",
    "?x&a=abc",
    "?a=abc;c=d",
    "?A=abc",
    "?a==abc",
    "?a=abc=",
    "?a%3Dabc",
    "?a=%zz",
    "?a=%4",
    "?&a=abc",
    "?=abc",
    "?a=abc&",
    "?a=a%00b",
    "?a=%ff",
    "?a&a=abc",
    "??a=abc",
    "?b&&a=abc",
    "?a=%2561bc",
    "?a=abc?b=c",
    "?b=5&a=ABC",
    "?a=%e4",
];
const FORWARDED: &[&str] =
    &["", "10.1.2.3", "10.2.0.1, 1.1.1.1", "fd00::1", "::ffff:10.1.2.3", "unknown", "1.1.1.1,10.1.9.9"];

fn request(random: &mut Random, case: usize) -> Request {
    let mut headers = vec![("case".into(), case.to_string().as_str().into())];
    // Envoys before 1.39 join the values of a repeated header.
    for name in ["x", "y"] {
        if random.chance(70) {
            headers.push((name.into(), random.pick(VALUES).into()));
        }
        if random.chance(20) {
            headers.push((name.into(), random.pick(VALUES).into()));
        }
    }
    Request {
        protocol: Protocol::H1,
        path: format!("/p{}", random.pick(QUERIES)).as_str().into(),
        authority: "h".into(),
        headers: Fields(headers),
        xff: random.pick(FORWARDED).to_owned(),
        client: Client::Plain,
        ..Request::default()
    }
}
