//! Records of what shadow policies say: each alone, and all of them together.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DRY: &str = r#""istio.io/dry-run":"true""#;
const ALLOW_B: &str = r#"{"rules":[{"to":[{"operation":{"paths":["/b"]}}]}]}"#;
const ALLOW_C: &str = r#"{"rules":[{"to":[{"operation":{"paths":["/c"]}}]}]}"#;

#[test]
fn one_record_has_what_all_say_together_and_who_would_refuse_alone() {
    let both = [("b", DRY, ALLOW_B), ("c", DRY, ALLOW_C)];
    let named = [("b", DRY, ALLOW_B), ("no-a", DRY, SPEC)];
    let mut rows = Rows::default();
    for (title, audit, objects, path, expected) in [
        ("one", "", &[("dry", DRY, SPEC)][..], "/a", vec![r#"deny shadow matched shop/dry alone="shop/dry[0]""#]),
        ("one that does not match", "", &[("dry", DRY, SPEC)], "/b", vec![]),
        (
            "beside one in force",
            "",
            &[("no-a", "", SPEC), ("dry", DRY, SPEC)],
            "/a",
            vec![
                "deny enforced matched shop/no-a response_code=403",
                r#"deny shadow matched shop/dry alone="shop/dry[0]""#,
            ],
        ),
        // Together they allow what either of them allows.
        ("allowed by one of two", "", &both, "/b", vec![r#"allow shadow matched shop/b alone="shop/c""#]),
        ("allowed by neither", "", &both, "/d", vec![r#"deny shadow no_match - alone=["shop/b","shop/c"]"#]),
        (
            "a DENY policy too",
            "",
            &named,
            "/a",
            vec![r#"deny shadow matched shop/no-a alone=["shop/b","shop/no-a[0]"]"#],
        ),
        ("allowed, not asked for", "", &named, "/b", vec![]),
        ("allowed, asked for", r#","record":["shadow_allow"]"#, &named, "/b", vec!["allow shadow matched shop/b"]),
        ("refusals not asked for", r#","record":["deny","shadow_allow"]"#, &named, "/a", vec![]),
        // What decides together, and each that would refuse, is a policy that may be named.
        (
            "of a policy",
            r#","policies":["shop/c"]"#,
            &both,
            "/b",
            vec![r#"allow shadow matched shop/b alone="shop/c""#],
        ),
        ("of no policy here", r#","policies":["shop/x"]"#, &both, "/b", vec![]),
    ] {
        let mut policy = policy(&format!(r#"{{"to":{{"log":true}}{audit}}}"#), "", objects);
        let records = Sent::get(path).records(&mut policy);
        let found: Vec<String> = records.iter().map(shown).collect();
        rows.check(title, found, expected);
        // Records of one request say so.
        let of = |record: &Value| (record["sequence"].as_u64(), record["same_request_as"].as_u64());
        let numbers: Vec<_> = records.iter().map(of).collect();
        let expected: Vec<_> =
            (1..=records.len() as u64).map(|number| (Some(number), (number > 1).then_some(1))).collect();
        rows.check(format!("{title}: numbers"), numbers, expected);
    }
}

#[test]
fn a_record_names_sixteen_at_most() {
    let names: Vec<String> = (0..40).map(|number| format!("dry-{number:02}")).collect();
    let objects: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), DRY, SPEC)).collect();
    let record = Sent::get("/a").records(&mut policy(r#"{"to":{"log":true}}"#, "", &objects)).remove(0);
    assert_eq!((record["alone"].as_array().unwrap().len(), &record["alone"][0]), (16, &json!("shop/dry-00[0]")));
}
