//! The contexts that manifests are rendered for, the files of their operators, and the registry that has the image.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use weir_scenario::Request;
use weir_test_envoy::{envoy_line, module};
use weir_test_istio::{
    ApplyError, Client, Fetch, Fetched, IstioLine, Mesh, Options, Proxy, Rendered, Running, render, sha256,
};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The line of Istio whose proxies have the Envoy under test.
pub(crate) fn line() -> IstioLine {
    IstioLine::of_envoy(&envoy_line())
}

/// What is decided of a client's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decides {
    /// Policies and limits.
    Everything,
    /// Limits: on a sidecar's outbound listeners policies do nothing.
    Limits,
    /// Nothing: the manifest is not for the listener.
    Nothing,
}

/// A context.
pub(crate) struct Context {
    pub(crate) name: &'static str,
    pub(crate) proxy: fn() -> Result<Proxy, ApplyError>,
    /// The options that say which proxies are meant.
    pub(crate) options: &'static [&'static str],
    /// The namespace of the policies, and what they select.
    pub(crate) policies: (&'static str, &'static str),
    /// Whether the proxy knows the direct peer's address and identity.
    pub(crate) knows_peer: bool,
    pub(crate) clients: &'static [(Client, Decides)],
}

const CART: &str = "selector: {matchLabels: {app: cart}}";
const SIDECAR: [&str; 6] = ["--workload", "shop/cart", "--proxy", "sidecar", "--selector", "app=cart"];

const fn sidecar(
    name: &'static str,
    options: &'static [&'static str],
    proxy: fn() -> Result<Proxy, ApplyError>,
    clients: &'static [(Client, Decides)],
) -> Context {
    Context { name, proxy, options, policies: ("shop", CART), knows_peer: true, clients }
}

/// Every context.
pub(crate) static CONTEXTS: [Context; 6] = [
    sidecar(
        "inbound",
        &["--direction", "inbound"],
        Proxy::sidecar,
        &[(Client::PLAIN, Decides::Everything), (Client::OUTBOUND, Decides::Nothing)],
    ),
    sidecar(
        "outbound",
        &["--direction", "outbound"],
        Proxy::sidecar,
        &[(Client::PLAIN, Decides::Nothing), (Client::OUTBOUND, Decides::Limits)],
    ),
    sidecar(
        "both",
        &["--direction", "both"],
        Proxy::sidecar,
        &[(Client::PLAIN, Decides::Everything), (Client::OUTBOUND, Decides::Limits)],
    ),
    sidecar(
        "hbone",
        &["--direction", "inbound"],
        Proxy::hbone_sidecar,
        &[
            (Client::PLAIN, Decides::Everything),
            (Client::HBONE, Decides::Everything),
            (Client::OUTBOUND, Decides::Nothing),
        ],
    ),
    Context {
        name: "gateway",
        proxy: Proxy::gateway,
        options: &[
            "--workload",
            "istio-system/istio-ingressgateway",
            "--proxy",
            "gateway",
            "--selector",
            "istio=ingressgateway",
        ],
        policies: ("istio-system", "selector: {matchLabels: {istio: ingressgateway}}"),
        knows_peer: true,
        clients: &[(Client::EDGE, Decides::Everything)],
    },
    Context {
        name: "waypoint",
        proxy: Proxy::waypoint,
        options: &["--workload", "shop/waypoint", "--proxy", "waypoint", "--target-ref", "Gateway/waypoint"],
        policies: ("shop", "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]"),
        knows_peer: false,
        clients: &[(Client::WAYPOINT, Decides::Everything)],
    },
];

impl Context {
    /// The policies, limits and documents of the operator.
    pub(crate) fn files(&self) -> Vec<(&'static str, String)> {
        let (namespace, target) = self.policies;
        let policy = |name: &str, rest: &str| {
            format!(
                "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                 metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  {target}\n  {rest}\n"
            )
        };
        let mut policies = policy("public", "rules: [{to: [{operation: {methods: [GET], paths: [/cart, /cart/*]}}]}]");
        if self.knows_peer {
            policies += &policy(
                "direct",
                "action: DENY\n  rules: [{from: [{source: {ipBlocks: [10.1.1.9/32, 127.0.0.0/8]}}], \
                 to: [{operation: {paths: [/cart/direct]}}]}]",
            );
        }
        policies += "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                     metadata: {name: stock, namespace: shop}\n\
                     spec: {selector: {matchLabels: {app: stock}}, action: DENY, rules: [{}]}\n";
        let limits = "domain: shop\ndescriptors:\n- {key: user, rate_limit: {name: per-user, unit: year, requests_per_unit: 1}}\n";
        let document = "schema: 1\nname: cart\nrateLimit:\n  rate_limits: [{actions: [{request_headers: \
                        {header_name: x-user, descriptor_key: user}}]}]\ntelemetry: {}\n";
        vec![("policies.yaml", policies), ("limits.yaml", limits.to_owned()), ("cart.yaml", document.to_owned())]
    }

    /// The arguments for a form, with the suite from `code`.
    pub(crate) fn arguments<'a>(&self, form: &'a str, code: &'a [&'a str]) -> Vec<&'a str> {
        let proxy: &[&str] = if self.policies.1 == CART { &SIDECAR } else { &[] };
        let files = ["--config", "policies.yaml", "limits.yaml", "cart.yaml"];
        [&[form, "--module", "suite"], proxy, self.options, &files, code].concat()
    }

    /// What is rendered in a form.
    pub(crate) fn render(&self, form: &str, code: &[&str]) -> Result<Rendered, Box<dyn Error>> {
        Ok(render(&self.files(), &self.arguments(form, code))?)
    }
}

/// The digest of the image's manifest.
pub(crate) fn digest() -> String {
    sha256(b"the manifest of the image")
}

/// The image, as an operator names it.
pub(crate) fn image() -> String {
    format!("oci://registry.example.com/weir/suite@sha256:{}", digest())
}

/// The registry.
pub(crate) struct Registry {
    /// The module in the image; `None` if the registry does not answer.
    pub(crate) module: Option<PathBuf>,
}

impl Registry {
    /// With that module.
    pub(crate) fn with(stem: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self { module: Some(module(stem)?) })
    }
}

impl Fetch for Registry {
    fn fetch(&mut self, url: &str, _: Option<&str>) -> Result<Fetched, String> {
        assert_eq!(url, image());
        let file = self.module.as_ref().ok_or("no route to host")?;
        Ok(Fetched { module: fs::read(file).map_err(|error| error.to_string())?, manifest: Some(digest()) })
    }
}

/// An Envoy that runs the objects, with the suite in the registry.
pub(crate) fn start(proxy: Proxy, objects: &[Value]) -> Result<Running, Box<dyn Error>> {
    Ok(Mesh::new(proxy, line())?.start(objects, &mut Registry::with("suite")?, Options::default())?)
}

/// A request for the shop, of a user if one is named.
pub(crate) fn request(method: &str, path: &str, user: Option<&str>) -> Request {
    let headers = user.map_or_else(|| json!({}), |user| json!({"x-user": user}));
    Request {
        method: method.to_owned(),
        path: path.into(),
        authority: "shop.example.com".into(),
        headers: serde_json::from_value(headers).unwrap(),
        ..Request::default()
    }
}

/// The status of a request; 0 if there was none.
pub(crate) fn status(running: &Running, client: &Client, request: &Request) -> Result<u16, Box<dyn Error>> {
    Ok(running.send(client, request)?.status.unwrap_or(0))
}
