//! Configurations that are hard on an index over rules, and for each a request that is hard on it.

use serde_json::{Value, json};

/// What the rules of a policy and a request to it look like. No rule matches the request, unless the shape says so.
///
/// ```
/// use weir_testing::Shape;
///
/// let policy = Shape::CopiesOfHeader(90).policy(10_000);
/// assert_eq!(policy["spec"]["rules"].as_array().map(Vec::len), Some(10_000));
/// let roles = |(name, _): &(String, String)| name == "x-role";
/// assert_eq!(Shape::CopiesOfHeader(90).headers(10_000).iter().filter(|header| roles(header)).count(), 90);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One exact path a rule; the last one matches.
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
    /// One value of one claim; the token has a list of this many, none of them asked for.
    ClaimValues(usize),
    /// The claim's `notValues`, one shared and one not; the token has a list of this many, the shared one last.
    ClaimNegations(usize),
    /// N names of claims; the token has this many others.
    ClaimNames(usize),
    /// `requestPrincipals`, none of them the token's.
    RequestPrincipals,
}

/// The most bytes of a nested prefix or suffix; with more rules several have the same one.
const NESTED: usize = 1000;

impl Shape {
    /// All shapes, in their easiest form and their hardest.
    pub const ALL: [Self; 20] = [
        Self::ExactPaths,
        Self::Negations,
        Self::NegationsOnly,
        Self::TemplateTails,
        Self::AddressRanges,
        Self::NamespacePatterns,
        Self::HeaderNames,
        Self::CopiesOfHeader(1),
        Self::CopiesOfHeader(90),
        Self::ValuesOfHeader(1),
        Self::ValuesOfHeader(90),
        Self::NestedPrefixes(1001),
        Self::NestedSuffixes(1001),
        Self::ClaimValues(1),
        Self::ClaimValues(90),
        Self::ClaimNegations(1),
        Self::ClaimNegations(90),
        Self::ClaimNames(1),
        Self::ClaimNames(90),
        Self::RequestPrincipals,
    ];

    fn rule(self, index: usize) -> Value {
        let to = |operation: Value| json!({"to": [{"operation": operation}]});
        let from = |source: Value| json!({"from": [{"source": source}]});
        let not_get = json!(["GET", format!("METHOD-{index}")]);
        let when = |key: &str, field: &str, values: Value| json!([{"key": format!("request.{key}"), field: values}]);
        let nested = "a".repeat(index % NESTED);
        match self {
            Self::ExactPaths => to(json!({"paths": [format!("/api/items/{index}")]})),
            Self::Negations => to(json!({"paths": ["/shared"], "notMethods": not_get})),
            Self::NegationsOnly => to(json!({"notMethods": not_get, "notPaths": [format!("/none/{index}")]})),
            Self::TemplateTails => to(json!({"paths": [format!("/{{**}}/s{index}")]})),
            Self::AddressRanges => json!({}),
            Self::NamespacePatterns => from(json!({"namespaces": [format!("team-{index}-*")]})),
            Self::HeaderNames => json!({"when": when(&format!("headers[x-name-{index}]"), "values", json!(["1"]))}),
            Self::CopiesOfHeader(_) => {
                let when = when("headers[x-role]", "values", json!(["v"]));
                json!({"when": when, "to": [{"operation": {"notMethods": not_get}}]})
            }
            Self::ValuesOfHeader(_) => {
                json!({"when": when("headers[x-role]", "notValues", json!(["last", format!("w{index}")]))})
            }
            Self::NestedPrefixes(_) => to(json!({"paths": [format!("/{nested}*")], "methods": ["POST"]})),
            Self::NestedSuffixes(_) => to(json!({"paths": [format!("*{nested}a")], "methods": ["POST"]})),
            Self::ClaimValues(_) => {
                json!({"when": when("auth.claims[groups]", "values", json!([format!("team-{index}")]))})
            }
            Self::ClaimNegations(_) => {
                json!({"when": when("auth.claims[groups]", "notValues", json!(["last", format!("w{index}")]))})
            }
            Self::ClaimNames(_) => {
                json!({"when": when(&format!("auth.claims[name-{index}]"), "values", json!(["1"]))})
            }
            Self::RequestPrincipals => from(json!({"requestPrincipals": [format!("issuer.example/subject-{index}")]})),
        }
    }

    /// The AuthorizationPolicy with `count` rules, or with one rule of `count` values where the shape says so.
    #[must_use]
    pub fn policy(self, count: usize) -> Value {
        let rules: Vec<Value> = if self == Self::AddressRanges {
            let ranges: Vec<String> =
                (0..count).map(|index| format!("10.{}.{}.0/24", index / 256 % 256, index % 256)).collect();
            let from = json!([{"source": {"notRemoteIpBlocks": ranges}}]);
            vec![json!({"from": from, "to": [{"operation": {"paths": ["/shared"]}}]})]
        } else {
            (0..count).map(|index| self.rule(index)).collect()
        };
        json!({
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "shape", "namespace": "shop"},
            "spec": {"action": "ALLOW", "rules": rules},
        })
    }

    /// The headers of the request to `count` rules, `:method`, `:path` and `:authority` first. The client is not in any of
    /// the ranges of [`Shape::AddressRanges`].
    #[must_use]
    pub fn headers(self, count: usize) -> Vec<(String, String)> {
        let path = match self {
            Self::ExactPaths => format!("/api/items/{}", count.saturating_sub(1)),
            Self::NestedPrefixes(bytes) | Self::NestedSuffixes(bytes) => {
                format!("/{}", "a".repeat(bytes.saturating_sub(1)))
            }
            Self::TemplateTails => "/some/path/of/none".to_owned(),
            _ => "/shared".to_owned(),
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            pair(":method", "GET"),
            pair(":path", &path),
            pair(":authority", "shop.example"),
            pair("user-agent", "Mozilla/5.0"),
            pair("accept", "*/*"),
            pair("x-request-id", "5ab1d0c4-29ba-4cf7-b4f5-5a2a70ba6d5e"),
        ];
        match self {
            Self::CopiesOfHeader(copies) => headers.extend((0..copies).map(|_| pair("x-role", "v"))),
            Self::ValuesOfHeader(values) => headers.extend(list(values).iter().map(|value| pair("x-role", value))),
            _ => {}
        }
        headers
    }

    /// The dynamic metadata of the request by filter, which has the claims of a token; `None` without one.
    #[must_use]
    pub fn metadata(self) -> Option<Value> {
        let payload = match self {
            Self::ClaimValues(values) | Self::ClaimNegations(values) => json!({"groups": list(values)}),
            Self::ClaimNames(names) => (0..names).map(|name| (format!("other-{name}"), json!("1"))).collect(),
            Self::RequestPrincipals => json!({"iss": "issuer.example", "sub": "nobody"}),
            _ => return None,
        };
        Some(json!({"envoy.filters.http.jwt_authn": {"payload": payload}}))
    }

    /// Whether a rule matches.
    #[must_use]
    pub fn matches(self) -> bool {
        matches!(self, Self::ExactPaths | Self::AddressRanges)
    }
}

/// So many values, the last of them `last`.
fn list(values: usize) -> Vec<String> {
    (1..values).map(|number| format!("v{number}")).chain(["last".to_owned()]).collect()
}
