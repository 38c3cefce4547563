//! The command line of `weir explain`.

use super::request::{Protocol, Request};
use crate::names;
use crate::render::Proxy;
use clap::{Args, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;

/// Options of `weir explain`.
#[derive(Args)]
#[command(after_help = "Examples:
  weir explain policies/ --workload shop/cart --method POST --path /cart --principal cluster.local/ns/shop/sa/web
  weir explain policies/ --workload shop/cart --request '{method: GET, path: /admin, headers: {x-user: ann}}'
  weir explain cart.yaml --request request.yaml --expect deny
  weir explain policies/ --workload shop/cart --requests requests.jsonl > answers.jsonl
  kubectl logs deploy/cart -c istio-proxy --tail 1 | weir explain policies/ --workload shop/cart --log-line -

A request, in YAML or JSON; what is left out is absent:
  protocol: http                    # or grpc; or tcp, a connection, which has neither method nor path and so on
  method: GET
  scheme: https
  host: cart.shop
  path: /cart?id=1
  headers: {x-user: ann, x-role: [a, b]}
  source: {ip: 192.0.2.7, directIp: 10.1.2.3, principal: spiffe://cluster.local/ns/shop/sa/web}  # or a list of names
  destination: {ip: 10.1.2.4, port: 8080}
  sni: cart.shop
  jwt: {claims: {iss: https://issuer.example, sub: ann, groups: [staff]}}
  metadata: {envoy.filters.http.ext_authz: {tenant: a}}
  expressions: {size(request.path) > 99: true}  # what Envoy makes of expressions in CEL; null for one that fails

Exit codes: 0 answered (and as expected), 1 refused files or another answer than --expect, 2 usage error.")]
pub(crate) struct Explain {
    /// Files and folders with AuthorizationPolicies or a Weir document, or one Envoy bootstrap or manifest that has one; `-`
    /// is standard input
    #[arg(value_name = "PATH", required_unless_present = "config")]
    paths: Vec<PathBuf>,
    /// The same as PATH
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) whose: Whose,
    /// The request: a file, `-` for standard input, or YAML or JSON as it is
    #[arg(long, value_name = "REQUEST", conflicts_with_all = ["requests", "log_line"])]
    pub(super) request: Option<String>,
    /// A file with one request in JSON, or one access log line, on each line, `-` for standard input; prints one answer in JSON
    /// for each, in their order
    #[arg(long, value_name = "FILE", conflicts_with = "log_line")]
    pub(super) requests: Option<PathBuf>,
    /// A line of Envoy's access log in Istio's default format, as text or JSON, `-` for standard input. What it lacks is unknown,
    /// unless one of the options below says it
    #[arg(long, value_name = "LINE")]
    pub(super) log_line: Option<String>,
    #[command(flatten)]
    pub(super) flags: Flags,
    /// Print every rule that was considered, not only those that are nearest to matching
    #[arg(long)]
    pub(super) all_rules: bool,
    /// Exit with 1 if the answer is another
    #[arg(long, value_enum, value_name = "DECISION")]
    pub(super) expect: Option<Expect>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// Whose policies decide.
#[derive(Args, Default)]
pub(crate) struct Whose {
    /// The workload that requests are for: namespace and name [default: the one that all policies are for]
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) workload: Option<String>,
    /// Labels of its pods [default: those of the workload's object in the files, else app=NAME]
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', requires = "workload")]
    pub(crate) labels: Vec<String>,
    /// What its proxy is for [default: sidecar]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) proxy: Option<Proxy>,
    /// The namespace of objects that name none [default: that of the workload]
    #[arg(long, short, value_name = "NAMESPACE", value_parser = names::namespace_option)]
    pub(crate) namespace: Option<String>,
    /// Answer also if the files have AuthorizationPolicies and none is for the workload
    #[arg(long)]
    pub(crate) allow_no_policies: bool,
}

impl Explain {
    /// What is read, in the order in which it is given.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.paths.iter().chain(&self.config).cloned().collect()
    }
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    Allow,
    Deny,
}

impl Expect {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// The decision first, then the rules, clause by clause.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Fields of the request, one by one. They win over those of --request and --log-line.
#[derive(Args)]
#[command(next_help_heading = "The request, field by field")]
pub(crate) struct Flags {
    /// What it speaks [default: http]
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    protocol: Option<Protocol>,
    /// Its method [default: GET, if there is neither --request nor --log-line; of gRPC POST]
    #[arg(long)]
    method: Option<String>,
    /// Its path, as the filter sees it: normalized, with or without a query
    #[arg(long)]
    path: Option<String>,
    /// Its host or authority, with the port if it has one
    #[arg(long)]
    host: Option<String>,
    /// A header; repeat it for more, also of one name
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The SPIFFE identity of the peer: `spiffe://TD/ns/NS/sa/SA`, or without the scheme
    #[arg(long, value_name = "IDENTITY")]
    principal: Option<String>,
    /// The address of the original client
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<IpAddr>,
    /// The address of the direct peer [default: that of the original client]
    #[arg(long, value_name = "ADDRESS")]
    direct_ip: Option<IpAddr>,
    /// The address of the workload
    #[arg(long, value_name = "ADDRESS")]
    destination_ip: Option<IpAddr>,
    /// The port of the workload
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The server name of the TLS handshake
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// A claim of the request's JWT; a name given twice makes a list
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
}

impl Flags {
    /// Whether none is given.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            protocol,
            method,
            path,
            host,
            headers,
            principal,
            source_ip,
            direct_ip,
            destination_ip,
            port,
            sni,
            claims,
        } = self;
        let texts = [method, path, host, principal, sni].iter().all(|text| text.is_none());
        let addresses = [source_ip, direct_ip, destination_ip].iter().all(|address| address.is_none());
        let lists = headers.is_empty() && claims.is_empty();
        protocol.is_none() && texts && addresses && lists && port.is_none()
    }

    /// Writes those that are given into a request.
    ///
    /// # Errors
    /// One that is not written as it should be.
    pub(super) fn apply(&self, request: &mut Request) -> Result<(), String> {
        use weir_policy::RequestField as Field;
        let set = |to: &mut Option<String>, from: &Option<String>| {
            if let Some(text) = from {
                *to = Some(text.clone());
            }
            from.is_some()
        };
        if let Some(protocol) = self.protocol {
            request.protocol = protocol;
        }
        let mut known = Vec::new();
        let is_path = |path: &String| path.starts_with('/') || path == "*";
        if let Some(path) = self.path.as_ref().filter(|path| !is_path(path)) {
            return Err(format!("--path {path}: a path begins with `/`"));
        }
        known.extend(set(&mut request.method, &self.method).then_some(Field::Method));
        known.extend(set(&mut request.path, &self.path).then_some(Field::Path));
        known.extend(set(&mut request.host, &self.host).then_some(Field::Host));
        known.extend(set(&mut request.sni, &self.sni).then_some(Field::ServerName));
        if let Some(principal) = &self.principal {
            request.principal = Some(Request::spiffe(principal));
            known.push(Field::Principal);
        }
        for (to, from, field) in [
            (&mut request.source_ip, self.source_ip, Field::RemoteAddress),
            (&mut request.direct_ip, self.direct_ip, Field::DirectAddress),
            (&mut request.destination_ip, self.destination_ip, Field::DestinationAddress),
        ] {
            if from.is_some() {
                *to = from;
                known.push(field);
            }
        }
        if self.port.is_some() {
            request.port = self.port;
            known.push(Field::DestinationPort);
        }
        for header in &self.headers {
            let Some((name, value)) = header.split_once(':').filter(|(name, _)| !name.trim().is_empty()) else {
                return Err(format!("--header {header}: write `NAME: VALUE`"));
            };
            let name = name.trim().to_ascii_lowercase();
            if name == "host" {
                return Err("--header host: write --host".to_owned());
            }
            known.push(Field::Header(name.as_str().into()));
            request.headers.push((name, value.trim().to_owned()));
        }
        for claim in &self.claims {
            let Some((name, value)) = claim.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                return Err(format!("--claim {claim}: write `NAME=VALUE`"));
            };
            request.add_claim(name, value);
            known.push(Field::Claims);
        }
        request.add_known(known);
        Ok(())
    }
}
