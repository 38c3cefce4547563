//! Istio's own decisions through `weir explain --requests`.

use super::run;
use serde_json::{Map, Value, json};
use std::fs;
use weir_testing::{Outcome, Score, read};

/// A row of the case file as a request.
fn request(row: &Value, own_address: &Value) -> Value {
    let mut request = Map::new();
    let mut set = |name: &str, value: &Value| {
        if !value.is_null() && *value != "" {
            request.insert(name.to_owned(), value.clone());
        }
    };
    for name in ["method", "path", "host", "sni"] {
        set(name, &row[name]);
    }
    if row["proto"] == "tcp" {
        set("protocol", &row["proto"]);
    }
    let headers = row["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| {
        (name.clone(), json!(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)))
    });
    set("headers", &Value::Object(headers.collect()));
    let (source, mut from) = (&row["src"], Map::new());
    from.insert("directIp".to_owned(), source["ip"].clone());
    from.insert(
        "ip".to_owned(),
        if row["remote_ip"].is_null() { source["ip"].clone() } else { row["remote_ip"].clone() },
    );
    if source["principal"] != "" {
        from.insert("principal".to_owned(), json!(format!("spiffe://{}", source["principal"].as_str().unwrap())));
    }
    set("source", &Value::Object(from));
    set("destination", &json!({"ip": own_address, "port": row["dst_port"]}));
    if row["jwt_claims"].is_object() {
        set("jwt", &json!({"claims": row["jwt_claims"]}));
    }
    Value::Object(request)
}

#[test]
fn istios_own_decisions_are_the_answers() {
    let Some(file) = read::<Value>("istio-authz-decisions.yaml") else { return };
    let mut score = Score::new("istio-authz-decisions.yaml explained");
    for group in file["groups"].as_array().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let workload = &group["workload"];
        let list = json!({"kind": "List", "items": group["policies"]});
        fs::write(folder.path().join("policies.json"), list.to_string()).unwrap();
        let root = group["root_namespace"].as_str().unwrap_or("istio-system");
        let document = json!({"schema": 1, "name": "b", "workload": {"rootNamespace": root}, "policies": []});
        fs::write(folder.path().join("document.json"), document.to_string()).unwrap();
        let labels: Vec<String> = workload["labels"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
            .collect();
        let rows: Vec<&Value> = group["requests"].as_array().unwrap().iter().collect();
        let requests: String = rows.iter().map(|row| format!("{}\n", request(row, &workload["ip"]))).collect();
        let id = format!("{}/b", workload["namespace"].as_str().unwrap());
        let labels = labels.join(",");
        let arguments = [".", "--workload", &id, "--labels", &labels, "--allow-no-policies", "--requests", "-"];
        let found = run(folder.path(), &arguments, &requests);
        let answers: Vec<Value> = found.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (place, row) in rows.iter().enumerate() {
            let answer = answers.get(place).cloned().unwrap_or_default();
            score.row(format!("{} {row} {}", group["id"], found.err), || {
                Outcome::equal(answer["decision"].clone(), row["expect"].clone())
            });
        }
    }
    assert!(score.passed() > 100, "{}", score.passed());
    score.end();
}
