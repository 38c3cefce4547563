use super::{configuration, fields};
use crate::log::Format;
use crate::replay::options::For;
use serde_json::json;
use weir_policy::{Knowledge, RequestField};

fn claim(names: &[&str]) -> RequestField {
    RequestField::Claim(names.iter().map(|name| Box::from(*name)).collect())
}

#[test]
fn the_format_has_what_is_asked_for_and_a_line_of_it_is_understood() {
    let metadata = RequestField::MetadataValue { filter: "envoy.filters.http.x".into(), key: "k".into() };
    let asked = [
        RequestField::Header("x-user".into()),
        RequestField::Header("user-agent".into()),
        RequestField::Principal,
        RequestField::ServerName,
        RequestField::DestinationPort,
        RequestField::RequestPrincipal,
        claim(&["realm_access", "roles"]),
        metadata,
    ];
    let format = fields(asked.iter());
    assert_eq!(format["headers"], json!({"x-user": "%REQ(X-USER)%", "user-agent": "%REQ(USER-AGENT)%"}));
    assert_eq!(format["joined_headers"], json!({"x-user": "%CEL(request.headers['x-user'])%"}));
    assert_eq!(
        format["claims"]["realm_access"]["roles"],
        "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:realm_access:roles)%"
    );
    // As Envoy would write it for a request that has none of it, read without the format and with it.
    let given = Format::read(&format.to_string()).unwrap();
    let mut line = format.clone();
    empty(&mut line);
    line["method"] = json!("GET");
    line["path"] = json!("/");
    line["authority"] = json!("h");
    line["downstream_remote_address"] = json!("192.0.2.1:1");
    line["downstream_direct_remote_address"] = json!("192.0.2.1:1");
    line["downstream_local_address"] = json!("192.0.2.2:80");
    let line = line.to_string();
    for format in [Format::default(), given] {
        let record = format.record(line.as_bytes()).unwrap();
        let always = [RequestField::Method, RequestField::Path, RequestField::Host, RequestField::RemoteAddress];
        for field in asked.iter().chain(&always) {
            assert_eq!(record.knowledge(field), Knowledge::Whole, "{field}");
        }
        for field in [RequestField::Header("x-other".into()), claim(&["other"]), claim(&["realm_access", "other"])] {
            assert_eq!(record.knowledge(&field), Knowledge::Nothing, "{field}");
        }
    }
}

/// Puts null where operators are.
fn empty(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => fields.values_mut().for_each(empty),
        value => *value = json!(null),
    }
}

#[test]
fn claims_that_no_operator_can_name_take_the_whole_payload() {
    for asked in [claim(&["https://a.example/roles"]), RequestField::Claims, claim(&["a)"])] {
        let format = fields([&asked].into_iter());
        assert_eq!(format["jwt_payload"], "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload)%", "{asked}");
        assert_eq!(format.get("claims"), None);
    }
    let nested = [claim(&["a"]), claim(&["a", "b"])];
    assert!(fields(nested.iter()).get("jwt_payload").is_some());
}

#[test]
fn the_configuration_is_that_of_envoy_and_of_istio() {
    let format = fields([].into_iter());
    let envoy = configuration(&format, For::Envoy);
    assert!(envoy.contains("  log_format:\n") && envoy.contains("json_format:\n"), "{envoy}");
    let istio = configuration(&format, For::Istio);
    for part in ["envoyFileAccessLog:\n", "labels:\n", "---\n", "kind: Telemetry\n"] {
        assert!(istio.contains(part), "{istio}");
    }
}
