use crate::Policy;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Filter, Node};
use weir_testing::Rows;

const WORKLOAD: &str = r#"{"namespace":"shop","labels":{"app":"cart"},"proxy":"sidecar"}"#;

/// How many rules apply of these objects, or the problems.
fn read(workload: &str, objects: &[String]) -> Result<usize, String> {
    let document = format!(r#"{{"schema":1,"name":"t","workload":{workload},"policies":[{}]}}"#, objects.join(","));
    let policy = Policy::compile(document.as_bytes(), &Node::default()).map_err(|problems| problems.to_string())?;
    Ok(policy.rules().0)
}

fn object(metadata: &str, spec: &str) -> String {
    format!(r#"{{"kind":"AuthorizationPolicy","metadata":{{{metadata}}},"spec":{spec}}}"#)
}

/// Specs that are problems for a workload that they are for.
const REFUSED: [&str; 7] = [
    r#""action":"CUSTOM","provider":{"nam":"opa"},"rules":[{}]"#,
    r#""action":"LATER","rules":[{}]"#,
    r#""action":"DENY""#,
    r#""rules":[{"from":[{"source":{"requestPrincipals":["i/\u0000"]}}]}]"#,
    r#""rules":[{"when":[{"key":"request.auth.claims[]","values":["a"]}]}]"#,
    r#""rules":[{"when":[{"key":"experimental.envoy.filters.a","values":["a"]}]}]"#,
    r#""rules":[{"to":[{"operation":{"paths":["/{*"],"later":["x"]}}]}]"#,
];

#[test]
fn what_policies_of_others_say_is_not_read() {
    let own = object(r#""name":"own","namespace":"shop""#, r#"{"action":"DENY","rules":[{}]}"#);
    let mut rows = Rows::default();
    for spec in REFUSED {
        let others = [
            object(r#""name":"p","namespace":"stock""#, &format!("{{{spec}}}")),
            object(
                r#""name":"p","namespace":"shop""#,
                &format!(r#"{{"selector":{{"matchLabels":{{"app":"x"}}}},{spec}}}"#),
            ),
            object(
                r#""name":"p","namespace":"shop""#,
                &format!(
                    r#"{{"targetRef":{{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"x"}},{spec}}}"#
                ),
            ),
        ];
        for other in others {
            rows.check(&other, read(WORKLOAD, &[other.clone(), own.clone()]), Ok(1));
            let list = format!(r#"{{"kind":"List","items":[{other},{own}]}}"#);
            rows.check(&other, read(WORKLOAD, &[list]), Ok(1));
            // Whether it is for others is not known.
            rows.check(&other, read("{}", std::slice::from_ref(&other)).is_err(), true);
        }
        let for_this = object(r#""name":"p","namespace":"shop""#, &format!("{{{spec}}}"));
        rows.check(&for_this, read(WORKLOAD, std::slice::from_ref(&for_this)).is_err(), true);
    }
    let dry_run = |namespace: &str| {
        let metadata = format!(r#""name":"p","namespace":"{namespace}","annotations":{{"istio.io/dry-run":"on"}}"#);
        read(WORKLOAD, &[object(&metadata, "{}")])
    };
    assert_eq!(dry_run("stock"), Ok(0));
    assert!(dry_run("shop").unwrap_err().contains("`on` is not one of `true`, `false`"));
}

#[test]
fn a_damaged_scope_is_a_problem_whoever_it_is_for() {
    let cases = [
        (r#""name":"p""#, "{}", ".metadata: `namespace` is missing"),
        (r#""name":"p","namespace":1"#, "{}", ".metadata.namespace: expected a string"),
        (r#""namespace":"stock""#, "{}", ".metadata: `name` is missing"),
        (r#""name":"p","namespace":"stock""#, "[]", ".spec: expected an object"),
        (r#""name":"p","namespace":"stock""#, r#"{"selector":{"matchLabel":{}}}"#, "did you mean `matchLabels`?"),
        (r#""name":"p","namespace":"stock""#, r#"{"selector":{"matchLabels":{"a*":"b"}}}"#, "`*` is not supported"),
        (r#""name":"p","namespace":"stock""#, r#"{"selector":{"matchLabels":{"a":1}}}"#, "expected a string"),
        (r#""name":"p","namespace":"stock""#, r#"{"selectr":{}}"#, "did you mean `selector`?"),
        (r#""name":"p","namespace":"stock""#, r#"{"targetRefs":{}}"#, ".spec.targetRefs: expected a list"),
        (r#""name":"p","namespace":"stock""#, r#"{"targetRefs":[{"kind":"Service"}]}"#, "`name` is missing"),
        (
            r#""name":"p","namespace":"shop""#,
            r#"{"selector":{"matchLabels":{"app":"x"}},"targetRefs":[{"kind":"Service","name":"a"}]}"#,
            "exclude each other",
        ),
        (r#""name":"p","namespace":"stock""#, r#"{"selector":{},"selector":{}}"#, "key is given twice"),
    ];
    let mut rows = Rows::default();
    for (metadata, spec, expected) in cases {
        let found = read(WORKLOAD, &[object(metadata, spec)]).unwrap_err();
        rows.contains(format!("{metadata} {spec}"), &found, expected);
    }
    let misspelt = r#"{"kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"stock"},"spce":{}}"#;
    assert!(read(WORKLOAD, &[misspelt.to_owned()]).unwrap_err().contains("did you mean `spec`?"));
}

#[test]
fn a_name_is_given_once_in_a_namespace() {
    let named = |namespace: &str, spec: &str| object(&format!(r#""name":"p","namespace":"{namespace}""#), spec);
    let elsewhere = r#"{"selector":{"matchLabels":{"app":"x"}}}"#;
    let mut rows = Rows::default();
    for (first, second, twice) in [
        (named("shop", "{}"), named("shop", "{}"), true),
        (named("shop", elsewhere), named("shop", "{}"), true),
        (named("stock", "{}"), named("stock", elsewhere), true),
        (named("shop", "{}"), named("stock", "{}"), false),
    ] {
        let found = read(WORKLOAD, &[first, second]);
        let says_so = found.as_ref().is_err_and(|found| found.contains("is given twice"));
        rows.check(format!("{found:?}"), says_so, twice);
        rows.check(format!("{found:?}"), found.is_err(), twice);
    }
}
