//! CUSTOM policies: the provider they ask, what the other policies then see, and what each way to fail comes to.

mod cel;
mod strict;
mod world;

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{CallFailure, Callout, CelError, CelValue, Expressions, HeaderEdit};
use weir_proto::ext_authz::{
    CheckRequest, CheckResponse, DeniedResponse, HeaderOption, HttpStatus, NameValue, OkResponse, RpcStatus,
};
use world::{Flight, Peers, World};

const GRPC: &str = r#"{"envoyExtAuthzGrpc":{"service":"auth/check.auth.svc","port":9000,"timeout":"0.5s"}}"#;
const OPEN: &str = r#"{"envoyExtAuthzGrpc":{"service":"check.auth.svc","port":9000,"timeout":"0.5s","failOpen":true}}"#;
const HTTP: &str = r#"{"cluster":"check","envoyExtAuthzHttp":{"service":"check.auth.svc","port":9000,"timeout":"1s","statusOnError":"503",
    "pathPrefix":"/check","includeRequestHeadersInCheck":["X-Ask*"],"includeAdditionalHeadersInCheck":{"X-Via":"%REQ(:SCHEME)%-%%"},
    "headersToUpstreamOnAllow":["x-user"],"headersToDownstreamOnDeny":["x-why"],"headersToDownstreamOnAllow":["set-cookie"]}}"#;

