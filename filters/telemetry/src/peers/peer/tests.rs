use super::*;
use crate::testing::{base64, json_struct, metadata, struct_bytes};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::{Outcome, Rows, Score};

fn header(json: &str) -> Vec<u8> {
    base64(&struct_bytes(&json_struct(json)))
}

#[test]
fn a_header_is_read_whatever_else_it_holds() {
    let value = header(
        r#"{"WORKLOAD_NAME": "cart-v1", "NAMESPACE": "shop", "CLUSTER_ID": "eu", "IDENTITY": "spiffe://td/ns/shop/sa/cart",
            "X": [1, {"y": null}], "NAME": true,
            "LABELS": {"app": "a", "app.kubernetes.io/name": "cart", "version": "v1", "n": 3,
                       "service.istio.io/canonical-name": "cart", "service.istio.io/canonical-revision": "r1"}}"#,
    );
    let peer = Peer::from_header(&value).expect("a peer");
    let expected = Peer {
        workload: b"cart-v1".to_vec(),
        namespace: b"shop".to_vec(),
        service: b"cart".to_vec(),
        revision: b"r1".to_vec(),
        app: b"cart".to_vec(),
        version: b"v1".to_vec(),
        cluster: b"eu".to_vec(),
        identity: b"spiffe://td/ns/shop/sa/cart".to_vec(),
    };
    assert_eq!(peer, expected);
    assert_eq!(Peer::from_header(&header(r#"{"WORKLOAD_NAME": 7, "LABELS": "no map"}"#)), Some(Peer::default()));
}

#[test]
fn what_is_no_header_describes_no_peer() {
    let valid = header(r#"{"WORKLOAD_NAME": "cart-v1"}"#);
    for cut in 1..valid.len() {
        let _ = Peer::from_header(&valid[..cut]);
    }
    let mut rows = Rows::default();
    for value in [b"".as_slice(), b"!", b"AAAA", b"\xff\xff\xff\xff", &vec![b'A'; PEER_HEADER_BYTES + 4]] {
        rows.check(format!("{:?}", &value[..value.len().min(8)]), Peer::from_header(value), None);
    }
}

#[test]
fn endpoints_have_exactly_five_parts() {
    let peer = Peer::from_endpoint("w;n;s;r;c").expect("a peer");
    let parts = [&peer.workload, &peer.namespace, &peer.service, &peer.revision, &peer.cluster];
    assert_eq!(parts, [b"w", b"n", b"s", b"r", b"c"]);
    let mut rows = Rows::default();
    for text in ["", "w", "w;n;s;r", "w;n;s;r;c;x"] {
        rows.check(text, Peer::from_endpoint(text), None);
    }
    assert_eq!(Peer::from_endpoint_metadata(&metadata(r#"{"workload": "w;n;s;r;c"}"#)), Some(peer));
    assert_eq!(Peer::from_endpoint_metadata(&metadata(r#"{"workload": 1}"#)), None);
    assert_eq!(Peer::from_endpoint_metadata(b"\x0a"), None);
}

#[test]
fn namespaces_in_principals() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b"spiffe://td/ns/shop/sa/cart", b"shop"),
        (b"spiffe://td/ns/shop", b"shop"),
        (b"spiffe://td/ns//sa/x", b""),
        (b"spiffe://td/workload", b""),
        (b"", b""),
        (b"\xff/ns/\xfe/sa", b"\xfe"),
    ];
    let mut rows = Rows::default();
    for (principal, namespace) in cases {
        rows.check(format!("{principal:?}"), namespace_of(principal), namespace);
    }
}

/// Compares a peer with the fields that a row expects; `null` is none.
fn outcome(peer: Option<Peer>, expect: &serde_yaml_ng::Value) -> Outcome {
    let Some(fields) = expect.as_mapping() else { return Outcome::equal(peer, None) };
    let Peer { workload, namespace, service, revision, app, version, cluster, identity: _ } = peer.expect("a peer");
    let mut outcome = Outcome::Passed;
    for (key, value) in fields {
        let key = key.as_str().expect("a key");
        let found = match key {
            "workload" => &workload,
            "namespace" => &namespace,
            "service" => &service,
            "revision" => &revision,
            "app" => &app,
            "version" => &version,
            "cluster" => &cluster,
            other => return Outcome::Failed(format!("unknown field {other}")),
        };
        outcome = outcome.and(Outcome::equal((key, str::from_utf8(found).ok()), (key, value.as_str())));
    }
    outcome
}

#[test]
fn third_party_peers() {
    let Some(file) = weir_testing::read::<serde_yaml_ng::Value>("istio-peer-metadata.yaml") else { return };
    type Read = fn(&str) -> Option<Peer>;
    let sections: [(&str, &str, Read); 2] = [
        ("x_envoy_peer_metadata", "header", |text| Peer::from_header(text.as_bytes())),
        ("endpoint_metadata", "in", Peer::from_endpoint),
    ];
    let mut score = Score::new("istio-peer-metadata.yaml");
    for (section, field, read) in sections {
        for row in file[section].as_sequence().into_iter().flatten() {
            let text = row[field].as_str().unwrap_or_default();
            score.row(format!("{section} `{text}`"), || outcome(read(text), &row["expect"]));
        }
    }
    score.end();
}
