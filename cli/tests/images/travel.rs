//! One digest all the way: from the folder to the registry, to skopeo and back, and into Envoy.

use super::server::Server;
use super::{folder, printed, run, skopeo, weir, workspace};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use weir_launch::{Client, Launch, Protocol, Request};
use weir_oci::{Digest, Manifest};

/// Packs a module into a folder and returns the digest.
pub(crate) fn pack(folder: &Path, module: &str, output: &str) -> String {
    let reference = printed(&mut weir(folder, &["pack", "--module", module, "--output", output]));
    reference.rsplit_once('@').unwrap().1.to_owned()
}

/// The blobs of a layout, by name.
fn blobs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// The digest that the index of a layout names, and the manifest.
fn manifest(folder: &Path) -> (String, Manifest) {
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let bytes = &blobs(folder)[digest.strip_prefix("sha256:").unwrap()];
    assert_eq!(Digest::of(bytes).to_string(), digest);
    (digest, serde_json::from_slice(bytes).unwrap())
}

#[test]
fn the_digest_is_the_same_in_the_folder_the_registry_skopeo_and_back() {
    let (folder, server) = (folder(), Server::plain());
    let path = folder.path();
    let digest = pack(path, "suite", "packed");
    let (tagged, pinned) =
        (server.reference("weir/suite:0.1.0"), format!("{}@{digest}", server.reference("weir/suite")));
    assert_eq!(printed(&mut weir(path, &["push", "packed", &tagged])), pinned);
    // Once more changes nothing.
    assert_eq!(printed(&mut weir(path, &["push", "packed", &tagged])), pinned);

    let inspected = printed(&mut skopeo(path, &["inspect", "--tls-verify=false", &format!("docker://{tagged}")]));
    assert_eq!(serde_json::from_str::<Value>(&inspected).unwrap()["Digest"], json!(digest));
    printed(&mut skopeo(
        path,
        &["copy", "-q", "--src-tls-verify=false", &format!("docker://{pinned}"), "oci:by-skopeo:0.1.0"],
    ));
    assert_eq!(printed(&mut weir(path, &["pull", &pinned, "--output", "pulled"])), pinned);
    assert_eq!(printed(&mut weir(path, &["pull", &format!("oci://{tagged}"), "--output", "plugin.wasm"])), pinned);
    for copy in ["by-skopeo", "pulled"] {
        assert_eq!(manifest(&path.join(copy)).0, digest, "{copy}");
        assert_eq!(blobs(&path.join(copy)), blobs(&path.join("packed")), "{copy}");
    }
    assert!(fs::read(path.join("plugin.wasm")).unwrap() == fs::read(workspace().join("dist/suite.wasm")).unwrap());
    // And what skopeo wrote is taken for what it is.
    let copied = server.reference("weir/copied:1");
    assert!(printed(&mut weir(path, &["push", "by-skopeo:0.1.0", &copied])).ends_with(&digest));
}

#[test]
fn what_is_pulled_runs_in_envoy() {
    let (folder, server) = (folder(), Server::plain());
    let path = folder.path();
    pack(path, "policy", "packed");
    let reference = server.reference("weir/policy:0.1.0");
    let pinned = printed(&mut weir(path, &["push", "packed", &reference]));
    printed(&mut weir(path, &["pull", &pinned, "--output", "plugin.wasm"]));
    let document = json!({"schema": 1, "name": "cart", "workload": {"namespace": "shop"}, "policies": [{
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "deny", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/admin"]}}]}]},
    }]});
    let envoy = start(&path.join("plugin.wasm"), &document).unwrap();
    let listener = envoy.listeners().unwrap()["http"];
    let client = Client::new().unwrap();
    for (path, status) in [("/", 200), ("/admin", 403)] {
        assert_eq!(
            client.send(listener, Protocol::Http1, &Request::new("GET", "shop", path)).unwrap().status,
            status,
            "{path}"
        );
    }
}

/// An Envoy with a module in front of a reply of its own.
fn start(module: &Path, document: &Value) -> Result<weir_launch::Envoy, weir_launch::StartError> {
    let filters = json!([
        {"name": "weir", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": document.to_string()},
            },
        }},
        {"name": "envoy.filters.http.router",
         "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
    ]);
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    });
    let bootstrap = json!({
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {"listeners": [{
            "name": "http",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        }]},
    });
    let binary = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).unwrap();
    Launch::new(&binary).unwrap().start(&bootstrap.to_string())
}

