//! Two sidecars: that of the workload, with Weir in it, and that of callers. The certificates and trust bundles of both are in
//! files, and are rotated while authorities follow each other.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use weir_launch::{Envoy, Launch, wait_until};
use weir_scenario::{Direction, Node, Proxy as Listener};
use weir_test_envoy::{Authority, Booted, Discovery, Identity, Plugin, Proxy, Setup, envoy_binary, module};

use crate::Outcome;
use crate::callers::{CALLERS, Credentials, Shared};
use crate::secrets::Secrets;

/// The workload before and after its trust domain is another one.
pub(crate) const WORKLOAD: [&str; 2] = ["spiffe://old.example/ns/shop/sa/cart", "spiffe://new.example/ns/shop/sa/cart"];
/// How long Envoy may take to see a file, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests on one connection between the sidecars: it is replaced often, so that new certificates are used.
const REQUESTS_PER_CONNECTION: u32 = 15;

/// The document, in a mesh of these trust domains.
pub(crate) fn document(trust_domain: &str, aliases: &[&str]) -> Value {
    let policy = |name: &str, action: &str, principals: &[&str]| {
        let rule = |principal: &&str| json!({"from": [{"source": {"principals": [principal]}}]});
        let rules: Vec<Value> = principals.iter().map(rule).collect();
        json!({
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"action": action, "rules": rules},
        })
    };
    let policies = [
        policy("callers", "ALLOW", &["cluster.local/ns/web/sa/front", "cluster.local/ns/ops/sa/admin"]),
        policy("no-batch", "DENY", &["cluster.local/ns/jobs/sa/batch"]),
    ];
    json!({
        "schema": 1,
        "name": "cart",
        "listener": "inbound",
        "accessLogState": "always",
        "policy": {
            "workload": {"namespace": "shop", "labels": {"app": "cart"}, "proxy": "sidecar",
                "trustDomain": trust_domain, "trustDomainAliases": aliases},
            "policies": policies,
        },
        "telemetry": {"cardinality": {"newStatsPerTick": 1000}},
    })
}

/// The plugins with that document.
pub(crate) fn plugins(document: &Value) -> Outcome<Vec<Plugin>> {
    Ok(vec![Plugin {
        name: "suite".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("suite")?,
        configuration: document.to_string(),
    }])
}

/// An access log of JSON lines with these fields.
pub(crate) fn access_log(file: &Path, fields: &Value) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": {"json_format": fields},
        },
    })
}

/// The mesh.
#[derive(Debug)]
pub(crate) struct Mesh {
    pub(crate) proxy: Box<Proxy>,
    pub(crate) sidecar: Envoy,
    pub(crate) sidecar_address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    own: Secrets,
    callers: Secrets,
    /// The one before the current one, the current one, and the three after it.
    authorities: VecDeque<Authority>,
    /// Certificates of callers by the last authorities, the oldest first.
    issued: VecDeque<Credentials>,
    folder: tempfile::TempDir,
}

