use super::*;

/// As `docker build` 20.10 writes the configuration of `FROM scratch`, `COPY plugin.wasm /plugin.wasm`, shortened.
const DOCKER: &str = r#"{"architecture":"amd64","config":{"Hostname":"","AttachStdin":false,"Env":["PATH=/bin"],
"Cmd":null,"Volumes":null,"OnBuild":null,"Labels":null},"created":"2026-11-27T07:39:11.5Z","history":[{"created":
"2026-11-27T07:39:11.5Z","created_by":"/bin/sh -c #(nop) COPY"}],"os":"linux","rootfs":{"type":"layers","diff_ids":
["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;

#[test]
fn what_docker_writes_is_read() {
    let config: Config = serde_json::from_str(DOCKER).unwrap();
    assert_eq!(config.rootfs, RootFs { kind: "layers".to_owned(), diff_ids: vec![Digest::of(b"")] });
    assert!(config.config.labels.is_empty());
    let descriptor = r#"{"mediaType": "x", "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size": 0}"#;
    let manifest = format!(r#"{{"schemaVersion": 2, "config": {descriptor}, "layers": null, "annotations": null}}"#);
    assert!(serde_json::from_str::<Manifest>(&manifest).unwrap().layers.is_empty());
    assert!(serde_json::from_str::<Index>(r#"{"schemaVersion": 2, "manifests": null}"#).unwrap().manifests.is_empty());
}

#[test]
fn a_descriptor_of_another_algorithm_is_refused_with_its_text() {
    let text = r#"{"mediaType": "x", "digest": "sha512:abc", "size": 0}"#;
    let refused = serde_json::from_str::<Descriptor>(text).unwrap_err().to_string();
    assert!(refused.contains("`sha512:abc` is not a SHA-256 digest"), "{refused}");
}
