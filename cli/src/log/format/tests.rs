use super::Format;
use crate::log::Known;
use weir_policy::{Knowledge, RequestField};
use weir_testing::Rows;

fn known(format: &Format, line: &[u8], field: &RequestField) -> Result<Knowledge, String> {
    Ok(format.record(line)?.knowledge(field))
}

#[test]
fn a_given_format_says_what_each_field_is() {
    let format = r#"{"verb": "%REQ(:METHOD)%", "line": "%REQ(:METHOD)% %REQ(:PATH)%", "fixed": "x", "in": {"who": "%REQ(X-USER):4%",
        "sub": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%"}}"#;
    let format = Format::read(format).unwrap();
    let line = br#"{"verb":"GET","line":"GET /a","in":{"who":"ann","sub":null},"method":"POST"}"#;
    let record = format.record(line).unwrap();
    assert_eq!((&record.method, &record.path), (&Known::Value(b"GET".into()), &Known::Value(b"/a".into())));
    let user = RequestField::Header("x-user".into());
    let claim = |name: &str| RequestField::Claim([name.into()].into());
    let mut rows = Rows::default();
    let with = |who: &str| format!(r#"{{"verb":"GET","in":{{"who":{who}}}}}"#);
    for (line, field, expected) in [
        (with("\"ann\""), user.clone(), Knowledge::AtLeast),
        (with("null"), user.clone(), Knowledge::Whole),
        // It may go on.
        (with("\"anna\""), user.clone(), Knowledge::Nothing),
        (with("\"an\\u00e4\""), user, Knowledge::Nothing),
        (String::from_utf8_lossy(line).into_owned(), claim("sub"), Knowledge::Whole),
        (String::from_utf8_lossy(line).into_owned(), claim("iss"), Knowledge::Nothing),
        (String::from_utf8_lossy(line).into_owned(), RequestField::Host, Knowledge::Nothing),
    ] {
        rows.check(&line, known(&format, line.as_bytes(), &field), Ok(expected));
    }
}

#[test]
fn a_path_that_a_route_or_a_client_has_changed_is_not_known() {
    let mut rows = Rows::default();
    let line = |fields: &str| format!(r#"{{"start_time":"t","method":"GET",{fields}}}"#);
    for (fields, expected) in [
        (r#""path":"/a""#, Knowledge::Whole),
        (r#""path":"/a","original_path":null"#, Knowledge::Whole),
        (r#""path":"/a","original_path":"/a""#, Knowledge::Whole),
        (r#""path":"/a","original_path":"/b""#, Knowledge::Nothing),
    ] {
        rows.check(fields, known(&Format::default(), line(fields).as_bytes(), &RequestField::Path), Ok(expected));
    }
}

#[test]
fn who_the_peer_is_takes_more_than_an_absent_name() {
    let mut rows = Rows::default();
    let line = |fields: &str| format!(r#"{{"start_time":"t","method":"GET","path":"/"{fields}}}"#);
    for (fields, expected) in [
        ("", Knowledge::Nothing),
        (r#","downstream_peer_uri_san":"spiffe://td/ns/a/sa/b""#, Knowledge::Whole),
        // On HBONE listeners and waypoints filter state has the peer.
        (r#","downstream_peer_uri_san":null"#, Knowledge::Nothing),
        (r#","downstream_peer_uri_san":null,"peer_principal":null"#, Knowledge::Nothing),
        (r#","downstream_peer_uri_san":null,"peer_principal":null,"downstream_tls_version":null"#, Knowledge::Whole),
        (
            r#","downstream_peer_uri_san":null,"peer_principal":null,"downstream_tls_version":"TLSv1.3""#,
            Knowledge::Nothing,
        ),
        (
            r#","downstream_peer_uri_san":null,"peer_principal":null,"downstream_peer_dns_san":"h","downstream_peer_subject":null"#,
            Knowledge::Whole,
        ),
        (r#","peer_principal":"spiffe://td/ns/a/sa/b""#, Knowledge::Whole),
    ] {
        rows.check(fields, known(&Format::default(), line(fields).as_bytes(), &RequestField::Principal), Ok(expected));
    }
}

#[test]
fn a_server_name_with_an_underscore_may_have_been_another() {
    let mut rows = Rows::default();
    for (fields, expected) in [
        (r#""requested_server_name":"cart.shop""#, Knowledge::Whole),
        (r#""requested_server_name":"outbound_.80_._.cart""#, Knowledge::Nothing),
        (r#""requested_server_name":"invalid:a_b""#, Knowledge::Nothing),
        (r#""requested_server_name":null"#, Knowledge::Whole),
        (r#""requested_server_name":"-""#, Knowledge::AtMost),
        // The expression has it as it was sent, and the empty text for none.
        (r#""server_name":"outbound_.80_._.cart""#, Knowledge::Whole),
        (r#""server_name":"""#, Knowledge::Whole),
    ] {
        let line = format!(r#"{{"start_time":"t","method":"GET","path":"/",{fields}}}"#);
        rows.check(fields, known(&Format::default(), line.as_bytes(), &RequestField::ServerName), Ok(expected));
    }
}
