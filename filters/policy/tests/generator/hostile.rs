//! Many rules that are alike: long lists in the index, exclusions, long lists of values, nested patterns.

use super::Random;
use serde_json::{Value, json};

/// The rules of one policy, each unlike the others in one value.
pub(crate) fn rules(random: &mut Random) -> Vec<Value> {
    let count = 5 + random.below(130);
    let shape = random.below(11);
    let path = random.pick(&["/a/b", "/a*", "*b", "/{**}/b", "*"]);
    let method = random.pick(&["GET", "G*", "POST"]);
    // Up to this many values in a list: more than are looked through one by one, or fewer.
    let long = 2 + random.below(20);
    (0..count).map(|index| rule(random, shape, index, (path, method, long))).collect()
}

fn rule(random: &mut Random, shape: usize, index: usize, common: (&str, &str, usize)) -> Value {
    let (path, method, long) = common;
    let to = |operation: Value| json!({"to": [{"operation": operation}]});
    let from = |source: Value| json!({"from": [{"source": source}]});
    let when = |key: &str, field: &str, values: Value| json!({"when": [{"key": key, field: values}]});
    let nested = "a".repeat(index % 40);
    let own = format!("own-{index}");
    let ranges: Vec<String> = (0..long).map(|n| format!("10.{}.{}.0/24", (index + n) % 12, n % 4)).collect();
    let values: Vec<String> = (0..long).map(|n| format!("{}", (index + n) % 24)).collect();
    match shape {
        0 => to(json!({"paths": [path], "notMethods": [method, own]})),
        1 => to(json!({"notMethods": [method, own], "notPaths": ["/none/*", format!("/{own}")]})),
        2 => to(json!({"paths": [format!("/{{**}}/s{}", index % 20), format!("/{{*}}/{{**}}/s{index}/t")]})),
        3 => from(json!({"notRemoteIpBlocks": ranges, "ipBlocks": ranges})),
        4 => from(json!({"namespaces": [format!("n{}*", index % 4), format!("team-{index}-*")]})),
        5 => when(&format!("request.headers[{}]", random.pick(&["x", "Y-y", "z"])), "values", json!(values)),
        6 => when("request.headers[x]", "notValues", json!(["1", own])),
        7 => to(
            json!({"paths": [format!("/{nested}*"), format!("/{nested}b*")], "notMethods": [method], "ports": ["80", "8080"]}),
        ),
        8 => to(
            json!({"paths": [format!("*{nested}a")], "methods": [method, "PUT"], "notPaths": [format!("*{nested}ab"), "/a"]}),
        ),
        // Where another item may hold, an excluded one decides nothing.
        9 => json!({"to": [
            {"operation": {"paths": [path], "notMethods": [method, own]}},
            {"operation": {"paths": [format!("/a/{{*}}{}", if index.is_multiple_of(9) { "" } else { "/none" })]}},
        ]}),
        _ => json!({
            "from": [{"source": {"principals": [own, "td/ns/*"]}}, {"source": {"notPrincipals": ["*"]}}],
            "to": [{"operation": {"hosts": ["h*"], "notPorts": ["80", (index % 70).to_string()]}}],
        }),
    }
}
