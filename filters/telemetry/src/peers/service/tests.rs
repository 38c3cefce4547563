use super::*;
use crate::testing::metadata;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn the_first_service_of_a_cluster() {
    let service = |host: &str, name: &str, namespace: &str| {
        Some(Service { host: host.into(), name: name.into(), namespace: namespace.into() })
    };
    let cases = [
        (
            r#"{"services": [{"host": "cart.shop.svc", "name": "cart", "namespace": "shop"}, {"host": "b"}]}"#,
            service("cart.shop.svc", "cart", "shop"),
        ),
        (r#"{"services": [{"host": "cart.shop.svc"}]}"#, service("cart.shop.svc", "cart", "")),
        (r#"{"services": [{"name": "cart"}]}"#, None),
        (r#"{"services": []}"#, None),
        (r#"{"services": "cart"}"#, None),
        (r#"{"services": [1]}"#, None),
        (r#"{}"#, None),
    ];
    let mut rows = Rows::default();
    for (fields, expected) in cases {
        rows.check(fields, Service::from_cluster_metadata(&metadata(fields)), expected);
    }
    assert_eq!(Service::from_cluster_metadata(b"\xff"), None);
}

#[test]
fn istios_names_for_traffic_without_a_service() {
    type Name = Option<&'static [u8]>;
    let cases: [(Name, Name, Name); 7] = [
        (None, None, None),
        (Some(b"block_all"), None, Some(b"BlackHoleCluster")),
        (Some(b"allow_any"), Some(b"PassthroughCluster"), Some(b"PassthroughCluster")),
        (Some(b"default"), Some(b"BlackHoleCluster"), Some(b"BlackHoleCluster")),
        (None, Some(b"InboundPassthroughCluster"), Some(b"InboundPassthroughCluster")),
        (None, Some(b"InboundPassthroughClusterIpv6"), Some(b"InboundPassthroughClusterIpv6")),
        (Some(b"default"), Some(b"outbound|80||cart"), None),
    ];
    let mut rows = Rows::default();
    for (route, cluster, expected) in cases {
        rows.check(format!("{route:?} {cluster:?}"), well_known(route, cluster), expected);
    }
}
