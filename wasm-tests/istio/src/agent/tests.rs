//! The facts of `rows.yaml`.

use serde::Deserialize;
use serde_json::{Value, json};
use weir_testing::Rows;

use super::cache::{Cache, Wanted};
use super::{Agent, Fetched, PullPolicy, sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    refused: Vec<Conversion>,
    converted: Vec<Conversion>,
    untouched: Vec<Conversion>,
    cached: Vec<Lookup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversion {
    rule: String,
    #[serde(default)]
    typed: Option<Value>,
    #[serde(default, rename = "struct")]
    structure: Option<Value>,
    #[serde(default)]
    file: bool,
    #[serde(default)]
    stand_in: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup {
    rule: String,
    #[serde(default)]
    first: Option<Asked>,
    then: Asked,
    asks: bool,
    #[serde(default)]
    gives: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    #[serde(default)]
    checksum: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    policy: String,
}

const MODULE: &[u8] = b"\0asm\x01\0\0\0and more";
const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

fn facts() -> Facts {
    serde_yaml_ng::from_str(include_str!("rows.yaml")).unwrap()
}

/// The digest of the image's manifest.
fn manifest() -> String {
    sha256(b"a manifest")
}

fn fetch(url: &str, _: Option<&str>) -> Result<Fetched, String> {
    let file = |bytes: &[u8]| Ok(Fetched { module: bytes.to_vec(), manifest: None });
    match url.split_once("://").unwrap() {
        (_, "ok" | "files/m") => file(MODULE),
        (_, "files/other") => file(b"\0asm\x01\0\0\0another"),
        (_, "files/text") => file(b"only text"),
        ("oci", _) => Ok(Fetched { module: MODULE.to_vec(), manifest: Some(manifest()) }),
        _ => Err("not found".to_owned()),
    }
}

impl Conversion {
    fn resource(&self) -> Value {
        let structure = |value: &Value| json!({"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": HTTP, "value": value});
        let typed = self.structure.as_ref().map(structure).or_else(|| self.typed.clone());
        json!({"name": "p", "typed_config": typed})
    }

    fn convert(&self) -> Result<Value, String> {
        let directory = tempfile::tempdir().unwrap();
        let mut agent = Agent::new(directory.path().to_path_buf());
        let mut converted = agent.convert(&[self.resource()], &mut fetch).map_err(|nack| nack.to_string())?;
        // The file lies where the agent chooses.
        if let Some(file) = converted[0].pointer_mut("/typed_config/config/vm_config/code/local/filename") {
            assert_eq!(std::fs::read(file.as_str().unwrap()).unwrap(), MODULE);
            *file = json!("a file");
        }
        Ok(converted.remove(0))
    }
}

#[test]
fn resources_that_the_agent_refuses() {
    let mut table = Rows::default();
    for row in facts().refused {
        table.check(&row.rule, row.convert().is_err(), true);
    }
}

#[test]
fn resources_that_the_agent_converts() {
    let mut table = Rows::default();
    for row in facts().converted {
        let rbac = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
        let expected = match row.stand_in.as_deref() {
            Some("allow") => json!({"@type": rbac, "rules_stat_prefix": "wasm-default-allow"}),
            Some("deny") => json!({"@type": rbac, "rules_stat_prefix": "wasm-default-deny", "rules": {}}),
            Some("network") => json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
                "stat_prefix": "wasm-default-deny",
                "rules": {},
            }),
            _ => json!({"@type": HTTP, "config": {"vm_config": {"code": {"local": {"filename": "a file"}}}}}),
        };
        assert!(row.file != row.stand_in.is_some(), "{}: a file or a stand-in", row.rule);
        table.check(&row.rule, row.convert(), Ok(json!({"name": "p", "typed_config": expected})));
    }
}

