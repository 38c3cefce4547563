use super::{Security, security};
use crate::log::Format;
use weir_testing::Rows;

#[test]
fn a_line_says_whether_the_peer_had_a_certificate() {
    let mut rows = Rows::default();
    for (fields, expected) in [
        ("", Security::Unknown),
        (r#","downstream_tls_version":null"#, Security::Plain),
        (r#","downstream_peer_uri_san":null,"downstream_tls_version":"TLSv1.3""#, Security::Plain),
        (r#","downstream_peer_uri_san":"spiffe://td/ns/a/sa/b""#, Security::Mutual),
        (r#","peer_principal":"spiffe://td/ns/a/sa/b","downstream_tls_version":null"#, Security::Mutual),
        (r#","requested_server_name":"outbound_.80_._.cart.shop.svc.cluster.local""#, Security::Mutual),
        (r#","requested_server_name":"invalid:outbound_.80_._.cart.shop.svc.cluster.local""#, Security::Mutual),
        (r#","requested_server_name":"cart.example.com""#, Security::Unknown),
        (r#","requested_server_name":null"#, Security::Nameless),
        (r#","requested_server_name":"-""#, Security::Nameless),
    ] {
        let line = format!(r#"{{"start_time":"t","method":"GET","path":"/"{fields}}}"#);
        rows.check(fields, security(&Format::default().record(line.as_bytes()).unwrap()), expected);
    }
    // An audit record has a word for it; without a URI the certificate may have another name.
    for (fields, expected) in [
        (r#","mtls":false"#, Security::Plain),
        (r#","mtls":true"#, Security::Mutual),
        (r#","mtls":false,"principal":"spiffe://td/ns/a/sa/b""#, Security::Mutual),
        ("", Security::Nameless),
    ] {
        let line = format!(r#"{{"schema":1,"plugin":"t","decision":"deny","method":"GET","path":"/"{fields}}}"#);
        rows.check(fields, security(&Format::default().record(line.as_bytes()).unwrap()), expected);
    }
}
