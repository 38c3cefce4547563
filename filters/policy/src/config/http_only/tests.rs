use crate::config::cel::Cel;
use crate::config::object::Field;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

// The table of Istio's generators: those that return an error for TCP (`pilot/pkg/security/authz/model/generator.go`).
#[test]
fn what_only_a_request_has() {
    let mut rows = Rows::default();
    let metadata = Field::Metadata { filter: "envoy.filters.listener.proxy_protocol".into(), key: "k".into() };
    for (field, is_http_only) in [
        (Field::Path, true),
        (Field::Host, true),
        (Field::Method, true),
        (Field::Header("x".into()), true),
        (Field::RequestPrincipal, true),
        (Field::Claim(["a".into()].into()), true),
        (metadata, false),
        (Field::Principal, false),
        (Field::Namespace, false),
        (Field::ServiceAccount, false),
        (Field::TrustDomain, false),
        (Field::DirectAddress, false),
        (Field::RemoteAddress, false),
        (Field::DestinationAddress, false),
        (Field::DestinationPort, false),
        (Field::ServerName, false),
        (Field::Cel(Cel { text: "request.path == '/a'".into(), path: "$".into(), asks_request: true }), false),
    ] {
        rows.check(format!("{field:?}"), field.is_http_only(), is_http_only);
    }
}
