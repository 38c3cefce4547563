use super::MOST;
use crate::Policy;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Filter, Node};
use weir_testing::Rows;

const POLICY: &str =
    r#"{"kind": "AuthorizationPolicy", "metadata": {"name": "a", "namespace": "shop"}, "spec": {"rules": [{}, {}]}}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How many rules a document has with this text for `policiesGzip`, or its problems.
fn rules(packed: &str, policies: &str) -> Result<usize, String> {
    let document = format!(
        r#"{{"schema": 1, "name": "t", "workload": {{"namespace": "shop", "labels": {{}}, "proxy": "sidecar"}},
            "policies": [{policies}], "policiesGzip": "{packed}"}}"#
    );
    let policy = Policy::compile(document.as_bytes(), &Node::default()).map_err(|problems| problems.to_string())?;
    Ok(policy.rules().0)
}

#[test]
fn packed_policies_are_read_as_if_they_were_not() {
    let packed = |json: &str| BASE64_STANDARD.encode(gzip(json.as_bytes()));
    let other = POLICY.replace("\"a\"", "\"b\"");
    assert_eq!(rules(&packed(&format!("[{POLICY}]")), ""), Ok(2));
    assert_eq!(rules(&packed(&format!("[{POLICY}]")), &other), Ok(4));
    assert_eq!(rules(&packed("[]"), POLICY), Ok(2));
    let mut rows = Rows::default();
    for (json, problem) in [
        (format!("[{POLICY}, {POLICY}]"), "$.policiesGzip[1]: policy `shop/a` is given twice"),
        (format!("[{}]", POLICY.replace("rules", "rulez")), "$.policiesGzip[0].spec.rulez: unknown field"),
        (POLICY.to_owned(), "$.policiesGzip: expected a list, found an object"),
        ("[".to_owned(), "$.policiesGzip: what is packed is not JSON"),
    ] {
        rows.contains(&json, &rules(&packed(&json), "").unwrap_err(), problem);
    }
}

#[test]
fn what_is_no_packed_text_is_a_problem() {
    let good = gzip(b"[]");
    let damaged = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        BASE64_STANDARD.encode(bytes)
    };
    let mut rows = Rows::default();
    for (name, text) in [
        ("magic", damaged(0)),
        ("checksum", damaged(good.len() - 8)),
        ("size", damaged(good.len() - 4)),
        ("flags", damaged(3)),
        ("cut", BASE64_STANDARD.encode(&good[..good.len() - 1])),
        ("nothing", String::new()),
    ] {
        rows.contains(name, &rules(&text, "").unwrap_err(), "$.policiesGzip: not gzip, or damaged");
    }
    rows.contains("base64", &rules("a", "").unwrap_err(), "$.policiesGzip: not base64");
    rows.contains("base64", &rules("=()", "").unwrap_err(), "$.policiesGzip: not base64");
}

#[test]
fn what_it_is_unpacked_to_is_bounded() {
    let blank = |length: usize| {
        let mut json = vec![b' '; length];
        json.extend(b"[]");
        BASE64_STANDARD.encode(gzip(&json))
    };
    assert_eq!(rules(&blank(MOST - 2), POLICY), Ok(2));
    let many = format!("[{}0]", "{},".repeat(600_000));
    let problem = rules(&BASE64_STANDARD.encode(gzip(many.as_bytes())), "").unwrap_err();
    assert!(problem.contains("$.policiesGzip: more than 1048576 values when it is unpacked"), "{problem}");
    for length in [MOST - 1, 8 * MOST] {
        let problem = rules(&blank(length), "").unwrap_err();
        assert!(problem.contains("$.policiesGzip: more than 16777216 bytes when it is unpacked"), "{problem}");
    }
}
