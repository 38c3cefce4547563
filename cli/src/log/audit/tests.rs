mod written;

use crate::log::{Format, Live};
use weir_policy::{Knowledge, RequestField};
use weir_testing::Rows;

/// A record as `docs/audit.md` has it.
fn record(more: &str) -> String {
    format!(
        r#"[2026-11-27 10:00:00.123][7][info][wasm] wasm log cart: weir audit: {{"schema":1,"id":"b-1-1","sequence":1,
        "time":"2026-11-27T10:00:00.000123Z","plugin":"cart","decision":"deny","mode":"enforced","reason":"matched",
        "policy":"shop/no-admin","rule":1,"source":"192.0.2.7:5","destination":"10.1.2.4:8080","method":"GET","host":"cart.shop",
        "path":"/admin"{more}}}"#
    )
    .replace('\n', "")
}

#[test]
fn what_a_record_leaves_out_the_request_has_not() {
    use Knowledge::{AtLeast, Nothing, Whole};
    let header = |name: &str| RequestField::Header(name.into());
    let claim = |name: &str| RequestField::Claim([name.into()].into());
    let mut rows = Rows::default();
    for (more, field, expected) in [
        ("", RequestField::Path, Whole),
        ("", RequestField::ServerName, Whole),
        ("", RequestField::RemoteAddress, Whole),
        ("", RequestField::DestinationPort, Whole),
        ("", RequestField::DirectAddress, Nothing),
        ("", header("x"), Nothing),
        // A certificate may have another name.
        (r#","mtls":true"#, RequestField::Principal, Nothing),
        (r#","mtls":false"#, RequestField::Principal, Whole),
        (r#","mtls":true,"principal":"spiffe://td/ns/a/sa/b""#, RequestField::Principal, Whole),
        (r#","jwt":false"#, claim("groups"), Whole),
        (r#","jwt":false"#, RequestField::RequestPrincipal, Whole),
        (r#","jwt":true"#, claim("groups"), Nothing),
        (r#","jwt":true,"request_principal":"i/s""#, RequestField::RequestPrincipal, Whole),
        (r#","jwt":true,"claims":{"groups":["a"]}"#, claim("groups"), Whole),
        (r#","jwt":true,"claims":{"groups":["a","b","c","d"]}"#, claim("groups"), Nothing),
        (r#","claims":{"groups":"***"}"#, claim("groups"), Nothing),
        (r#","headers":{"x":"a"}"#, header("x"), Whole),
        // Here a letter is a letter.
        (r#","headers":{"x":"\u00e4"}"#, header("x"), Whole),
        (r#","headers":{"x":["a","b"]}"#, header("x"), Whole),
        (r#","headers":{"x":["a","b","c","d"]}"#, header("x"), AtLeast),
        (r#","headers":{"x":"***"}"#, header("x"), Nothing),
        (r#","headers":{"x":"a\\xff"},"escaped":"headers.x""#, header("x"), Nothing),
        (r#","headers":{"x":"a"},"claims":{"x":"b"},"truncated":["path","claims.x"]"#, header("x"), Whole),
        (r#","headers":{"x":"a"},"claims":{"x":"b"},"truncated":["path","claims.x"]"#, claim("x"), Nothing),
        (r#","truncated":["path"]"#, RequestField::Path, Nothing),
        (r#","unreadable":"sni""#, RequestField::ServerName, Nothing),
        (r#","mtls":false,"unreadable":["principal","sni"]"#, RequestField::Principal, Nothing),
        (r#","principal":"spiffe://td/ns/a/sa/b","unreadable":"principal""#, RequestField::Principal, Nothing),
        (r#","principal":"spiffe://a","uri_sans":"spiffe://a,spiffe://b""#, RequestField::Principal, Whole),
        (r#","jwt":true,"request_principal":"i/***""#, RequestField::RequestPrincipal, Nothing),
        (r#","jwt":true,"claims":{"[a][b]":"c"}"#, RequestField::Claim(["a".into(), "b".into()].into()), Whole),
        (r#","jwt":true,"claims":{"[a][b]":"c"}"#, claim("[a][b]"), Nothing),
    ] {
        let line = record(more);
        let found = Format::default().record(line.as_bytes()).map(|record| record.knowledge(&field));
        rows.check(format!("{more} {field}"), found, Ok(expected));
    }
}

#[test]
fn a_record_says_what_was_decided() {
    let mut rows = Rows::default();
    let shadow = record("").replace("enforced", "shadow");
    let by = |reason: &str| record("").replace("matched", reason);
    let other = "the record is of a decision that is not enforced";
    for (line, expected) in [
        (record(""), Live::Denied("shop/no-admin[1]".into())),
        (record("").replace("\"deny\"", "\"allow\""), Live::Allowed),
        (shadow, Live::Unsaid(other)),
        (record("").replace("\"deny\"", "\"allow\"").replace("enforced", "audit"), Live::Unsaid(other)),
        // As where Envoy's own filter asks.
        (by("provider"), Live::Before("ext_authz_denied")),
        (by("error"), Live::Before("ext_authz_error")),
        (by("provider").replace("\"deny\"", "\"allow\""), Live::Allowed),
        (by("failure_mode_allowed").replace("\"deny\"", "\"allow\""), Live::Allowed),
    ] {
        rows.check(&line, Format::default().record(line.as_bytes()).unwrap().live(), expected);
    }
}

#[test]
fn a_record_is_found_in_lines_of_envoy_s_own_log_and_nowhere_else() {
    let record = record("").split_once("weir audit: ").unwrap().1.to_owned();
    let istio = format!("[pod/cart-1/istio-proxy] 2026-11-27T10:00:00Z info envoy wasm weir audit: {record}\tthread=1");
    // A client wrote this into its user agent.
    let forged = format!(r#"[2026-11-27T10:00:00.123Z] "GET / HTTP/1.1" 200 - via - - "weir audit: {record}""#);
    let mut rows = Rows::default();
    for (line, path) in [(record.clone(), true), (istio, true), (forged, false)] {
        let format = Format::default();
        let found = format.record(line.as_bytes());
        rows.check(&line, found.is_ok_and(|found| found.path.value() == Some(b"/admin")), path);
    }
}

#[test]
fn a_record_says_whether_it_is_the_first_of_its_request_and_whether_the_peer_has_a_certificate() {
    let mut rows = Rows::default();
    for (more, expected) in [
        ("", (false, None)),
        (r#","same_request_as":7,"mtls":true"#, (true, Some(true))),
        (r#","mtls":false"#, (false, Some(false))),
    ] {
        let line = record(more);
        let found = Format::default().record(line.as_bytes()).map(|record| (record.repeats, record.is_mutual));
        rows.check(more, found, Ok(expected));
    }
}