const CUSTOM: Object<'_> =
    ("ask", "", r#"{"action":"CUSTOM","provider":{"name":"p"},"rules":[{"to":[{"operation":{"paths":["/a"]}}]}]}"#);
const DENY_USER: Object<'_> =
    ("no-eve", "", r#"{"action":"DENY","rules":[{"when":[{"key":"request.headers[x-user]","values":["eve"]}]}]}"#);
const ALLOW_USER: Object<'_> =
    ("ann", "", r#"{"rules":[{"when":[{"key":"request.headers[x-user]","values":["ann*"]}]}]}"#);

fn asks(provider: &str, extra: &str, objects: &[Object<'_>]) -> Policy {
    policy(&format!(r#","providers":{{"p":{provider}}}{extra}"#), objects).unwrap()
}

fn status_of(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Continue => "continue".to_owned(),
        Verdict::Await(_) => "await".to_owned(),
        Verdict::Reply(reply) => format!("{} {}", reply.status, reply.details),
    }
}

fn option(name: &str, value: &str) -> HeaderOption {
    HeaderOption { header: Some(pair(name, value)), append: None, append_action: 2 }
}

fn pair(name: &str, value: &str) -> NameValue {
    NameValue { key: name.to_owned(), value: value.to_owned() }
}

fn allowed(headers: Vec<HeaderOption>) -> Vec<u8> {
    let ok = Some(OkResponse { headers, ..OkResponse::default() });
    weir_proto::encode(&CheckResponse { status: Some(RpcStatus { code: 0 }), ok, ..CheckResponse::default() })
}

fn denied(status: i32) -> Vec<u8> {
    let denied = Some(DeniedResponse {
        status: Some(HttpStatus { code: status }),
        headers: vec![option("X-Why", "because"), option(":status", "200")],
        body: "no".to_owned(),
    });
    weir_proto::encode(&CheckResponse { status: Some(RpcStatus { code: 7 }), denied, ..CheckResponse::default() })
}

const A: [(&str, &str); 6] = [
    (":method", "GET"),
    (":path", "/a?x=1"),
    (":authority", "a.example"),
    (":scheme", "https"),
    ("x-user", "eve"),
    ("x-request-id", "r1"),
];

#[test]
fn the_other_policies_see_the_provider_s_edits() {
    let mut rows = Rows::default();
    let objects = [CUSTOM, DENY_USER, ALLOW_USER];
    for (user, expected, counted) in [
        (
            None,
            "403 rbac_access_denied_matched_policy[ns[shop]-policy[no-eve]-rule[0]]",
            "deny enforced matched shop/no-eve",
        ),
        (Some("ann"), "continue", "allow enforced matched shop/ann"),
        (Some("bob"), "403 rbac_access_denied_matched_policy[none]", "deny enforced no_match -"),
    ] {
        let mut world = World::new(asks(GRPC, "", &objects));
        let mut flight = world.request(&A);
        assert_eq!((status_of(&flight.verdict).as_str(), world.counted().len()), ("await", 0));
        let edit = user.map(|user| option("X-User", user));
        world.answer(&mut flight, Answer::Grpc { message: &allowed(edit.into_iter().collect()) }, Duration::ZERO);
        rows.check(format!("{user:?}"), status_of(&flight.verdict), expected.to_owned());
        rows.check(format!("{user:?}"), world.counted(), vec!["call ok".to_owned(), counted.to_owned()]);
        let edits: Vec<HeaderEdit> =
            user.map(|user| HeaderEdit::Replace(b"x-user".to_vec(), user.into())).into_iter().collect();
        rows.check(format!("{user:?}"), flight.edits.request_headers, edits);
        rows.check(format!("{user:?}"), world.policy.custom.as_ref().unwrap().held(), (0, 0));
    }
}

#[test]
fn a_check_holds_what_envoy_s_filter_sends() {
    let mut world = World::new(asks(GRPC, "", &[CUSTOM]));
    let headers = [&A[..], &[("x-user", "ann"), ("x-envoy-auth-partial-body", "true")]].concat();
    let (_, callout) = world.request(&headers).callout.unwrap();
    let Callout::Grpc(call) = callout else { panic!("{callout:?}") };
    assert_eq!(call.target.cluster, "outbound|9000||check.auth.svc");
    assert_eq!((call.target.authority.as_str(), call.target.timeout_millis), ("check.auth.svc", 500));
    assert_eq!((call.service.as_str(), call.method.as_str()), ("envoy.service.auth.v3.Authorization", "Check"));
    let check: CheckRequest = weir_proto::decode(&call.message).unwrap();
    let attributes = check.attributes.unwrap();
    let peer = |peer: Option<weir_proto::ext_authz::Peer>| {
        let peer = peer.unwrap();
        let socket = peer.address.unwrap().socket_address.unwrap();
        (socket.address, socket.port, peer.principal)
    };
    assert_eq!(peer(attributes.source), ("10.0.0.1".to_owned(), Some(1234), "spiffe://td/ns/c/sa/d".to_owned()));
    assert_eq!(peer(attributes.destination), ("::1".to_owned(), Some(80), "spiffe://td/ns/a/sa/b".to_owned()));
    let request = attributes.request.unwrap();
    assert_eq!(request.time.unwrap().nanos, 250_000_000);
    let http = request.http.unwrap();
    let fields = [http.id, http.method, http.path, http.host, http.scheme, http.protocol];
    assert_eq!(fields, ["r1", "GET", "/a?x=1", "a.example", "https", "HTTP/2"]);
    let value = |name: &str| http.headers.iter().find(|pair| pair.key == name).map(|pair| pair.value.as_str());
    assert_eq!(
        (value("x-user"), value(":path"), value("x-envoy-auth-partial-body")),
        (Some("eve,ann"), Some("/a?x=1"), None)
    );
}

#[test]
fn a_peer_cannot_write_other_fields_of_a_check() {
    let mut world = World::new(asks(GRPC, "", &[CUSTOM]));
    let evil = "10.0.0.1:1\n10.0.0.2:2\nHTTP/1.1\nlocal\nspiffe://td/ns/x\n10.9.9.9:9\nmore";
    let flight = world.request_of(&A, &Peers(Some(evil)));
    let Some((_, Callout::Grpc(call))) = flight.callout else { panic!("{:?}", flight.verdict) };
    let check: CheckRequest = weir_proto::decode(&call.message).unwrap();
    let principal = check.attributes.unwrap().source.unwrap().principal;
    assert_eq!(principal, "spiffe://td/ns/x\n10.9.9.9:9\nmore");
    // Where the host does not say, no check is sent.
    let flight = world.request_of(&A, &Peers(None));
    assert_eq!((flight.callout.is_none(), status_of(&flight.verdict).as_str()), (true, "403 ext_authz_error"));
    assert_eq!(world.counted(), ["call not_sent", "deny enforced error shop/ask"]);
}

#[test]
fn an_http_check_has_the_headers_that_are_named() {
    let mut world = World::new(asks(HTTP, "", &[CUSTOM]));
    let asked = [
        ("x-ask-1", "\u{e9}"),
        ("x-asked", "a"),
        ("x-ask-1", "b"),
        ("x-other", "b"),
        ("content-length", "7"),
        ("authorization", "t"),
    ];
    let (_, callout) = world.request(&[&A[..], &asked].concat()).callout.unwrap();
    let Callout::Http(call) = callout else { panic!("{callout:?}") };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<(String, String)> = call.headers.iter().map(|(name, value)| (text(name), text(value))).collect();
    let expected = [
        ("content-length", "0"),
        (":method", "GET"),
        (":path", "/check/a?x=1"),
        (":authority", "a.example"),
        ("x-ask-1", "\u{e9},b"),
        ("x-asked", "a"),
        ("authorization", "t"),
        ("x-via", "https-%"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((call.cluster.as_str(), call.timeout_millis), ("check", 1000));
}

#[test]
fn an_http_answer_allows_or_refuses() {
    let mut rows = Rows::default();
    let own = "x-user: ann\nx-why: so\nset-cookie: a=b\nx-envoy-auth-headers-to-remove: X-Request-Id, host,:path";
    for (status, body, expected, passed) in [
        ("200", "ok", "continue", "x-user=ann -x-request-id"),
        ("403", "no", "403 ext_authz_denied", "x-why=so"),
        ("302", "", "302 ext_authz_denied", "x-why=so"),
        ("500", "", "503 ext_authz_error", ""),
        ("503", "upstream connect error or disconnect", "503 ext_authz_error", ""),
        ("100", "", "403 ext_authz_denied", "x-why=so"),
        ("x", "", "503 ext_authz_error", ""),
    ] {
        let mut world = World::new(asks(HTTP, "", &[CUSTOM]));
        let mut flight = world.request(&A);
        let mut pairs = PairsBuilder::default();
        pairs.push(b":status", status.as_bytes());
        for (name, value) in own.lines().filter_map(|line| line.split_once(": ")) {
            pairs.push(name.as_bytes(), value.as_bytes());
        }
        let headers = pairs.finish();
        world.answer(
            &mut flight,
            Answer::Http { headers: Headers::new(&headers), body: body.as_bytes() },
            Duration::ZERO,
        );
        rows.check(status, status_of(&flight.verdict), expected.to_owned());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found: Vec<String> = match &flight.verdict {
            Verdict::Reply(reply) => {
                reply.headers.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
            }
            _ => flight
                .edits
                .request_headers
                .iter()
                .map(|edit| match edit {
                    HeaderEdit::Add(name, value) => format!("{}+{}", text(name), text(value)),
                    HeaderEdit::Replace(name, value) => format!("{}={}", text(name), text(value)),
                    HeaderEdit::Remove(name) => format!("-{}", text(name)),
                })
                .collect(),
        };
        rows.check(status, found.join(" "), passed.to_owned());
        let mut edits = Edits::default();
        let facts = Facts {
            request_headers: Headers::default(),
            response_headers: Headers::default(),
            response_trailers: Headers::default(),
            attributes: &Attributes::default(),
        };
        let Flight { stream, .. } = &mut flight;
        world.io(None, |policy, io| policy.response(stream, &facts, &mut edits, io));
        rows.check(status, edits.response_headers.len(), usize::from(status == "200"));
    }
}

#[test]
fn each_failure_is_told_apart_and_fails_as_configured() {
    let mut rows = Rows::default();
    let failed = |failure| Answer::Failed(failure);
    let cases: [(Answer<'_>, u64, &str); 10] = [
        (failed(CallFailure::NoCluster), 0, "no_cluster"),
        (failed(CallFailure::NoHost), 0, "no_host"),
        (failed(CallFailure::NotSent), 0, "not_sent"),
        (failed(CallFailure::Reset), 3, "unavailable"),
        (failed(CallFailure::Status(14)), 3, "unavailable"),
        (failed(CallFailure::Status(14)), 500, "timeout"),
        (failed(CallFailure::Status(7)), 3, "error"),
        (failed(CallFailure::Unreadable), 3, "bad_answer"),
        (Answer::TooLarge { bytes: 2 << 20, headers: Headers::default() }, 3, "bad_answer"),
        (Answer::Grpc { message: b"\xff\xff" }, 3, "bad_answer"),
    ];
    for (answer, millis, class) in cases {
        for (provider, expected, decision) in [
            (GRPC, "403 ext_authz_error", "deny enforced error shop/ask"),
            (OPEN, "continue", "allow enforced failure_mode_allowed shop/ask"),
        ] {
            let mut world = World::new(asks(
                provider,
                "",
                &[CUSTOM, ALLOW_USER, ("eve", "", ALLOW_USER.2.replace("ann", "eve").leak())],
            ));
            let mut flight = world.request(&A);
            world.answer(&mut flight, answer, Duration::from_millis(millis));
            rows.check(format!("{class} {provider}"), status_of(&flight.verdict), expected.to_owned());
            rows.check(
                format!("{class} {provider}"),
                world.counted(),
                vec![format!("call {class}"), decision.to_owned()],
            );
        }
    }
}

#[test]
fn a_refusal_of_the_provider_is_passed_on() {
    let mut world = World::new(asks(OPEN, r#","accessLogState":"always""#, &[CUSTOM]));
    let mut flight = world.request(&A);
    world.answer(&mut flight, Answer::Grpc { message: &denied(401) }, Duration::ZERO);
    let Verdict::Reply(reply) = &flight.verdict else { panic!("{:?}", flight.verdict) };
    assert_eq!((reply.status, reply.details.as_str(), reply.body.as_slice()), (401, "ext_authz_denied", &b"no"[..]));
    assert_eq!(reply.headers, [(b"x-why".to_vec(), b"because".to_vec())]);
    assert_eq!(world.counted(), ["call denied", "deny enforced provider shop/ask"]);
    assert_eq!(flight.edits.filter_state, [("weir.policy", b"deny shop/ask[0] provider".to_vec())]);
}

#[test]
fn the_metadata_of_an_answer_is_left_as_json() {
    let mut rows = Rows::default();
    let field = |text: &str| {
        let value = Some(weir_proto::Value { kind: Some(weir_proto::value::Kind::Text(text.to_owned())) });
        Some(weir_proto::StructMessage { fields: vec![weir_proto::Field { key: "user".to_owned(), value }] })
    };
    let (longest, too_long) =
        ("x".repeat((64 << 10) - r#"{"ext_authz_duration":0,"user":""}"#.len()), "x".repeat(64 << 10));
    for (code, metadata, expected) in [
        (0, field("ann"), Some(r#"{"ext_authz_duration":0,"user":"ann"}"#.to_owned())),
        (7, field("\"\n"), Some(r#"{"user":"\"\u000a"}"#.to_owned())),
        (0, Some(weir_proto::StructMessage::default()), None),
        (0, None, None),
        (0, field(&longest), Some(format!(r#"{{"ext_authz_duration":0,"user":"{longest}"}}"#))),
        (0, field(&too_long), None),
    ] {
        let mut world = World::new(asks(OPEN, r#","accessLogState":"never""#, &[CUSTOM]));
        let mut flight = world.request(&A);
        let answer =
            CheckResponse { status: Some(RpcStatus { code }), dynamic_metadata: metadata, ..CheckResponse::default() };
        let message = weir_proto::encode(&answer);
        world.answer(&mut flight, Answer::Grpc { message: &message }, Duration::ZERO);
        let left: Vec<String> = flight
            .edits
            .filter_state
            .iter()
            .map(|(key, text)| format!("{key} {}", String::from_utf8_lossy(text)))
            .collect();
        let expected: Vec<String> = expected.map(|text| format!("weir.authz_metadata {text}")).into_iter().collect();
        rows.check(format!("{code} {expected:.40?}"), left, expected);
    }
}

#[test]
fn what_custom_policies_do_not_match_is_not_asked_about() {
    let mut world = World::new(asks(GRPC, "", &[CUSTOM, DENY_USER]));
    let other = [(":method", "GET"), (":path", "/b"), (":authority", "a")];
    let flight = world.request(&other);
    assert_eq!((flight.verdict, flight.callout.is_none()), (Verdict::Continue, true));
}

#[test]
fn without_its_provider_a_custom_policy_refuses_as_in_istio() {
    let details =
        "rbac_access_denied_matched_policy[istio-ext-authz-q-ns[shop]-policy[q]-rule[0]-deny-due-to-bad-CUSTOM-action]";
    let q = ("q", "", CUSTOM.2.replace("\"p\"", "\"q\"").leak() as &str);
    let mut rows = Rows::default();
    for (title, objects) in [("unknown", vec![q]), ("several", vec![q, ("z", "", CUSTOM.2)])] {
        let mut world = World::new(asks(OPEN, "", &objects));
        let flight = world.request(&A);
        rows.check(title, status_of(&flight.verdict), format!("403 {details}"));
        rows.check(title, flight.callout.is_none(), true);
        let (warnings, counted) = (world.policy.warnings().len(), world.counted());
        rows.check(title, (warnings > 0, counted), (true, vec!["deny enforced error shop/q".to_owned()]));
    }
}

#[test]
fn in_mode_shadow_a_request_is_not_held() {
    let mut world = World::new(asks(GRPC, r#","mode":"shadow""#, &[CUSTOM, DENY_USER]));
    let mut flight = world.request(&A);
    assert_eq!((flight.verdict.clone(), world.counted().len()), (Verdict::Continue, 0));
    world.answer(&mut flight, Answer::Grpc { message: &allowed(Vec::new()) }, Duration::ZERO);
    assert_eq!(world.counted(), ["call ok", "deny shadow matched shop/no-eve"]);
    assert_eq!(flight.edits.request_headers, []);
    assert_eq!(world.policy.custom.as_ref().unwrap().held(), (0, 0));
}

#[test]
fn what_is_kept_is_bounded_and_let_go() {
    let mut world = World::new(asks(GRPC, "", &[CUSTOM]));
    let mut flights: Vec<Flight> = (0..1030).map(|_| world.request(&A)).collect();
    let count = |flights: &[Flight]| flights.iter().filter(|flight| status_of(&flight.verdict) == "await").count();
    assert_eq!(count(&flights), 1024);
    assert!(world.counted().contains(&"call overload".to_owned()));
    assert_eq!(world.policy.custom.as_ref().unwrap().held().0, 1024);
    // A stream that leaves takes its check along, and the answer changes nothing.
    let mut gone = flights.remove(0);
    world.io(None, |policy, io| policy.gone(&mut gone.stream, io));
    let (id, _) = gone.callout.clone().unwrap();
    world.io(None, |policy, io| policy.called(id, Answer::Failed(CallFailure::Reset), io));
    assert_eq!(world.counted(), Vec::<String>::new());
    // One that may not wait fails as the provider's failure says.
    let mut full = flights.remove(0);
    let (id, _) = full.callout.clone().unwrap();
    world.resume(&mut full, Resumption::TooManyWaiting(id));
    assert_eq!(status_of(&full.verdict), "403 ext_authz_error");
    for flight in &mut flights {
        if flight.callout.is_some() {
            world.answer(flight, Answer::Failed(CallFailure::Reset), Duration::ZERO);
        }
    }
    assert_eq!((count(&flights), world.policy.custom.as_ref().unwrap().held()), (0, (0, 0)));
    // Few requests with large headers are as many as that many bytes.
    let large = "x".repeat(1 << 20);
    let headers = [&A[..], &[("x-large", large.as_str())]].concat();
    let flights: Vec<Flight> = (0..20).map(|_| world.request(&headers)).collect();
    assert_eq!(count(&flights), 15);
}
