use super::*;

const FILE: &str = include_str!("../../../envoy-configs/envoy.yaml");

#[test]
fn only_what_is_asked_for_changes() {
    let before = Bootstrap::parse(FILE).unwrap();
    assert_eq!(before.ports(), Some(Ports { listener: 10000, admin: 9901 }));
    let mut after = before.clone();
    after.set_ports(Ports { listener: 1, admin: 2 });
    after.set_upstream("127.0.0.9", 3);
    let mut asked = Vec::new();
    after
        .set_modules(|file| {
            asked.push(file.to_owned());
            Ok("/x/suite.wasm".to_owned())
        })
        .unwrap();
    assert_eq!(asked, ["dist/suite.wasm"]);
    after.set_configuration(&json!({"schema": 1}));
    let text = after.to_json();
    for expected in
        ["\"port_value\":1}", "\"port_value\":2}", "\"port_value\":3}", "/x/suite.wasm", r#"{\"schema\":1}"#]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let size = |bootstrap: &Bootstrap| bootstrap.0["stats_config"]["stats_tags"].as_array().map(Vec::len);
    assert_eq!(size(&after), size(&before));
}

#[test]
fn a_named_upstream_is_resolved_and_a_missing_module_is_told() {
    let mut bootstrap = Bootstrap::parse(FILE).unwrap();
    bootstrap.set_upstream("app.example.com", 80);
    assert!(bootstrap.to_json().contains("STRICT_DNS"));
    assert_eq!(bootstrap.set_modules(|_| Err("no".to_owned())), Err("no".to_owned()));
    assert!(Bootstrap::parse("admin: {}").is_err());
    assert!(Bootstrap::parse("{").is_err());
}