impl Mesh {
    /// Starts both sidecars.
    pub(crate) fn start(workers: u32) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("weir-rotation-").tempdir()?;
        let authorities: VecDeque<Authority> = (0..5).map(|_| Authority::new()).collect::<Result<_, _>>()?;
        let [before, current, next, after] = [0, 1, 2, 3].map(|place| &authorities[place]);
        let certificate = current.issue(&[WORKLOAD[0]])?;
        let own = Secrets::new(&folder.path().join("workload"), &certificate, &[before, current])?;
        let callers =
            Secrets::new(&folder.path().join("callers"), &current.issue(&[CALLERS[0].san])?, &[current, next])?;
        let logged = json!({
            "id": "%REQ(X-ID)%", "peer": "%DOWNSTREAM_PEER_URI_SAN%", "own": "%DOWNSTREAM_LOCAL_URI_SAN%",
            "status": "%RESPONSE_CODE%", "decision": "%FILTER_STATE(wasm.weir.policy:PLAIN)%",
        });
        let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
        let node = Node { metadata: metadata.as_object().cloned().unwrap_or_default(), ..Node::default() };
        let setup = Setup {
            plugins: plugins(&document("old.example", &["new.example"]))?,
            proxy: Listener { node, workers, direction: Direction::Inbound, ..Listener::default() },
            transport_socket: Some(own.of_server()),
            access_logs: vec![access_log(&folder.path().join("workload.log"), &logged)],
            discovery: Discovery::Filters,
            ..Setup::default()
        };
        let proxy = match Proxy::start(setup)? {
            Booted::Ready(proxy) => proxy,
            Booted::Refused(log) => return Err(log.into()),
        };
        let bootstrap = sidecar(proxy.address(), &callers, &folder.path().join("callers.log"));
        let sidecar = Launch::new(&envoy_binary()?)?.concurrency(2).start(&bootstrap.to_string())?;
        let listening = wait_until(PATIENCE, || sidecar.listeners().ok()?.get("callers").copied());
        let sidecar_address = listening.ok_or("the sidecar of callers has no listener")?;
        let credentials = Credentials::new(0, current, &[current, next, after])?;
        let shared = Arc::new(Shared::new(proxy.address(), credentials.clone()));
        shared.add_server(der(&certificate)?, WORKLOAD[0]);
        Ok(Self {
            proxy,
            sidecar,
            sidecar_address,
            shared,
            own,
            callers,
            authorities,
            issued: [credentials].into(),
            folder,
        })
    }

    /// A log of a sidecar, `workload` or `callers`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// Five rotations, by which the next authority takes the place of the current one: it is trusted, issues the workload's
    /// certificate and those of callers, and the one before is trusted no more. Returns the certificates of callers that are
    /// still good, and those that no longer are, once there are any.
    pub(crate) fn cycle(&mut self) -> Outcome<(Credentials, Option<Credentials>)> {
        let generation = self.issued.back().map_or(0, |last| last.generation) + 1;
        let [before, current, next, after, later] = [0, 1, 2, 3, 4].map(|place| &self.authorities[place]);
        let name = WORKLOAD[generation % WORKLOAD.len()];
        let own = next.issue(&[name])?;
        let caller = next.issue(&[CALLERS[generation % CALLERS.len()].san])?;
        let credentials = Credentials::new(generation, next, &[next, after, later])?;
        self.shared.add_server(der(&own)?, name);

        let ours = || of_workload(&self.proxy);
        let theirs = || of_callers(&self.sidecar);
        rotate(ours, || self.own.set_bundle(&[before, current, next]))?;
        rotate(ours, || self.own.set_certificate(&own))?;
        self.shared.set_credentials(credentials.clone());
        rotate(theirs, || self.callers.set_bundle(&[next, after]))?;
        rotate(theirs, || self.callers.set_certificate(&caller))?;
        rotate(ours, || self.own.set_bundle(&[current, next]))?;

        self.authorities.pop_front();
        self.authorities.push_back(Authority::new()?);
        self.issued.push_back(credentials);
        let retired = if self.issued.len() > 2 { self.issued.pop_front() } else { None };
        let good = self.issued.front().cloned().ok_or("no certificates from before")?;
        Ok((good, retired))
    }

    /// How many secrets both Envoys have taken.
    pub(crate) fn taken(&self) -> Outcome<u64> {
        Ok(of_workload(&self.proxy)? + of_callers(&self.sidecar)?)
    }

    /// Ends both.
    pub(crate) fn stop(mut self) -> Outcome {
        self.proxy.stop()?;
        match self.sidecar.exited()? {
            None => Ok(()),
            Some(status) => Err(format!("the sidecar of callers ended by itself: {status}").into()),
        }
    }
}

/// The counters of secrets that TLS contexts have taken.
const TAKEN: &str = "ssl_context_update_by_sds";

fn of_workload(proxy: &Proxy) -> Outcome<u64> {
    Ok(proxy.stats_like(TAKEN)?.values().sum())
}

fn of_callers(sidecar: &Envoy) -> Outcome<u64> {
    let stats: Value = serde_json::from_str(&sidecar.admin_get(&format!("/stats?format=json&filter={TAKEN}"))?)?;
    let stats = stats["stats"].as_array().into_iter().flatten();
    Ok(stats.filter_map(|stat| stat["value"].as_u64()).sum())
}

/// Replaces a secret, and waits until Envoy has taken it.
fn rotate(taken: impl Fn() -> Outcome<u64>, replace: impl FnOnce() -> io::Result<()>) -> Outcome {
    let before = taken()?;
    replace()?;
    wait_until(PATIENCE, || taken().ok().filter(|now| *now > before)).ok_or("envoy did not take a secret")?;
    Ok(())
}

/// The certificate that a handshake shows.
fn der(identity: &Identity) -> Outcome<Vec<u8>> {
    Ok(CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes())?.to_vec())
}

/// The sidecar of callers: plain text in, mutual TLS to the workload.
fn sidecar(workload: SocketAddr, secrets: &Secrets, log: &Path) -> Value {
    let address = |ip: &str, port: u16| json!({"socket_address": {"address": ip, "port_value": port}});
    let logged = json!({"id": "%REQ(X-ID)%", "own": "%UPSTREAM_LOCAL_URI_SAN%", "status": "%RESPONSE_CODE%"});
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"max_requests_per_connection": REQUESTS_PER_CONNECTION},
    });
    let endpoint = json!({"endpoint": {"address": address(&workload.ip().to_string(), workload.port())}});
    let cluster = json!({
        "name": "cart",
        "connect_timeout": "20s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "transport_socket": secrets.of_client(),
        "load_assignment": {"cluster_name": "cart", "endpoints": [{"lb_endpoints": [endpoint]}]},
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "route_config": {"virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "cart"}}]},
        ]},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }],
        "access_log": [access_log(log, &logged)],
    });
    let filter = json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager});
    let listener =
        json!({"name": "callers", "address": address("127.0.0.1", 0), "filter_chains": [{"filters": [filter]}]});
    json!({
        "node": {"id": "callers", "cluster": "callers"},
        "admin": {"address": address("127.0.0.1", 0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    })
}