#[test]
fn resources_that_pass() {
    let mut table = Rows::default();
    for row in facts().untouched {
        let converted = row.convert().map(|mut found| {
            if let Some(name) = found.pointer_mut("/typed_config/value/config/vm_config/code/local/filename") {
                *name = Value::Null;
            }
            found
        });
        table.check(&row.rule, converted, Ok(row.resource()));
    }
}

/// `mix` of TestWasmConvert: each resource has an answer of its own, and a fetch that failed spoils no other.
#[test]
fn resources_are_converted_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let resource = |url: &str| json!({"name": url, "typed_config": {"@type": HTTP, "config": {"vm_config": {"code": {"remote": {"http_uri": {"uri": url}}}}}}});
    let resources = [resource("http://no"), resource("http://ok")];
    let converted = Agent::new(directory.path().to_path_buf()).convert(&resources, &mut fetch).unwrap();
    let kinds: Vec<_> =
        converted.iter().map(|one| one["typed_config"]["@type"].as_str().unwrap().contains("rbac")).collect();
    assert_eq!(kinds, [true, false]);
}

#[test]
fn what_is_for_the_agent_does_not_reach_envoy() {
    let directory = tempfile::tempdir().unwrap();
    let variables = json!({
        "host_env_keys": ["POD"],
        "key_values": {"LEVEL": "high", "ISTIO_META_WASM_IMAGE_PULL_SECRET": "s", "ISTIO_META_ANYTHING": "x"},
    });
    let code = json!({"remote": {"http_uri": {"uri": "oci://reg/m"}, "sha256": "nil"}});
    let config = json!({"vm_config": {"code": code, "environment_variables": variables}});
    let resource = json!({"name": "p", "typed_config": {"@type": HTTP, "config": config}});
    let mut secrets = Vec::new();
    let mut asked = |url: &str, secret: Option<&str>| {
        secrets.push(secret.map(str::to_owned));
        fetch(url, secret)
    };
    let converted = Agent::new(directory.path().to_path_buf()).convert(&[resource], &mut asked).unwrap();
    let left = &converted[0]["typed_config"]["config"]["vm_config"]["environment_variables"];
    assert_eq!(*left, json!({"host_env_keys": ["POD"], "key_values": {"LEVEL": "high"}}));
    assert_eq!(secrets, [Some("s".to_owned())]);
}

#[test]
fn lookups_in_the_cache() {
    let mut table = Rows::default();
    for row in facts().cached {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(directory.path().to_path_buf());
        let mut count = 0;
        let mut get = |asked: &Asked| {
            let checksum = match asked.checksum.as_str() {
                "module" => sha256(MODULE),
                "manifest" => manifest(),
                other => other.to_owned(),
            };
            let policy = match asked.policy.as_str() {
                "Always" => PullPolicy::Always,
                "IfNotPresent" => PullPolicy::IfNotPresent,
                _ => PullPolicy::Unspecified,
            };
            let url = asked.url.replace("MANIFEST", &manifest());
            let wanted =
                Wanted { url: &url, checksum: &checksum, resource: "p", version: &asked.version, policy, secret: None };
            let mut counting = |url: &str, secret: Option<&str>| {
                count += 1;
                fetch(url, secret)
            };
            let found = cache.get(&wanted, &mut counting);
            (found, count)
        };
        let before = row.first.as_ref().map_or(0, |first| get(first).1);
        let (found, after) = get(&row.then);
        table.check(format!("{}: asks", row.rule), after > before, row.asks);
        match (&row.gives, &row.error) {
            (Some(gives), None) => {
                let sum = if gives == "module" { sha256(MODULE) } else { manifest() };
                let name = found.map(|file| file.file_name().unwrap().to_string_lossy().into_owned());
                table.check(&row.rule, name, Ok(format!("{sum}.wasm")));
            }
            (None, Some(error)) => table.contains(&row.rule, &found.unwrap_err(), error),
            _ => panic!("{}: a file or an error", row.rule),
        }
    }
}
