//! Which decisions leave a record.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LOG: &str = r#"{"to":{"log":true}}"#;
const ALLOW_B: (&str, &str, &str) =
    ("b", "", r#"{"action":"ALLOW","rules":[{"to":[{"operation":{"paths":["/b"]}}]}]}"#);
const BY_ADDRESS: (&str, &str, &str) =
    ("ip", "", r#"{"action":"DENY","rules":[{"from":[{"source":{"ipBlocks":["10.0.0.0/8"]}}]}]}"#);
const SEEN: (&str, &str, &str) =
    ("seen", "", r#"{"action":"AUDIT","rules":[{"to":[{"operation":{"paths":["/b"]}}]}]}"#);

#[test]
fn only_what_the_document_asks_for_leaves_a_record() {
    let enforced = [("no-a", "", SPEC), ALLOW_B];
    let audited = [("no-a", "", SPEC), SEEN];
    let mut rows = Rows::default();
    for (title, audit, extra, objects, path, expected) in [
        ("a refusal", LOG, "", &enforced[..], "/a", vec!["deny enforced matched shop/no-a response_code=403"]),
        ("no rule that allows", LOG, "", &enforced, "/c", vec!["deny enforced no_match - response_code=403"]),
        ("an allowed one", LOG, "", &enforced, "/b", vec![]),
        (
            "allow asked for",
            r#"{"to":{"log":true},"record":["allow"]}"#,
            "",
            &enforced,
            "/b",
            vec!["allow enforced matched shop/b"],
        ),
        ("deny not asked for", r#"{"to":{"log":true},"record":["allow"]}"#, "", &enforced, "/a", vec![]),
        (
            "none of it sampled",
            r#"{"to":{"log":true},"record":["allow"],"sample":{"allow":0}}"#,
            "",
            &enforced,
            "/b",
            vec![],
        ),
        (
            "by policy",
            r#"{"to":{"log":true},"policies":["shop/no-*"]}"#,
            "",
            &enforced,
            "/a",
            vec!["deny enforced matched shop/no-a response_code=403"],
        ),
        ("another policy", r#"{"to":{"log":true},"policies":["*/other"]}"#, "", &enforced, "/a", vec![]),
        ("no policy, not named", r#"{"to":{"log":true},"policies":["shop/*"]}"#, "", &enforced, "/c", vec![]),
        (
            "no policy, named",
            r#"{"to":{"log":true},"policies":["-"]}"#,
            "",
            &enforced,
            "/c",
            vec!["deny enforced no_match - response_code=403"],
        ),
        ("mode shadow", LOG, r#","mode":"shadow""#, &enforced, "/a", vec!["deny shadow matched shop/no-a"]),
        ("mode observe", LOG, r#","mode":"observe""#, &enforced, "/a", vec!["deny shadow matched shop/no-a"]),
        ("none of it enforced", LOG, r#","enforcePercent":0"#, &enforced, "/a", vec!["deny shadow matched shop/no-a"]),
        (
            "mode shadow, allowed",
            r#"{"to":{"log":true},"record":["shadow_allow"]}"#,
            r#","mode":"shadow""#,
            &enforced,
            "/b",
            vec!["allow shadow matched shop/b"],
        ),
        ("mode off", LOG, r#","mode":"off""#, &enforced, "/a", vec![]),
        (
            "what cannot be read",
            r#"{"to":{"log":true},"record":["error"]}"#,
            "",
            &[BY_ADDRESS],
            "/a",
            vec![r#"deny enforced unknown shop/ip failure="direct-address" response_code=403"#],
        ),
        ("what can be read", r#"{"to":{"log":true},"record":["error"]}"#, "", &enforced, "/a", vec![]),
        ("an AUDIT policy", LOG, "", &audited, "/b", vec!["allow audit matched shop/seen"]),
        ("an AUDIT policy that does not match", LOG, "", &audited, "/c", vec![]),
        ("AUDIT not asked for", r#"{"to":{"log":true},"record":["deny"]}"#, "", &audited, "/b", vec![]),
        (
            "an AUDIT policy that may match",
            LOG,
            "",
            &[("near", "", r#"{"action":"AUDIT","rules":[{"from":[{"source":{"ipBlocks":["10.0.0.0/8"]}}]}]}"#)],
            "/b",
            vec![r#"allow audit unknown shop/near failure="direct-address""#],
        ),
        (
            "a decision and an AUDIT policy",
            r#"{"to":{"log":true},"record":["allow","audit"]}"#,
            "",
            &audited,
            "/b",
            vec!["allow enforced no_match -", "allow audit matched shop/seen"],
        ),
    ] {
        let (mut policy, mut sent) = (policy(audit, extra, objects), Sent::get(path));
        let found: Vec<String> = sent.records(&mut policy).iter().map(shown).collect();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        rows.check(title, &found, &expected);
        rows.check(format!("{title}: reads"), sent.reads, usize::from(!found.is_empty()));
    }
}

#[test]
fn a_share_of_the_requests_is_enforced_and_each_leaves_a_record() {
    let mut policy = policy(LOG, r#","enforcePercent":50"#, &[("no-a", "", SPEC)]);
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let lines = (0..1000).flat_map(|_| Sent::get("/a").to(&mut policy, &mut cells, &mut effects));
    let (enforced, shadow): (Vec<String>, Vec<String>) = lines.partition(|line| line.contains(r#""mode":"enforced""#));
    assert_eq!(enforced.len() + shadow.len(), 1000);
    assert!((350..650).contains(&enforced.len()), "{}", enforced.len());
    assert!(enforced.iter().all(|line| line.contains(r#""response_code":403"#)));
    assert!(!shadow.iter().any(|line| line.contains("response_code")));
}
