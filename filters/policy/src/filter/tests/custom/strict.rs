//! What no answer of a provider gets a request past: the other policies, a refusal, what cannot be sent.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::TcpFilter as _;

const EVERYTHING: Object<'_> = ("ask", "", r#"{"action":"CUSTOM","provider":{"name":"p"},"rules":[{}]}"#);

/// What is tried, a policy besides, the request, the provider's answer, and what comes of it.
type Case<'c> = (&'c str, Object<'c>, &'c [(&'c str, &'c str)], Vec<u8>, String);

/// What comes of a request, and of a provider's gRPC answer to it.
fn outcome(provider: &str, extra: &str, objects: &[Object<'_>], headers: &[(&str, &str)], message: &[u8]) -> String {
    let mut world = World::new(asks(provider, extra, objects));
    let mut flight = world.request(headers);
    if flight.callout.is_some() {
        world.answer(&mut flight, Answer::Grpc { message }, Duration::ZERO);
    }
    assert_eq!(world.policy.custom.as_ref().map_or((0, 0), |custom| custom.held()), (0, 0));
    status_of(&flight.verdict)
}

fn ok(response: OkResponse) -> Vec<u8> {
    let (status, ok) = (Some(RpcStatus { code: 0 }), Some(response));
    weir_proto::encode(&CheckResponse { status, ok, ..CheckResponse::default() })
}

#[test]
fn policies_decide_on_what_the_upstream_gets() {
    let deny = |to: &str| format!(r#"{{"action":"DENY","rules":[{{"to":[{{"operation":{to}}}]}}]}}"#);
    let (on_host, on_path) = (deny(r#"{"hosts":["admin.internal"]}"#), deny(r#"{"paths":["/secret"]}"#));
    let eve = [(":method", "GET"), (":path", "/secret"), (":authority", "a"), ("x-user", "eve")];
    let connect = [(":method", "CONNECT"), (":authority", "a:443")];
    let refused = |name: &str| format!("403 rbac_access_denied_matched_policy[ns[shop]-policy[{name}]-rule[0]]");
    let query =
        |key: &str, value: &str| ok(OkResponse { query_to_set: vec![pair(key, value)], ..OkResponse::default() });
    let metadata = |is_older: bool| {
        let value = Some(weir_proto::Value { kind: Some(weir_proto::value::Kind::Text("high".to_owned())) });
        let fields = vec![weir_proto::Field { key: "risk".to_owned(), value }];
        let fields = Some(weir_proto::StructMessage { fields });
        let (older, newer) = if is_older { (fields, None) } else { (None, fields) };
        let ok = Some(OkResponse { dynamic_metadata: older, ..OkResponse::default() });
        let status = Some(RpcStatus { code: 0 });
        weir_proto::encode(&CheckResponse { status, ok, dynamic_metadata: newer, ..CheckResponse::default() })
    };
    let risk = |action: &str, values: &str| {
        let key = "experimental.envoy.filters.http.ext_authz[risk]";
        format!(r#"{{"action":"{action}","rules":[{{"when":[{{"key":"{key}","{values}":["high"]}}]}}]}}"#)
    };
    let (risky, sure) = (risk("DENY", "values"), risk("DENY", "notValues"));
    let closed = "500 ext_authz_invalid".to_owned();
    let mut rows = Rows::default();
    let cases: [Case<'_>; 13] = [
        ("the host", ("h", "", &on_host), &A, allowed(vec![option("Host", "admin.internal")]), refused("h")),
        ("the authority", ("h", "", &on_host), &A, allowed(vec![option(":authority", "admin.internal")]), refused("h")),
        ("another host", ("h", "", &on_host), &A, allowed(vec![option("host", "b")]), "continue".to_owned()),
        ("a value with a line break", DENY_USER, &eve, allowed(vec![option("x-user", "ann\n")]), closed.clone()),
        ("a value with a NUL", DENY_USER, &eve, allowed(vec![option("x-user", "ann\0")]), closed.clone()),
        ("a path", ("p", "", &on_path), &eve, allowed(vec![option(":path", "/public\n")]), closed.clone()),
        ("a query's value", ("p", "", &on_path), &eve, query("a", "b\r"), closed.clone()),
        ("a query's name", ("p", "", &on_path), &eve, query("a\n", "b"), closed),
        ("a query of nothing", ("p", "", &on_path), &connect, query("a", "b"), "continue".to_owned()),
        ("metadata", ("m", "", &risky), &A, metadata(false), refused("m")),
        ("the older metadata", ("m", "", &risky), &A, metadata(true), refused("m")),
        ("metadata that is not there", ("m", "", &risky), &A, allowed(Vec::new()), "continue".to_owned()),
        ("metadata that must be there", ("m", "", &sure), &A, allowed(Vec::new()), refused("m")),
    ];
    for (title, object, headers, message, expected) in cases {
        rows.check(title, outcome(GRPC, "", &[EVERYTHING, object], headers, &message), expected.clone());
        rows.check(format!("{title}, failOpen"), outcome(OPEN, "", &[EVERYTHING, object], headers, &message), expected);
    }
}

#[test]
fn a_refusal_is_one_whatever_its_status() {
    let mut rows = Rows::default();
    for code in [100, 199, 1000, 70_000, -1, 0, 403] {
        let message = denied(code);
        rows.check(
            format!("gRPC {code}"),
            outcome(OPEN, "", &[CUSTOM], &A, &message),
            "403 ext_authz_denied".to_owned(),
        );
    }
    let open = HTTP.replace(r#""statusOnError":"503""#, r#""failOpen":true"#);
    for (status, is_large, expected) in [
        ("600", false, "600 ext_authz_denied"),
        ("101", false, "403 ext_authz_denied"),
        ("302", true, "302 ext_authz_denied"),
        ("200", true, "continue"),
        ("500", true, "continue"),
        ("none", true, "continue"),
    ] {
        let mut world = World::new(asks(&open, "", &[CUSTOM]));
        let mut flight = world.request(&A);
        let block = PairsBuilder::default().push(b":status", status.as_bytes()).finish();
        let headers = Headers::new(&block);
        let answer =
            if is_large { Answer::TooLarge { bytes: 2 << 20, headers } } else { Answer::Http { headers, body: b"no" } };
        world.answer(&mut flight, answer, Duration::ZERO);
        rows.check(format!("HTTP {status} {is_large}"), status_of(&flight.verdict), expected.to_owned());
    }
}

/// Envoy answers a check with 200 that looks like a gRPC call and got no answer; a client can make it look so.
#[test]
fn what_envoy_answers_in_the_place_of_a_provider_allows_nothing() {
    let mut rows = Rows::default();
    for (pairs, millis, expected) in [
        (&[(":status", "200"), ("grpc-status", "14"), ("grpc-message", "no healthy upstream")][..], 0, "unavailable"),
        (&[(":status", "200"), ("grpc-status", "14"), ("grpc-message", "upstream request timeout")], 0, "timeout"),
        (&[(":status", "200"), ("grpc-status", "14")], 1000, "timeout"),
        (&[(":status", "200"), ("grpc-status", "2")], 0, "error"),
        (&[(":status", "503"), ("content-length", "91"), ("content-type", "text/plain")], 0, "unavailable"),
        (&[(":status", "504"), ("content-length", "24"), ("content-type", "text/plain")], 1000, "timeout"),
        (&[(":status", "504"), ("content-length", "24"), ("content-type", "text/plain")], 0, "error"),
        (&[(":status", "503"), ("server", "a"), ("date", "b"), ("x", "c")], 0, "error"),
    ] {
        let mut world = World::new(asks(HTTP, "", &[CUSTOM]));
        let mut flight = world.request(&A);
        let mut block = PairsBuilder::default();
        for (name, value) in pairs {
            block.push(name.as_bytes(), value.as_bytes());
        }
        let block = block.finish();
        let answer = Answer::Http { headers: Headers::new(&block), body: b"" };
        world.answer(&mut flight, answer, Duration::from_millis(millis));
        rows.check(format!("{pairs:?}"), status_of(&flight.verdict), "503 ext_authz_error".to_owned());
        rows.check(format!("{pairs:?}"), world.counted()[0].clone(), format!("call {expected}"));
    }
    let mut block = PairsBuilder::default();
    let block = block.push(b":status", b"200").push(b"grpc-status", b"0").finish();
    let mut world = World::new(asks(HTTP, "", &[CUSTOM]));
    let mut flight = world.request(&A);
    world.answer(&mut flight, Answer::Http { headers: Headers::new(&block), body: b"" }, Duration::ZERO);
    assert_eq!(status_of(&flight.verdict), "continue");
}

#[test]
fn what_is_damaged_of_a_custom_policy_refuses() {
    let eve = [(":method", "GET"), (":path", "/b"), (":authority", "a"), ("x-user", "eve")];
    let removes = ok(OkResponse { headers_to_remove: vec!["x-user".to_owned()], ..OkResponse::default() });
    let dry_run = r#","annotations":{"istio.io/dry-run":"true"}"#;
    let damaged = r#"{"action":"CUSTOM","provider":{"name":"p"},"rules":[{"to":[{"operation":{"paths":7}}]}]}"#;
    let mut rows = Rows::default();
    for (title, annotations, spec, expected) in [
        ("sound", "", EVERYTHING.2, "continue"),
        ("under dry run", dry_run, EVERYTHING.2, "403 rbac_access_denied_matched_policy[ns[shop]-policy[ask]-rule[0]]"),
        (
            "under dry run, and without a provider",
            dry_run,
            r#"{"action":"CUSTOM","rules":[{}]}"#,
            "403 rbac_access_denied_matched_policy[ns[shop]-policy[ask]-rule[0]]",
        ),
        ("a damaged rule", "", damaged, "403 rbac_access_denied_matched_policy[ns[shop]-policy[ask]-rule[0]]"),
    ] {
        let objects = [("ask", annotations, spec), DENY_USER];
        rows.check(title, outcome(GRPC, r#","onInvalid":"quarantine""#, &objects, &eve, &removes), expected.to_owned());
    }
}

#[test]
fn a_client_that_leaves_ends_its_check() {
    let mut world = World::new(asks(GRPC, "", &[CUSTOM]));
    let mut flight = world.request(&A);
    let (id, _) = flight.callout.clone().unwrap();
    world.io(None, |policy, io| policy.gone(&mut flight.stream, io));
    assert_eq!(world.effects.cancelled, [id]);
    assert_eq!(world.policy.custom.as_ref().unwrap().held(), (0, 0));
}

#[test]
fn what_cannot_be_sent_is_refused_in_the_document() {
    let mut rows = Rows::default();
    for (field, at) in [
        (r#""includeAdditionalHeadersInCheck":{"x-a":"b\nc%REQ(x)%"}"#, "includeAdditionalHeadersInCheck"),
        (r#""includeAdditionalHeadersInCheck":{"x-a":"%REQ(x)%\r"}"#, "includeAdditionalHeadersInCheck"),
        (r#""statusOnError":"102""#, "statusOnError"),
    ] {
        let http = format!(r#"{{"cluster":"c","envoyExtAuthzHttp":{{"service":"c.svc","port":9000,{field}}}}}"#);
        let refused = policy(&format!(r#","providers":{{"p":{http}}}"#), &[CUSTOM]).unwrap_err();
        rows.check(field, refused.contains(at), true);
    }
}

/// Nothing answers for connections where the filter of connections would refuse the document.
#[test]
fn connections_are_explained_only_if_they_are_decided() {
    let mut rows = Rows::default();
    let objects = format!(
        r#""providers":{{"p":{GRPC}}},"policies":[{{"kind":"AuthorizationPolicy","metadata":{{"name":"ask","namespace":"shop"}},"spec":{}}}]"#,
        CUSTOM.2
    );
    for fields in [objects.as_str(), r#""mode":"observe","policies":[]"#, r#""policies":[]"#] {
        let document = format!(r#"{{"schema":1,"name":"t",{fields}}}"#);
        let explained = crate::Explainer::compile_for(crate::Protocol::Tcp, document.as_bytes(), &node()).is_ok();
        rows.check(fields, explained, crate::TcpPolicy::compile(document.as_bytes(), &node()).is_ok());
    }
}
