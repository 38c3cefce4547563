use super::{Operator, Says};
use weir_testing::Rows;

#[test]
fn operators_say_what_envoy_writes_for_them() {
    let names = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Box<[Box<str>]>>();
    let mut rows = Rows::default();
    for (text, says, limit) in [
        ("REQ(:METHOD)", Says::Method, None),
        ("REQUEST_HEADER(:path)", Says::Path, None),
        ("REQ(X-ENVOY-ORIGINAL-PATH?:PATH)", Says::OriginalPathOrPath, None),
        ("REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH):100", Says::OriginalPathOrPath, Some(100)),
        ("REQ(x-envoy-original-path)", Says::OriginalPath, None),
        ("REQ(:AUTHORITY)", Says::Host, None),
        ("REQ(Host)", Says::Host, None),
        ("REQ(X-USER):8", Says::Header("x-user".into()), Some(8)),
        ("REQ(X-A?X-B)", Says::Other, None),
        ("REQ(:SCHEME)", Says::Other, None),
        ("PATH(NQ:PATH)", Says::Path, None),
        ("PATH(WQ:ORIG)", Says::OriginalPath, None),
        ("PATH(NQ)", Says::OriginalPathOrPath, None),
        ("CEL(request.headers['X-User'])", Says::JoinedHeader("x-user".into()), None),
        ("CEL( request.headers[\"x\"] )", Says::JoinedHeader("x".into()), None),
        ("CEL(request.headers['a'] + request.headers['b'])", Says::Other, None),
        ("CEL(connection.requested_server_name)", Says::ServerName, None),
        ("REQUESTED_SERVER_NAME", Says::CleanServerName, None),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Says::RemoteAddress, None),
        ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Says::DirectAddress, None),
        ("FILTER_STATE(io.istio.peer_principal:PLAIN)", Says::PeerPrincipal, None),
        ("FILTER_STATE(io.istio.peer_principal)", Says::Other, None),
        ("DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload)", Says::Claim(names(&[])), None),
        ("DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:a:b)", Says::Claim(names(&["a", "b"])), None),
        (
            "DYNAMIC_METADATA(envoy.filters.http.x:k)",
            Says::Metadata("envoy.filters.http.x".into(), names(&["k"])),
            None,
        ),
        ("START_TIME(%s)", Says::Time, None),
        ("RESP(X)", Says::Other, None),
    ] {
        rows.check(text, Operator::read(text), Operator { says, limit });
    }
}
