use super::{is_text, read};
use crate::explain::request::{Protocol, Request};
use weir_policy::{Knowledge, RequestField};
use weir_testing::Rows;

/// A line of the text format with this request, agent, addresses and cluster.
fn line(request: &str, agent: &str, cluster: &str, local: &str, remote: &str, sni: &str) -> String {
    format!(
        "[2026-11-27T10:00:00.123Z] \"{request}\" 403 - rbac_access_denied_matched_policy[none] - \"-\" 0 19 1 - \
         \"192.0.2.7,10.1.2.3\" \"{agent}\" \"c0-ffee\" \"cart.shop:8080\" \"-\" {cluster} - {local} {remote} {sni} default"
    )
}

const INBOUND: &str = "inbound|8080||";

/// What a policy looks at, and what the line has of it: `?` if it lacks it.
fn shown(request: &Request) -> String {
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let explainer = weir_policy::Explainer::compile(
        br#"{"schema":1,"name":"t","workload":{"directAddress":{"filterState":"d"}}}"#,
        &weir_model::Node::default(),
    );
    let facts = request.facts(&explainer.unwrap());
    let of = |field: &RequestField, value: Option<String>| match facts.knowledge(field) {
        Knowledge::Nothing => "?".to_owned(),
        // In text a `-` stands for nothing, or for itself.
        Knowledge::AtMost => format!("{}?", text(value)),
        Knowledge::AtLeast | Knowledge::Whole => text(value),
    };
    let address = |address: Option<std::net::IpAddr>| address.map(|address| address.to_string());
    [
        of(&RequestField::Method, request.method.clone()),
        of(&RequestField::Path, request.path.clone()),
        of(&RequestField::Host, request.host.clone()),
        of(&RequestField::Header("x-forwarded-for".into()), header("x-forwarded-for")),
        of(&RequestField::Header("user-agent".into()), header("user-agent")),
        of(&RequestField::Header("x-user".into()), header("x-user")),
        of(&RequestField::RemoteAddress, address(request.source_ip)),
        of(&RequestField::DirectAddress, address(request.direct_ip)),
        of(&RequestField::DestinationAddress, address(request.destination_ip)),
        of(&RequestField::DestinationPort, request.port.map(|port| port.to_string())),
        of(&RequestField::ServerName, request.sni.clone()),
        of(&RequestField::Principal, request.principal.clone()),
        of(&RequestField::Claims, None),
    ]
    .join(" ")
}

#[test]
fn a_line_says_what_it_has_and_the_rest_is_unknown() {
    let mut rows = Rows::default();
    let json = |fields: &str| format!(r#"{{"start_time":"2026-11-27T10:00:00.123Z",{fields}}}"#);
    for (line, expected) in [
        (
            line("GET /a?b HTTP/1.1", "curl/8", INBOUND, "10.244.1.20:8080", "192.0.2.7:0", "-"),
            "GET /a?b cart.shop:8080 192.0.2.7,10.1.2.3 curl/8 ? 192.0.2.7 ? 10.244.1.20 8080 -? ? ?",
        ),
        (
            line("GET / HTTP/2", "a \"b", INBOUND, "[fd00::1]:80", "[fd00::2]:9", "outbound_.80_._.cart"),
            "GET / cart.shop:8080 192.0.2.7,10.1.2.3 a \"b ? fd00::2 ? fd00::1 80 ? ? ?",
        ),
        (
            line("GET / HTTP/2", "-", INBOUND, "envoy://inbound/10.1.2.3:80", "10.1.2.3:9", "-"),
            "GET / cart.shop:8080 192.0.2.7,10.1.2.3 -? ? 10.1.2.3 ? ? ? -? ? ?",
        ),
        (
            json(
                r#""method":"POST","path":"/","authority":"h","user_agent":null,"response_code":200,
                   "downstream_local_address":"10.1.1.1:80","downstream_remote_address":"10.1.1.2:9""#,
            ),
            "POST / h ? - ? 10.1.1.2 ? 10.1.1.1 80 ? ? ?",
        ),
        (
            json(
                r#""method":"POST","downstream_peer_uri_san":"spiffe://td/ns/a/sa/b",
                   "downstream_direct_remote_address":"10.1.1.3:9""#,
            ),
            "POST ? ? ? ? ? ? 10.1.1.3 ? ? ? spiffe://td/ns/a/sa/b ?",
        ),
        // Without a certificate the peer may be in filter state, of which the line says nothing.
        (json(r#""method":"GET","downstream_peer_uri_san":"-""#), "GET ? ? ? ? ? ? ? ? ? ? ? ?"),
        (
            json(
                r#""method":"GET","downstream_peer_uri_san":null,"peer_principal":null,"downstream_tls_version":null"#,
            ),
            "GET ? ? ? ? ? ? ? ? ? ? - ?",
        ),
    ] {
        let found = read(&line).map(|request| shown(&request));
        rows.check(&line, found.as_deref(), Ok::<&str, &String>(expected).map_err(|_| &line));
    }
    let prefixed = format!("[pod/cart-1/istio-proxy] {}", line("GET / HTTP/2", "-", "outbound|80||x", "-", "-", "-"));
    let request = read(&prefixed).unwrap();
    assert_eq!(request.recorded.as_deref(), Some("403 rbac_access_denied_matched_policy[none]"));
    assert!(request.is_outbound && prefixed.split_once("] ").is_some_and(|(_, line)| is_text(line)) && !is_text("[a]"));
}

#[test]
fn what_is_no_such_line_is_refused() {
    let mut rows = Rows::default();
    let whole = line("GET / HTTP/1.1", "curl", INBOUND, "10.1.1.1:80", "10.1.1.2:9", "-");
    for (line, expected) in [
        (String::new(), "it has no time"),
        ("[2026-11-27T10:00:00.123Z] GET /".to_owned(), "not a line of the format that Istio has by default"),
        (whole.replace(" default", ""), "not a line of the format"),
        // What a client sends adds fields, and never takes the place of others.
        (line("GET / HTTP/1.1", "a\" \"b", INBOUND, "10.1.1.1:80", "10.1.1.2:9", "-"), "it can be read in two ways"),
        (line("GET /\" 200 HTTP/1.1", "a", INBOUND, "10.1.1.1:80", "10.1.1.2:9", "-"), "it can be read in two ways"),
        (whole.replace("10.1.1.2:9", "nowhere"), "`downstream_remote_address`: `nowhere` is not an address"),
        (r#"{"method":"GET"}"#.to_owned(), "not a line of an access log"),
        (r#"{"start_time":"#.to_owned(), "not JSON"),
    ] {
        rows.contains(&line, &read(&line).err().unwrap_or_default(), expected);
    }
}

#[test]
fn a_line_without_a_method_is_of_a_connection() {
    let mut rows = Rows::default();
    let json = r#"{"start_time":"x","method":null,"downstream_local_address":"10.1.1.1:6379"}"#;
    for (line, protocol, expected) in [
        (line("- - -", "-", INBOUND, "10.1.1.1:80", "10.1.1.2:9", "-"), Protocol::Tcp, Some(80)),
        (json.to_owned(), Protocol::Tcp, Some(6379)),
        (line("GET / HTTP/2", "-", INBOUND, "10.1.1.1:80", "10.1.1.2:9", "-"), Protocol::Http, Some(80)),
    ] {
        let request = read(&line).unwrap();
        rows.check(&line, (request.protocol, request.port), (protocol, expected));
        rows.check(&line, request.of_requests_alone(), None);
    }
}
