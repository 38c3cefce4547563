//! Configurations that are hard on an index, and for each a request that is hard on it: none of their rules matches,
//! unless the shape says so.

use serde_json::{Value, json};
use weir_model::{Attribute, Attributes, PairsBuilder};

/// What rules and request look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One exact path a rule; the middle one matches.
    ExactPaths,
    /// One path for all, and negations that no other rule has. All but one rule would match without them.
    Negations,
    /// As [`Shape::Negations`], without a positive value.
    NegationsOnly,
    /// `/{**}/sN`.
    TemplateTails,
    /// One rule, which matches, with `notRemoteIpBlocks` of N ranges.
    AddressRanges,
    /// `namespaces: [team-N-*]`; the peer shows no certificate.
    NamespacePatterns,
    /// N header names, of which the request has none.
    HeaderNames,
    /// One value of one header, and negations; the request has this many copies of the header.
    CopiesOfHeader(usize),
    /// A header's `notValues`, one shared and one not; the request has this many values, the shared one last.
    ValuesOfHeader(usize),
    /// Prefixes, each the beginning of the next; the path has this many bytes.
    NestedPrefixes(usize),
    /// Suffixes, each the end of the next; the path has this many bytes.
    NestedSuffixes(usize),
}

/// The most bytes of a nested prefix or suffix; with more rules several have the same one.
const NESTED: usize = 1000;

impl Shape {
    fn rule(self, index: usize) -> Value {
        let to = |operation: Value| json!({"to": [{"operation": operation}]});
        let not_get = json!(["GET", format!("METHOD-{index}")]);
        let when = |name: &str, field: &str, values: Value| json!([{"key": format!("request.headers[{name}]"), field: values}]);
        let nested = "a".repeat(index % NESTED);
        match self {
            Self::ExactPaths => to(json!({"paths": [format!("/api/items/{index}")]})),
            Self::Negations => to(json!({"paths": ["/shared"], "notMethods": not_get})),
            Self::NegationsOnly => to(json!({"notMethods": not_get, "notPaths": [format!("/none/{index}")]})),
            Self::TemplateTails => to(json!({"paths": [format!("/{{**}}/s{index}")]})),
            Self::AddressRanges => json!({}),
            Self::NamespacePatterns => json!({"from": [{"source": {"namespaces": [format!("team-{index}-*")]}}]}),
            Self::HeaderNames => json!({"when": when(&format!("x-name-{index}"), "values", json!(["1"]))}),
            Self::CopiesOfHeader(_) => {
                json!({"when": when("x-role", "values", json!(["v"])), "to": [{"operation": {"notMethods": not_get}}]})
            }
            Self::ValuesOfHeader(_) => {
                json!({"when": when("x-role", "notValues", json!(["last", format!("w{index}")]))})
            }
            Self::NestedPrefixes(_) => to(json!({"paths": [format!("/{nested}*")], "methods": ["POST"]})),
            Self::NestedSuffixes(_) => to(json!({"paths": [format!("*{nested}a")], "methods": ["POST"]})),
        }
    }

    /// The document with `count` rules.
    pub(crate) fn document(self, count: usize) -> Value {
        let rules: Vec<Value> = if self == Self::AddressRanges {
            let ranges: Vec<String> =
                (0..count).map(|index| format!("10.{}.{}.0/24", index / 256 % 256, index % 256)).collect();
            let from = json!([{"source": {"notRemoteIpBlocks": ranges}}]);
            vec![json!({"from": from, "to": [{"operation": {"paths": ["/shared"]}}]})]
        } else {
            (0..count).map(|index| self.rule(index)).collect()
        };
        let policy = json!({
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "shape", "namespace": "shop"},
            "spec": {"action": "ALLOW", "rules": rules},
        });
        json!({"schema": 1, "name": "shape", "workload": {"namespace": "shop", "proxy": "gateway"}, "policies": [policy]})
    }

    /// The request against `count` rules: its headers, encoded, and its attributes.
    pub(crate) fn request(self, count: usize) -> (Vec<u8>, Attributes) {
        let path = match self {
            Self::ExactPaths => format!("/api/items/{}", count / 2),
            Self::NestedPrefixes(bytes) | Self::NestedSuffixes(bytes) => format!("/{}", "a".repeat(bytes - 1)),
            Self::TemplateTails => "/some/path/of/none".to_owned(),
            _ => "/shared".to_owned(),
        };
        let mut pairs = PairsBuilder::default();
        let fixed = [
            (":method", "GET"),
            (":path", path.as_str()),
            (":authority", "shop.example"),
            ("user-agent", "Mozilla/5.0"),
            ("accept", "*/*"),
            ("x-request-id", "5ab1d0c4-29ba-4cf7-b4f5-5a2a70ba6d5e"),
        ];
        for (name, value) in fixed {
            pairs.push(name.as_bytes(), value.as_bytes());
        }
        match self {
            Self::CopiesOfHeader(copies) => (0..copies).for_each(|_| {
                pairs.push(b"x-role", b"v");
            }),
            Self::ValuesOfHeader(values) => {
                for number in 1..values {
                    pairs.push(b"x-role", format!("v{number}").as_bytes());
                }
                pairs.push(b"x-role", b"last");
            }
            _ => {}
        }
        let mut attributes = Attributes::default();
        attributes.set(&Attribute::SourceAddress, b"192.168.1.1:40000");
        attributes.set(&Attribute::DestinationAddress, b"192.168.1.2:80");
        (pairs.finish(), attributes)
    }
}