/// What `weir verify` says of the Envoy behind every consumer is what a real one does.
#[test]
fn an_envoy_refuses_the_modules_that_verify_says_it_refuses() {
    let folder = folder();
    let rows = [
        ("component", "(component)", "is a component"),
        ("foreign", "(module (func (export \"_start\")))", "Missing or unknown Proxy-Wasm ABI version"),
        ("future", "(module (func (export \"proxy_abi_version_9_0_0\")))", "Missing or unknown Proxy-Wasm ABI version"),
    ];
    for (name, text, words) in rows {
        let file = folder.path().join(format!("{name}.wasm"));
        fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
        super::layouts::write(
            folder.path(),
            name,
            &super::layouts::plain(&[("plugin.wasm", &fs::read(&file).unwrap())]),
        );
        let (code, output) = run(&mut weir(folder.path(), &["verify", name, "--for", "envoy"]));
        assert!(code == Some(1) && output.contains(words), "{name}: {output}");
        let log = start(&file, &json!({})).map(|_| ()).unwrap_err().log().join("\n");
        let said = if words.starts_with("Missing") { words } else { "Wasm" };
        assert!(log.contains(said), "{name}: {log}");
    }
}

#[test]
fn an_image_does_not_depend_on_where_and_when_it_is_made() {
    let (one, two) = (folder(), folder());
    fs::create_dir_all(two.path().join("another/place")).unwrap();
    let first = pack(one.path(), "suite", "image");
    let mut command = weir(&two.path().join("another/place"), &["pack", "--module", "suite", "--output", "image"]);
    command.env("TZ", "Pacific/Auckland").env("LC_ALL", "tr_TR.UTF-8").env("SOURCE_DATE_EPOCH", "1700000000");
    let second = printed(&mut command);
    assert!(second.ends_with(&first), "{second} {first}");
    assert_eq!(blobs(&one.path().join("image")), blobs(&two.path().join("another/place/image")));
}

/// The layer as GNU tar sees it.
#[test]
fn what_belongs_to_a_module_lies_beside_it() {
    let folder = folder();
    let path = folder.path();
    pack(path, "rate-limit-lean", "image");
    let (_, manifest) = manifest(&path.join("image"));
    let layer = path.join("image/blobs/sha256").join(manifest.layers[0].digest.hex());
    let listed = printed(Command::new("tar").args(["--utc", "--numeric-owner", "-tvzf"]).arg(&layer));
    let names: Vec<&str> = listed.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(names, ["LICENSE", "config.schema.json", "licenses.txt", "plugin.wasm", "sbom.cdx.json"]);
    assert!(
        listed.lines().all(|line| line.starts_with("-rw-r--r-- 0/0 ") && line.contains(" 1970-01-01 00:00 ")),
        "{listed}"
    );
    printed(Command::new("tar").args(["-xzf"]).arg(&layer).arg("-C").arg(path));
    let plugin = fs::read(path.join("plugin.wasm")).unwrap();
    assert!(plugin == fs::read(workspace().join("dist/rate-limit-lean.wasm")).unwrap());
    assert_eq!(fs::read(path.join("LICENSE")).unwrap(), fs::read(workspace().join("LICENSE")).unwrap());

    let sbom: Value = serde_json::from_slice(&fs::read(path.join("sbom.cdx.json")).unwrap()).unwrap();
    let named = |name: &str| sbom["components"].as_array().unwrap().iter().any(|component| component["name"] == name);
    assert_eq!(sbom["metadata"]["component"]["hashes"][0]["content"], json!(Digest::of(&plugin).hex()));
    // What the manifest of the crate has, what it brings along, and what the toolchain does; not what only another module has.
    for (name, expected) in
        [("siphasher", true), ("serde_core", true), ("wasi-libc", true), ("weir-policy", false), ("clap", false)]
    {
        assert_eq!(named(name), expected, "{name}");
    }
    let licenses = fs::read_to_string(path.join("licenses.txt")).unwrap();
    for words in ["siphasher 1.", "Copyright (c) 2005-2020 Rich Felker", "Copyright (c) 2016 Amanieu d'Antras"] {
        assert!(licenses.contains(words), "{words}");
    }
    assert_eq!(manifest.annotations["weir.module"], "rate-limit-lean");
}

#[test]
fn of_a_module_that_is_not_ours_no_bill_of_materials_is_made_up() {
    let folder = folder();
    let path = folder.path();
    fs::copy(workspace().join("dist/sdk-log.wasm"), path.join("other.wasm")).unwrap();
    let other = ["pack", "--module", "policy", "--file", "other.wasm", "--output", "image"];
    let output = printed(&mut weir(path, &other));
    assert!(output.contains("the image gets no sbom.cdx.json and licenses.txt"), "{output}");
    let inspected = printed(&mut weir(path, &["inspect", "image", "--output", "json"]));
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let files: Vec<&str> =
        inspected["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(files, ["LICENSE", "config.schema.json", "plugin.wasm"]);
    fs::write(path.join("text.wasm"), "(module)").unwrap();
    let (code, output) =
        run(&mut weir(path, &["pack", "--module", "policy", "--file", "text.wasm", "--output", "other"]));
    assert!(code == Some(1) && output.contains("`plugin.wasm`: does not begin with `\\0asm`"), "{output}");
    assert!(!path.join("other").exists());
    let (code, output) = run(&mut weir(path, &["pack", "--module", "policy", "--output", "image"]));
    assert!(code == Some(2) && output.contains("`image` is there already"), "{output}");
}
