use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_model::{Problems, Warning};
use weir_testing::Rows;

fn read(json: &str) -> Result<(AuditSettings, Vec<Warning>), Problems> {
    read_document(json.as_bytes(), |at| {
        let settings = AuditSettings::read(&at, &Node::default(), &Workload::of(&Node::default()))?;
        Some((settings, at.take_warnings()))
    })
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let mut rows = Rows::default();
    for (json, path, message) in [
        (r#"{}"#, "$", "`to` is missing"),
        (r#"{"to": {}}"#, "$.to", "records go nowhere"),
        (r#"{"to": {"log": false}}"#, "$.to", "records go nowhere"),
        (r#"{"to": {"otlp": {}}}"#, "$.to.otlp", "`cluster` is missing"),
        (r#"{"to": {"otlp": {"cluster": ""}}}"#, "$.to.otlp.cluster", "must not be empty"),
        (r#"{"to": {"otlp": {"cluster": "a\nb"}}}"#, "$.to.otlp.cluster", "control character"),
        (r#"{"to": {"otlp": {"cluster": "a", "timeout": "61s"}}}"#, "$.to.otlp.timeout", "from 1ms to 1m"),
        (r#"{"to": {"otlp": {"cluster": "a", "timeout": 2}}}"#, "$.to.otlp.timeout", "expected a string"),
        (r#"{"to": {"log": true}, "record": []}"#, "$.record", "nothing is recorded"),
        (r#"{"to": {"log": true}, "record": ["denied"]}"#, "$.record[0]", "`denied` is not one of `deny`"),
        (r#"{"to": {"log": true}, "sample": {"allow": 0.5}}"#, "$.sample.allow", "`record` does not have `allow`"),
        (r#"{"to": {"log": true}, "sample": {"deny": 1.5}}"#, "$.sample.deny", "from 0 to 1"),
        (r#"{"to": {"log": true}, "sample": {"deny": "1"}}"#, "$.sample.deny", "from 0 to 1"),
        (r#"{"to": {"log": true}, "sample": {"denied": 1}}"#, "$.sample.denied", "not an outcome"),
        (r#"{"to": {"log": true}, "policies": ["shop"]}"#, "$.policies[0]", "NAMESPACE/NAME"),
        (r#"{"to": {"log": true}, "policies": ["a/b/c"]}"#, "$.policies[0]", "NAMESPACE/NAME"),
        (r#"{"to": {"log": true}, "policies": ["/b"]}"#, "$.policies[0]", "NAMESPACE/NAME"),
        (r#"{"to": {"log": true}, "queue": {"records": 8}}"#, "$.queue.records", "from 16 to 65536"),
        (r#"{"to": {"log": true}, "queue": {"bytes": "1KiB"}}"#, "$.queue.bytes", "from 64KiB to 64MiB"),
        (r#"{"to": {"log": true}, "queue": {"records": 16}}"#, "$", "must not be above `queue.records`"),
        (r#"{"to": {"log": true}, "batch": {"interval": "10ms"}}"#, "$.batch.interval", "from 100ms to 1m"),
        (r#"{"to": {"log": true}, "mask": {"headers": ["x-a"]}}"#, "$.mask.headers[0]", "not included"),
        (
            r#"{"to": {"log": true}, "include": {"headers": ["a"]}, "mask": {"claims": ["a"]}}"#,
            "$.mask.claims[0]",
            "not included",
        ),
        (r#"{"to": {"log": true}, "incude": {}}"#, "$.incude", "did you mean `include`?"),
    ] {
        let problems = read(json).map(|_| ()).unwrap_err().0;
        let found: Vec<_> = problems.iter().map(|problem| (problem.path.as_str(), problem.message.as_str())).collect();
        let fits = matches!(found.as_slice(), [(at, text)] if *at == path && text.contains(message));
        rows.check(format!("{json}: {found:?}"), fits, true);
    }
    let many: Vec<String> = (0..17).map(|number| format!("\"x-{number}\"")).collect();
    let json = format!(r#"{{"to": {{"log": true}}, "include": {{"headers": [{}]}}}}"#, many.join(","));
    assert_eq!(read(&json).map(|_| ()).unwrap_err().0[0].path, "$.include.headers[16]");
}

#[test]
fn what_is_left_out_has_its_default() {
    let (settings, warnings) = read(r#"{"to": {"otlp": {"cluster": "otel"}}}"#).unwrap();
    let target = GrpcTarget { cluster: "otel".to_owned(), timeout_millis: 2000, ..GrpcTarget::default() };
    assert_eq!((settings.target, settings.log, warnings.len()), (Some(target), false, 0));
    let interval = Duration::from_secs(1);
    assert_eq!(settings.limits, Limits { records: 4096, bytes: 4 << 20, batch: 512, interval });
    assert_eq!(settings.selection.outcomes, Outcome::DEFAULT.map(|outcome| (outcome, Share::ALL)));
    assert!(settings.selection.policies.is_none());
    let json = r#"{"to": {"log": true, "otlp": {"cluster": "a", "authority": "b", "timeout": "250ms"}},
        "queue": {"records": 64, "bytes": 65536}, "batch": {"records": 64, "interval": "0.5s"},
        "record": ["allow", "deny"], "sample": {"allow": 0.01}}"#;
    let (settings, _) = read(json).unwrap();
    let target = settings.target.unwrap();
    assert_eq!((target.authority.as_str(), target.timeout_millis, settings.log), ("b", 250, true));
    let interval = Duration::from_millis(500);
    assert_eq!(settings.limits, Limits { records: 64, bytes: 65_536, batch: 64, interval });
    let sampled = Share::of_millionths(10_000);
    assert_eq!(settings.selection.outcomes, [(Outcome::Allow, sampled), (Outcome::Deny, Share::ALL)]);
}

#[test]
fn credentials_in_clear_are_warned_of() {
    let mut rows = Rows::default();
    for (include, mask, ids) in [
        (r#"["x-tenant"]"#, "[]", vec![]),
        (r#"["Authorization", "cookie"]"#, "[]", vec!["audit-credential", "audit-credential"]),
        (r#"["Authorization", "cookie"]"#, r#"["AUTHORIZATION"]"#, vec!["audit-credential"]),
        (r#"["cookie"]"#, r#"["cookie"]"#, vec![]),
    ] {
        let json =
            format!(r#"{{"to": {{"log": true}}, "include": {{"headers": {include}}}, "mask": {{"headers": {mask}}}}}"#);
        let (_, warnings) = read(&json).unwrap();
        rows.check(&json, warnings.iter().map(|warning| warning.id).collect::<Vec<_>>(), ids);
    }
}
