//! Rows as JSON, and what all kinds of case files need for them.

use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use weir_scenario::{
    Addresses, Exchange, Expect, Fields, FilterSpec, Module, Proxy, Request, Scenario, Status, Surroundings, WorldSkips,
};

/// The header by which a rule or a limit knows its row.
pub(crate) const ROW: &str = "x-row";

/// The rows of a section; none where the table lacks it.
pub(crate) fn rows<'v>(table: &'v Value, section: &str) -> &'v [Value] {
    table.get(section).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A field as text; empty where it is absent or no text.
pub(crate) fn text<'v>(row: &'v Value, field: &str) -> &'v str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A field that may be absent.
pub(crate) fn field<'v>(row: &'v Value, name: &str) -> &'v Value {
    row.get(name).unwrap_or(&Value::Null)
}

/// A row's headers, which are a map.
pub(crate) fn headers(row: &Value) -> Fields {
    let none = Map::new();
    let all = field(row, "headers").as_object().unwrap_or(&none).iter();
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    Fields(all.map(|(name, of)| (name.as_str().into(), value(of).as_str().into())).collect())
}

/// A request that a rule or a limit knows by its number.
pub(crate) fn numbered(number: usize) -> Request {
    let header = (ROW.into(), number.to_string().as_str().into());
    Request { headers: Fields(vec![header]), ..Request::default() }
}

/// A connection from one address to another; the port of the source is made up.
pub(crate) fn connection(from: IpAddr, to: Option<(IpAddr, u16)>) -> Addresses {
    let (own, port) = to.unwrap_or(match from {
        IpAddr::V4(_) => (Ipv4Addr::new(10, 0, 0, 2).into(), 80),
        IpAddr::V6(_) => (Ipv6Addr::LOCALHOST.into(), 80),
    });
    Addresses { source: SocketAddr::new(from, 40_000), destination: SocketAddr::new(own, port) }
}

/// One request, once.
pub(crate) fn exchange(request: Request, expect: Expect) -> Exchange {
    Exchange { request, repeat: 1, expect }
}

/// That the request passed, or was refused by a policy.
pub(crate) fn decided(allow: bool) -> Expect {
    let status = Some(Status::One(if allow { 200 } else { 403 }));
    Expect { status, upstream_saw: Some(allow), ..Expect::default() }
}

/// One `AuthorizationPolicy` with these rules, which allow, in a document.
pub(crate) fn allowing(workload: &Value, rules: Vec<Value>) -> Value {
    let policy = json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "rows", "namespace": "shop"},
        "spec": {"action": "ALLOW", "rules": rules},
    });
    json!({"schema": 1, "name": "conformance", "workload": workload, "policies": [policy]})
}

/// The condition of a rule that is for one row.
pub(crate) fn for_row(number: usize) -> Value {
    json!([{"key": format!("request.headers[{ROW}]"), "values": [number.to_string()]}])
}

/// A proxy with one module, in a scenario without steps.
pub(crate) fn scenario(module: Module, config: Value, proxy: Proxy) -> Scenario {
    Scenario {
        name: "conformance".to_owned(),
        description: String::new(),
        worlds: WorldSkips::default(),
        filters: vec![FilterSpec { module, config, root_id: String::new(), vm_config: String::new() }],
        proxy,
        world: Surroundings::default(),
        start: weir_scenario::Outcome::Accepted,
        window: None,
        steps: Vec::new(),
    }
}
