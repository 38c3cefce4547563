use super::super::log::read;
use super::*;
use weir_testing::Rows;

/// A record with these fields besides those that every one has.
fn record(fields: &str) -> String {
    format!(r#"{{"schema":1,"id":"a-1-7","sequence":7,"plugin":"cart","decision":"deny","mode":"enforced"{fields}}}"#)
}

/// What is known of a request: each field with its value, `-` where the request has none.
fn shown(line: &str) -> String {
    let request = match read(line) {
        Ok(request) => request,
        Err(problem) => return problem,
    };
    let text = |name: &str, field: RequestField, value: Option<String>| {
        request.knows(&field).then(|| format!("{name}={}", value.unwrap_or_else(|| "-".to_owned())))
    };
    let header = |name: &str| {
        let values = request.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let values: Vec<&str> = values.collect();
        (!values.is_empty()).then(|| values.join("+"))
    };
    let shown = [
        text("method", RequestField::Method, request.method.clone()),
        text("path", RequestField::Path, request.path.clone()),
        text("host", RequestField::Host, request.host.clone()),
        text("sni", RequestField::ServerName, request.sni.clone()),
        text("principal", RequestField::Principal, request.principal.clone()),
        text("source", RequestField::RemoteAddress, request.source_ip.map(|ip| ip.to_string())),
        text("direct", RequestField::DirectAddress, request.direct_ip.map(|ip| ip.to_string())),
        text("destination", RequestField::DestinationAddress, request.destination_ip.map(|ip| ip.to_string())),
        text("port", RequestField::DestinationPort, request.port.map(|port| port.to_string())),
        text("x-a", RequestField::Header("x-a".into()), header("x-a")),
        text("claims", RequestField::Claims, None),
    ];
    shown.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_record_lacks_is_absent_or_unknown() {
    const NONE: &str = "method=- path=- host=- sni=- principal=-";
    let mut rows = Rows::default();
    for (fields, expected) in [
        ("", NONE.to_owned()),
        (
            r#","method":"GET","path":"/a","host":"h","sni":"s","principal":"spiffe://td/ns/a/sa/b","source":"10.0.0.1:5","direct":"10.0.0.2:6","destination":"[::1]:80","jwt":false"#,
            "method=GET path=/a host=h sni=s principal=spiffe://td/ns/a/sa/b source=10.0.0.1 direct=10.0.0.2 destination=::1 port=80 claims=-".to_owned(),
        ),
        (r#","jwt":true,"request_principal":"i/s","claims":{"sub":"s"}"#, NONE.to_owned()),
        (r#","headers":{"x-a":"1"}"#, format!("{NONE} x-a=1")),
        (r#","headers":{"x-a":["1","2"]}"#, format!("{NONE} x-a=1+2")),
        // More than a record has, masked, and not what was sent.
        (r#","headers":{"x-a":["1","2","3","4"]}"#, NONE.to_owned()),
        (r#","headers":{"x-a":"***"}"#, NONE.to_owned()),
        (r#","headers":{"x-a":"1"},"escaped":["headers.x-a"]"#, NONE.to_owned()),
        (r#","path":"/a","truncated":["path"]"#, "method=- host=- sni=- principal=-".to_owned()),
        (r#","source":"nowhere""#, "$.source: `nowhere` is not an address with its port".to_owned()),
        (r#","destination":"envoy://internal""#, NONE.to_owned()),
    ] {
        rows.check(fields, shown(&record(fields)), expected);
    }
}

#[test]
fn a_record_is_found_in_a_line_of_the_log() {
    let record = record(r#","policy":"shop/no-a","rule":2,"method":"PUT""#);
    let mut rows = Rows::default();
    for (line, method) in [
        (record.clone(), Some("PUT")),
        (
            format!("[2026-11-27 10:00:00.123][15][info][wasm] [source/x.cc:1] wasm log policy: weir audit: {record}"),
            Some("PUT"),
        ),
        (
            format!("[pod/cart-1/istio-proxy] 2026-11-27T10:00:00Z info envoy wasm weir audit: {record}\tthread=1"),
            Some("PUT"),
        ),
        // A client wrote this into its user agent.
        (format!(r#"[2026-11-27T10:00:00.123Z] "GET / HTTP/1.1" 200 - via - - "weir audit: {record}""#), None),
    ] {
        let request = read(&line).ok();
        rows.check(&line, request.as_ref().and_then(|request| request.method.as_deref()), method);
        rows.check(
            format!("{line}: recorded"),
            request.and_then(|request| request.recorded).as_deref(),
            method.map(|_| "deny shop/no-a[2]"),
        );
    }
}
