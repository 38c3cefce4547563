use crate::Telemetry;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Filter, Node};
use weir_testing::Rows;

fn problems(rest: &str) -> Vec<String> {
    let document = format!(r#"{{"schema": 1, "name": "mesh"{rest}}}"#);
    match Telemetry::compile(document.as_bytes(), &Node::default()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn documents_that_are_fine() {
    let mut rows = Rows::default();
    for rest in [
        "",
        r#", "mode": "observe", "reporter": "destination", "metricPrefix": "weir_istio_""#,
        r#", "cardinality": {"series": 10, "keep": ["reporter"], "fold": {"source_version": 2}}"#,
        r#", "hostFallback": "auto""#,
        r#", "hostFallback": "off""#,
        r#", "cardinality": {"newStatsPerTick": 1000}"#,
        r#", "peerMetadata": {"readAt": "end"}"#,
        r#", "peerMetadata": {"trust": "always", "readAt": "response"}"#,
        r#", "peerMetadata": {"trust": "always"}, "telemetry": [], "classify": [], "definitions": [], "accessLog": {}"#,
    ] {
        rows.check(rest, problems(rest), Vec::<String>::new());
    }
}

#[test]
fn every_problem_has_its_place() {
    let cases: [(&str, &[&str]); 9] = [
        (r#", "hostFallback": "on""#, &["$.hostFallback: `on` is not one of `auto`, `off`"]),
        (r#", "reporter": "waypoint""#, &["$.reporter: `waypoint` is not one of `source`, `destination`"]),
        (r#", "metricPrefix": """#, &["$.metricPrefix: must not be empty"]),
        (
            r#", "metricPrefix": "a.b""#,
            &["$.metricPrefix: a metric prefix is 1 to 63 letters, digits and `_`, and does not begin with a digit"],
        ),
        (
            r#", "peerMetadata": {"trust": "maybe"}"#,
            &["$.peerMetadata.trust: `maybe` is not one of `mtls`, `always`, `never`"],
        ),
        (
            r#", "peerMetadata": {"trust": 1, "readAt": "request"}"#,
            &[
                "$.peerMetadata.trust: expected a string, found a number",
                "$.peerMetadata.readAt: `request` is not one of `end`, `response`",
            ],
        ),
        (
            r#", "cardinality": {"series": 0, "keep": ["colour"]}, "peerMetadata": {"trust": "mtls"}, "metricPrefix": """#,
            &[
                "$.metricPrefix: must not be empty",
                "$.cardinality.series: expected a whole number from 1 to 100000",
                "$.cardinality.keep[0]: `colour` is not a label of these metrics",
            ],
        ),
        (
            r#", "cardinality": {"keep": ["colour", 1], "fold": {"source_app": 0}, "serie": 1}"#,
            &[
                "$.cardinality.keep[0]: `colour` is not a label of these metrics",
                "$.cardinality.keep[1]: expected a string, found a number",
                "$.cardinality.fold.source_app: expected a whole number from 1 to 100000",
                "$.cardinality.serie: unknown field; did you mean `series`?",
            ],
        ),
        (
            r#", "telemetry": [{}], "definitions": [{}], "classify": [{}], "accessLog": {"otlp": {}}, "colour": 1"#,
            &[
                "$.telemetry: `telemetry` is not supported by this version; remove it",
                "$.definitions: `definitions` is not supported by this version; remove it",
                "$.classify: `classify` is not supported by this version; remove it",
                "$.accessLog: `accessLog` is not supported by this version; remove it",
                "$.colour: unknown field",
            ],
        ),
    ];
    let mut rows = Rows::default();
    for (rest, expected) in cases {
        rows.check(rest, problems(rest), expected);
    }
    let fold = problems(r#", "cardinality": {"fold": {"response_code": 3}}"#);
    assert_eq!(fold.len(), 1);
    assert!(fold[0].starts_with("$.cardinality.fold.response_code: `response_code` cannot be folded"), "{fold:?}");
}
