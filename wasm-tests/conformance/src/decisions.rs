//! `istio-authz-decisions.yaml`: requests to a workload with policies, and Istio's decision on each.
//!
//! A connection comes from and goes to the row's addresses, which a PROXY protocol header names. The direct peer's address
//! would still be this machine's, so filter state that a request header fills says it. Claims come in a signed JWT, which
//! Envoy's own filter checks.

use crate::batch::{Ask, Batch, Row};
use crate::json::{connection, decided, exchange, field, headers, rows, scenario, text};
use serde_json::{Value, json};
use std::net::IpAddr;
use weir_scenario::{
    Client, Exchange, Expect, FilterStateValue, Module, Protocol, Proxy, Request, Status, TcpServer, Tls,
};

const FILE: &str = "istio-authz-decisions.yaml";
const DIRECT: &str = "direct";
const DIRECT_HEADER: &str = "x-direct-address";

pub(crate) fn batches() -> Vec<Batch> {
    let table: Option<Value> = weir_testing::read(FILE);
    let groups = table.iter().flat_map(|table| rows(table, "groups"));
    groups.flat_map(|group| [batch(group, false), batch(group, true)]).filter(|batch| !batch.rows.is_empty()).collect()
}

/// The rows of a group that are requests, or those that are connections: a proxy takes either.
fn batch(group: &Value, is_tcp: bool) -> Batch {
    let requests = || rows(group, "requests").iter().filter(|row| (text(row, "proto") == "tcp") == is_tcp);
    let mut workload = json!({
        "namespace": field(field(group, "workload"), "namespace"),
        "labels": field(field(group, "workload"), "labels"),
        "proxy": "sidecar",
        "directAddress": {"filterState": DIRECT},
    });
    let root = field(group, "root_namespace");
    if let (Some(fields), true) = (workload.as_object_mut(), root.is_string()) {
        fields.insert("rootNamespace".to_owned(), root.clone());
    }
    let document =
        json!({"schema": 1, "name": "conformance", "workload": workload, "policies": field(group, "policies")});
    // Where rows say which address Envoy derives, it is a gateway with `numTrustedProxies: 1`.
    let gateway = requests().any(|row| field(row, "remote_ip").is_string());
    let has_jwt = requests().any(|row| field(row, "jwt_claims").is_object());
    let direct = match is_tcp {
        true => FilterStateValue::DirectAddress,
        false => FilterStateValue::Header(DIRECT_HEADER.to_owned()),
    };
    let proxy = Proxy {
        jwt_authn: has_jwt,
        tls: Tls::Permissive("spiffe://cluster.local/ns/shop/sa/conformance".to_owned()),
        proxy_protocol: true,
        use_remote_address: gateway,
        xff_trusted_hops: u32::from(gateway),
        filter_state: [(DIRECT.to_owned(), direct)].into(),
        tcp: is_tcp.then_some(TcpServer::Echo),
        ..Proxy::default()
    };
    let own = text(field(group, "workload"), "ip").to_owned();
    let row = |row: &Value| Row {
        name: format!("{} {row}", text(group, "id")),
        config: Value::Null,
        ask: request_of(row, &own).map_or_else(Ask::Skip, |exchange| Ask::Answer(vec![exchange])),
    };
    Batch {
        part: FILE.to_owned(),
        rows: requests().map(row).collect(),
        parts: false,
        build: Box::new(move |_| {
            let mut made = scenario(Module::Policy, document.clone(), proxy.clone());
            if is_tcp {
                made.filters.iter_mut().for_each(|filter| filter.root_id = "weir.tcp".to_owned());
            }
            made
        }),
    }
}

/// The row's request; the error is why it cannot be sent.
fn request_of(row: &Value, own: &str) -> Result<Exchange, String> {
    let protocol = match text(row, "proto") {
        "http" => Protocol::H1,
        "http2" | "grpc" => Protocol::H2,
        "tcp" => Protocol::Tcp,
        other => return Err(format!("protocol `{other}`")),
    };
    let grpc = text(row, "proto") == "grpc";
    let source = field(row, "src");
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| format!("`{text}` is not an IP address"));
    let (from, own) = (address(text(source, "ip"))?, address(own)?);
    if from.is_ipv4() != own.is_ipv4() {
        return Err("no connection is between two families of addresses".to_owned());
    }
    let port = field(row, "dst_port").as_u64().and_then(|port| u16::try_from(port).ok()).ok_or("no `dst_port`")?;
    let client = match (field(source, "mtls") == true, text(source, "principal")) {
        (false, _) => Client::Plain,
        (true, "") => Client::Identities(Vec::new()),
        (true, principal) => Client::Identity(format!("spiffe://{principal}")),
    };
    let mut headers = headers(row);
    headers.0.push((DIRECT_HEADER.into(), text(source, "ip").into()));
    if grpc {
        headers.0.push(("content-type".into(), "application/grpc".into()));
    }
    let allow = match text(row, "expect") {
        "allow" => true,
        "deny" => false,
        other => return Err(format!("expectation `{other}`")),
    };
    let sni = if client == Client::Plain { String::new() } else { text(row, "sni").to_owned() };
    let addresses = Some(connection(from, Some((own, port))));
    if protocol == Protocol::Tcp {
        let request = Request { protocol, raw: "hello".into(), sni, client, addresses, ..Request::default() };
        let expect = Expect { broken: Some(!allow), upstream_saw: Some(allow), ..Expect::default() };
        return Ok(exchange(request, expect));
    }
    let request = Request {
        protocol,
        method: text(row, "method").to_owned(),
        path: text(row, "path").into(),
        authority: text(row, "host").into(),
        headers,
        sni,
        client,
        addresses,
        jwt: field(row, "jwt_claims").as_object().cloned(),
        ..Request::default()
    };
    let mut expect = decided(allow);
    if grpc && !allow {
        expect.status = Some(Status::One(200));
        expect.grpc_status = Some(7);
    }
    Ok(exchange(request, expect))
}
