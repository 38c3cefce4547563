//! Rules and requests that are hard on an index, beside Envoy's RBAC with what istiod makes of the same policies.
//!
//! Each shape is measured with few rules and with many, and each against an Envoy without policies that gets the same request.
//! No rule of a shape matches but the last one, if any; a policy behind them allows the request, so that all of them are tried
//! in vain and every variant gives the same answer.

use crate::istio::{self, Bundle, Options};
use crate::scene::Scene;
use crate::variants::{Modules, Variant, plain};
use serde_json::{Value, json};
use weir_testing::Shape;

/// The smaller number of rules.
pub(crate) const FEW: usize = 10;

/// One row of the table; the names are those of variants in the plain scene.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) title: String,
    /// The larger number of rules.
    pub(crate) rules: usize,
    pub(crate) base: String,
    pub(crate) few: String,
    pub(crate) many: String,
    pub(crate) native: String,
}

/// What a shape is called, and its larger number of rules.
fn titled(shape: Shape) -> (String, usize) {
    let copies = |number: usize, one: &str, many: &str| {
        if number == 1 { format!("one {one}") } else { format!("{number} {many}") }
    };
    let title = match shape {
        Shape::ExactPaths => "exact paths, the last of which matches".to_owned(),
        Shape::Negations => "one path, each with `notMethods` of its own".to_owned(),
        Shape::NegationsOnly => "`notMethods` and `notPaths` of their own, nothing else".to_owned(),
        Shape::TemplateTails => "`/{**}/sN`".to_owned(),
        Shape::AddressRanges => "one rule with N ranges in `notRemoteIpBlocks`".to_owned(),
        Shape::NamespacePatterns => "`namespaces: [team-N-*]`, a peer without a certificate".to_owned(),
        Shape::HeaderNames => "N headers by name, none of them sent".to_owned(),
        Shape::CopiesOfHeader(number) => {
            format!("one value of a header and negations, {} sent", copies(number, "copy of it", "copies of it"))
        }
        Shape::ValuesOfHeader(number) => format!("`notValues` of a header, {} sent", copies(number, "value", "values")),
        Shape::NestedPrefixes(bytes) => format!("prefixes, each the beginning of the next, a path of {bytes} bytes"),
        Shape::NestedSuffixes(bytes) => format!("suffixes, each the end of the next, a path of {bytes} bytes"),
        Shape::ClaimValues(number) => {
            format!("one claim, N values, {} in the token", copies(number, "other", "others"))
        }
        Shape::ClaimNegations(number) => {
            format!("`notValues` of a claim, {} in the token", copies(number, "value", "values"))
        }
        Shape::ClaimNames(number) => format!("N claims by name, {} in the token", copies(number, "other", "others")),
        Shape::RequestPrincipals => "N `requestPrincipals`".to_owned(),
    };
    let is_nested = matches!(shape, Shape::NestedPrefixes(_) | Shape::NestedSuffixes(_));
    (title, if is_nested { 1_000 } else { 10_000 })
}

/// The policies of a shape, and the one that allows its request.
fn policies(shape: Shape, count: usize) -> [Value; 2] {
    let last = json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        // Envoy tries policies in the order of their names.
        "metadata": {"name": "z-last", "namespace": "shop"},
        "spec": {"action": "ALLOW", "rules": [{"to": [{"operation": {"hosts": ["shop.example"]}}]}]},
    });
    [shape.policy(count), last]
}

/// The request as HTTP/1.1 has it.
fn request(shape: Shape, count: usize) -> Vec<u8> {
    let headers = shape.headers(count);
    let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str());
    let mut text = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", of(":method"), of(":path"), of(":authority"));
    for (name, value) in headers.iter().filter(|(name, _)| !name.starts_with(':')) {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The filter that leaves what the JWT filter would.
fn metadata(shape: Shape) -> Option<Value> {
    let filters = shape.metadata()?;
    let each = |(filter, fields): (&String, &Value)| json!({"metadata_namespace": filter, "value": fields});
    let values: Vec<Value> = filters.as_object().into_iter().flatten().map(each).collect();
    Some(json!({
        "name": "envoy.filters.http.set_metadata",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config",
            "metadata": values,
        },
    }))
}

/// All variants, and the rows that they make.
pub(crate) fn rows(modules: &Modules) -> (Vec<Variant>, Vec<Row>) {
    let (mut all, mut rows) = (Vec::new(), Vec::new());
    for shape in Shape::ALL {
        let (title, many) = titled(shape);
        let mut variant = |what: &str, count: usize, filters: Vec<Value>, is_dear: bool| {
            let name = format!("{title}: {what}");
            let filters = metadata(shape).into_iter().chain(filters).collect();
            let request = request(shape, count);
            all.push(Variant { request, is_dear, ..plain(&name, Scene::Plain, filters) });
            name
        };
        let mut weir = |count: usize| {
            let filter = modules.policies(Scene::Plain, &policies(shape, count));
            variant(&format!("weir, {count}"), count, vec![filter], false)
        };
        let [few, large] = [FEW, many].map(&mut weir);
        let options = Options { bundle: Bundle(vec!["cluster.local".to_owned()]), ..Options::default() };
        let native = istio::filters(&policies(shape, many), &options);
        let native = variant(&format!("Envoy RBAC, {many}"), many, native, true);
        let base = variant("no policy", many, Vec::new(), false);
        rows.push(Row { title, rules: many, base, few, many: large, native });
    }
    (all, rows)
}
