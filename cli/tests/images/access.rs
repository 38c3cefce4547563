//! Reaching a registry that has a certificate of its own authority and asks for a login.

use super::server::{PASSWORD, Server, USER};
use super::travel::pack;
use super::{folder, printed, run, skopeo, weir};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use weir_oci::Manifest;
use weir_testing::Rows;

/// Runs a command with a line of standard input.
fn told(mut command: Command, line: &str) -> (Option<i32>, String) {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

/// base64 as docker writes it into `auths`, by coreutils.
fn base64(text: &str) -> String {
    told(Command::new("base64"), text).1.trim_end().to_owned()
}

fn config(folder: &Path, name: &str, value: &serde_json::Value) {
    fs::create_dir_all(folder.join(name)).unwrap();
    fs::write(folder.join(name).join("config.json"), value.to_string()).unwrap();
}

#[test]
fn certificates_and_logins_are_found_where_docker_and_podman_keep_them() {
    let (folder, server) = (folder(), Server::guarded());
    let path = folder.path();
    let digest = pack(path, "telemetry", "image");
    let reference = server.reference("weir/telemetry:0.1.0");
    let ca = server.certificates().join("ca.crt").display().to_string();
    let push = |more: &[&str]| weir(path, &[&["push", "image", &reference], more].concat());
    let with_ca = |more: &[&str]| push(&[&["--ca-file", ca.as_str()], more].concat());
    let login = |more: &[&str]| with_ca(&[&["--username", USER, "--password-stdin"], more].concat());

    let mut table = Rows::default();
    let mut refused = |name: &str, (code, output): (Option<i32>, String), words: &str| {
        table.check(format!("{name}: {output}"), code, Some(2));
        table.contains(name, &output, words);
    };
    refused("no TLS", run(&mut push(&[])), "the registry answers 400 Bad Request (without TLS; `--ca-file` gives it");
    refused("no login", run(&mut with_ca(&[])), "the registry asks who you are: log in (`docker login 127.0.0.1:");
    refused("a wrong password", told(login(&[]), "guess\n"), "the registry asks who you are");
    refused("no password", told(login(&[]), "\n"), "standard input has no password");
    refused("no certificates", run(&mut push(&["--ca-file", "missing.crt"])), "`missing.crt` cannot be read");
    refused("both ways", run(&mut with_ca(&["--plain-http"])), "cannot be used with");
    let other = server.certificates().join("../other.crt").display().to_string();
    refused("an unknown authority", run(&mut push(&["--ca-file", &other])), "invalid peer certificate: UnknownIssuer");

    let pinned = format!("{}@{digest}\n", server.reference("weir/telemetry"));
    table.check("a password", told(login(&[]), &format!("{PASSWORD}\n")), (Some(0), pinned.clone()));
    let auth = base64(&format!("{USER}:{PASSWORD}"));
    let host = server.host();
    config(path, "auths", &json!({"auths": {host.as_str(): {"auth": auth}}}));
    config(path, "helper", &json!({"credHelpers": {host.as_str(): "of-the-test"}}));
    config(path, "store", &json!({"credsStore": "of-the-test"}));
    config(path, "none", &json!({"auths": {"registry.example.com": {"auth": auth}}}));
    config(path, "damaged", &json!({"auths": {host.as_str(): {"auth": "%%%"}}}));
    config(path, "failing", &json!({"credHelpers": {host.as_str(): "not-there"}}));
    for (name, text) in [("broken", "{\"auths\": "), ("other", "{\"auths\": []}"), ("empty", "\n")] {
        config(path, name, &json!({}));
        fs::write(path.join(name).join("config.json"), text).unwrap();
    }
    let helper = path.join("docker-credential-of-the-test");
    let answer = json!({"ServerURL": host, "Username": USER, "Secret": PASSWORD});
    fs::write(&helper, format!("#!/bin/sh\n[ \"$1 $(cat)\" = 'get {host}' ] && echo '{answer}'\n")).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    let pull = |output: &str| weir(path, &["pull", &reference, "--ca-file", &ca, "--output", output]);
    for (name, expected) in [
        ("auths", None),
        ("helper", None),
        ("store", None),
        ("none", Some("the registry asks who you are")),
        ("damaged", Some("cannot be read: Unable to decode credential: log in once more")),
        ("broken", Some("broken/config.json`, where the login of `")),
        ("other", Some("other/config.json`, where the login of `")),
        ("empty", Some("the registry asks who you are")),
        ("failing", Some("cannot be read: Unable to communicate with credential helper")),
    ] {
        let mut command = pull(&format!("pulled-{name}"));
        let (code, output) = run(command.env("DOCKER_CONFIG", path.join(name)).env("PATH", &search));
        table.check(format!("{name}: {output}"), code, Some(if expected.is_some() { 2 } else { 0 }));
        table.contains(name, &output, expected.unwrap_or(&digest));
    }
    let mut podman = pull("pulled-podman");
    podman.env("REGISTRY_AUTH_FILE", path.join("auths/config.json")).env("DOCKER_CONFIG", path.join("broken"));
    table.check("podman's file", run(&mut podman), (Some(0), pinned));

    let verify = ["verify", &reference, "--ca-file", &ca];
    let (code, output) = run(weir(path, &verify).env("DOCKER_CONFIG", path.join("auths")));
    table.check(format!("verify: {output}"), code, Some(0));
    let credentials = format!("{USER}:{PASSWORD}");
    let certificates = format!("--src-cert-dir={}", server.certificates().display());
    let from = format!("docker://{reference}");
    let copy = ["copy", "-q", &certificates, "--src-creds", &credentials, &from, "oci:by-skopeo:1"];
    printed(&mut skopeo(path, &copy));
    let index = fs::read_to_string(path.join("by-skopeo/index.json")).unwrap();
    table.contains("skopeo", &index, &digest);
}

#[test]
fn what_a_registry_lacks_or_spoils_is_told_apart() {
    let (folder, server) = (folder(), Server::plain());
    let path = folder.path();
    pack(path, "policy", "image");
    let reference = server.reference("weir/policy:0.1.0");
    let pinned = printed(&mut weir(path, &["push", "image", &reference]));
    let missing = server.reference("weir/policy:9");
    let mut table = Rows::default();
    let mut check = |name: &str, arguments: &[&str], code: i32, words: &str| {
        let (found, output) = run(&mut weir(path, arguments));
        table.check(format!("{name}: {output}"), found, Some(code));
        table.contains(name, &output, words);
    };
    check("no such tag", &["inspect", &missing], 2, "the registry has no such image: check the name and the tag");
    check(
        "no such digest",
        &["pull", &pinned.replace('@', "2@"), "--output", "x"],
        2,
        "the registry has no such image",
    );
    check("no registry", &["inspect", "127.0.0.1:1/weir/policy:1"], 2, "the registry cannot be reached");
    check(
        "a folder that is not there",
        &["verify", "dist/policy"],
        2,
        "neither a folder that is there nor a reference with a host",
    );
    check("no layout", &["push", "./image/blobs", &reference], 2, "no OCI image layout is there");
    check("push to a digest", &["push", "image", &pinned], 2, "push to a tag");

    let hex = pinned.rsplit_once(':').unwrap().1;
    let manifest: Manifest = serde_json::from_slice(&fs::read(server.blob(hex)).unwrap()).unwrap();
    let layer = server.blob(manifest.layers[0].digest.hex());
    let mut bytes = fs::read(&layer).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&layer, bytes).unwrap();
    check("a changed layer", &["pull", &reference, "--output", "pulled"], 1, "digest");
    check("a changed layer, to verify", &["verify", &reference], 1, "digest");
    fs::write(&layer, b"short").unwrap();
    check("a cut layer", &["pull", &reference, "--output", "plugin.wasm"], 1, "digest");
    assert!(!path.join("pulled").exists() && !path.join("plugin.wasm").exists());
}
