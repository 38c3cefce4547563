//! Wrong layouts: each is refused by those who would refuse it, under their names, in a folder and in a registry.

use super::server::Server;
use super::{folder, run, weir};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use weir_oci::{Config, Descriptor, Digest, Index, Manifest, NewLayout, Platform, Raw, RootFs, Sink};
use weir_testing::Rows;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const SOLO: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const README: &str = "application/vnd.module.wasm.doc.v1+markdown";

/// A manifest or index, and everything that it names.
#[derive(Clone)]
pub(crate) struct Written {
    blobs: Vec<(Descriptor, Vec<u8>)>,
    children: Vec<Raw>,
    root: Raw,
}

/// An archive as GNU tar's, with files of mode 0644.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn image(config: (&str, Vec<u8>), layers: &[(&str, Vec<u8>)]) -> Written {
    let config = (Descriptor::of(config.0, &config.1), config.1);
    let layers: Vec<(Descriptor, Vec<u8>)> =
        layers.iter().map(|(media_type, bytes)| (Descriptor::of(media_type, bytes), bytes.clone())).collect();
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        config: config.0.clone(),
        layers: layers.iter().map(|(descriptor, _)| descriptor.clone()).collect(),
        annotations: BTreeMap::new(),
    };
    let root = Raw { media_type: MANIFEST.to_owned(), bytes: serde_json::to_vec(&manifest).unwrap() };
    Written { blobs: [vec![config], layers].concat(), children: Vec::new(), root }
}

/// A configuration for layers that unpack to these archives.
fn config(archives: &[&[u8]]) -> (&'static str, Vec<u8>) {
    let diff_ids = archives.iter().map(|bytes| Digest::of(bytes)).collect();
    let rootfs = RootFs { kind: "layers".to_owned(), diff_ids };
    let config = Config { architecture: "amd64".to_owned(), os: "linux".to_owned(), rootfs, ..Config::default() };
    (CONFIG, serde_json::to_vec(&config).unwrap())
}

/// An image of one gzipped layer with these files.
pub(crate) fn plain(files: &[(&str, &[u8])]) -> Written {
    let archive = tar(files);
    image(config(&[&archive]), &[(TAR_GZIP, gzip(&archive))])
}

fn index(children: &[(&str, Written)]) -> Written {
    let (mut blobs, mut raw, mut manifests) = (Vec::new(), Vec::new(), Vec::new());
    for (platform, child) in children {
        let (os, architecture) = platform.split_once('/').unwrap();
        let platform = Some(Platform { os: os.to_owned(), architecture: architecture.to_owned() });
        manifests.push(Descriptor { platform, ..Descriptor::of(MANIFEST, &child.root.bytes) });
        blobs.extend(child.blobs.clone());
        raw.push(child.root.clone());
    }
    let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests };
    let root = Raw { media_type: INDEX.to_owned(), bytes: serde_json::to_vec(&index).unwrap() };
    Written { blobs, children: raw, root }
}

/// Writes a layout.
pub(crate) fn write(folder: &Path, name: &str, written: &Written) {
    let mut layout = NewLayout::begin(&folder.join(name), None).unwrap();
    for (descriptor, bytes) in &written.blobs {
        layout.put_blob(descriptor, bytes.clone()).unwrap();
    }
    for child in &written.children {
        layout.put_manifest(child, false).unwrap();
    }
    layout.put_manifest(&written.root, true).unwrap();
    layout.finish().unwrap();
}

/// A small module that an Envoy loads.
fn module() -> Vec<u8> {
    wat::parse_str("(module (func (export \"proxy_abi_version_0_2_1\")))").unwrap()
}

#[test]
fn each_is_refused_by_name_in_a_folder_and_in_a_registry() {
    let (folder, server) = (folder(), Server::plain());
    let module = module();
    let archive = tar(&[("plugin.wasm", &module)]);
    let packed = gzip(&archive);
    let good = plain(&[("plugin.wasm", &module)]);
    let large = tar(&[("first", &vec![0; 256 << 20]), ("plugin.wasm", &module)]);
    // Istio, Envoy Gateway, Higress, image volume, Envoy: who accepts; then words of the refusal.
    let rows: Vec<(&str, Written, [bool; 5], &str)> = vec![
        ("good", good.clone(), [true; 5], ""),
        (
            "zstd",
            image(config(&[&archive]), &[(TAR_ZSTD, b"(\xb5/\xfd".to_vec())]),
            [false, false, false, true, false],
            "zstd",
        ),
        (
            "tar",
            image(config(&[&archive]), &[(TAR, archive.clone())]),
            [false, false, false, true, false],
            "is not compressed",
        ),
        (
            "single-artifact",
            image(("application/vnd.oci.empty.v1+json", b"{}".to_vec()), &[(SOLO, module.clone())]),
            [false; 5],
            "exactly two layers",
        ),
        (
            "cncf",
            image(("application/vnd.wasm.config.v0+json", b"{}".to_vec()), &[("application/wasm", module.clone())]),
            [false; 5],
            "CNCF Wasm artifact",
        ),
        (
            "not-last",
            image(config(&[&archive]), &[(TAR_GZIP, packed.clone()), (README, b"# Readme".to_vec())]),
            [false, false, false, true, false],
            "the archive is layer 1 of 2",
        ),
        ("arm64-only", index(&[("linux/arm64", good.clone())]), [false; 5], "linux/amd64"),
        (
            "both",
            index(&[("linux/arm64", plain(&[("x", b"x")])), ("linux/amd64", good.clone())]),
            [true; 5],
            "not the index",
        ),
        ("no-plugin", plain(&[("main.wasm", &module)]), [false; 5], "no file named `plugin.wasm`"),
        ("not-wasm", plain(&[("plugin.wasm", b"(module)")]), [false; 5], "is not WebAssembly"),
        ("component", plain(&[("plugin.wasm", &wat::parse_str("(component)").unwrap())]), [false; 5], "is a component"),
        (
            "large",
            image(config(&[&large]), &[(TAR_GZIP, gzip(&large))]),
            [false, false, false, true, false],
            "at most 268435456 bytes",
        ),
        (
            "no-rootfs",
            image((CONFIG, b"{}".to_vec()), &[(TAR_GZIP, packed.clone())]),
            [true, true, true, false, true],
            "`rootfs.diff_ids` of the configuration has 0 digests",
        ),
        (
            "empty-config",
            image(("application/vnd.oci.empty.v1+json", b"{}".to_vec()), &[(TAR_GZIP, packed)]),
            [true, true, true, false, true],
            "a node mounts images only",
        ),
    ];
    let consumers = ["istio", "envoy-gateway", "higress", "image-volume", "envoy"];
    let mut table = Rows::default();
    for (name, written, accepted, words) in rows {
        write(folder.path(), name, &written);
        let reference = server.reference(&format!("wrong/{name}:1"));
        let (code, output) = run(&mut weir(folder.path(), &["push", name, &reference]));
        table.check(format!("{name}: push {output}"), code, Some(0));
        for place in [name, &reference] {
            let (code, output) = run(&mut weir(folder.path(), &["verify", place]));
            table.check(format!("{name}: {output}"), code, Some(i32::from(accepted != [true; 5])));
            table.contains(format!("{name}: verify {place}"), &output, words);
            for (consumer, accepted) in consumers.into_iter().zip(accepted) {
                let word = if accepted { "accepted" } else { "refused" };
                table.contains(format!("{name}: {place}"), &output, &format!("{consumer:<14} {word:<9}"));
            }
        }
    }
}

#[test]
fn a_pin_is_compared_with_what_its_consumer_compares() {
    let (folder, server) = (folder(), Server::plain());
    let module = module();
    let good = plain(&[("plugin.wasm", &module)]);
    write(folder.path(), "image", &good);
    let both = index(&[("linux/amd64", good.clone())]);
    write(folder.path(), "index", &both);
    let reference = server.reference("weir/index:1");
    let manifest = Digest::of(&good.root.bytes);
    let (index, plugin, layer) = (Digest::of(&both.root.bytes), Digest::of(&module), good.blobs[1].0.digest.clone());
    let of_registry = format!("{}@{index}", server.reference("weir/index"));
    assert_eq!(run(&mut weir(folder.path(), &["push", "index", &reference])), (Some(0), format!("{of_registry}\n")));
    let rows: [(&str, &str, Option<&Digest>, Option<&str>); 10] = [
        ("istio", "image", Some(&manifest), None),
        (
            "istio",
            "image",
            Some(&plugin),
            Some("is the digest of plugin.wasm; Istio's agent compares it with that of the image manifest"),
        ),
        ("envoy-gateway", "image", Some(&layer), Some("is the digest of the layer; Envoy Gateway compares")),
        ("higress", &reference, Some(&index), Some("is the digest of the index; Higress's agent compares")),
        ("istio", &reference, Some(&manifest), None),
        // The digest of a URL is what Istio compares, and the registry finds the index by it all the same.
        ("istio", &of_registry, None, Some("is the digest of the index")),
        ("image-volume", &of_registry, None, None),
        ("envoy", &of_registry, None, None),
        ("envoy", &reference, Some(&plugin), None),
        ("envoy", &reference, Some(&manifest), Some("`remote.sha256` is of the bytes that are served")),
    ];
    let mut table = Rows::default();
    for (consumer, place, pin, refused) in rows {
        let pin = pin.map(ToString::to_string);
        let mut arguments = vec!["verify", place, "--for", consumer];
        arguments.extend(pin.iter().flat_map(|pin| ["--pin", pin.as_str()]));
        let (code, output) = run(&mut weir(folder.path(), &arguments));
        table.check(format!("{arguments:?}: {output}"), code, Some(i32::from(refused.is_some())));
        table.contains(format!("{arguments:?}"), &output, refused.unwrap_or_default());
    }
    // Which consumer a pin is for must be said: each compares another digest.
    let (code, output) = run(&mut weir(folder.path(), &["verify", "image", "--pin", &manifest.to_string()]));
    table.check(output, code, Some(2));
}

/// What is in an archive or a folder may have any name, and is printed as a part of its line.
#[test]
fn names_in_an_image_make_no_lines() {
    let folder = folder();
    let forged = format!("x (1 bytes)\nsha256:{}  the image manifest", "e".repeat(64));
    let mut written = plain(&[("plugin.wasm", &module()), (&forged, b"x"), ("\u{1b}[2Jy\u{9b}0m", b"y")]);
    let mut manifest: Manifest = serde_json::from_slice(&written.root.bytes).unwrap();
    manifest.annotations.insert("note\u{1b}[2J".to_owned(), "a\nsha256:0".to_owned());
    written.root.bytes = serde_json::to_vec(&manifest).unwrap();
    write(folder.path(), "image", &written);
    let index = folder.path().join("image/index.json");
    let mut two: serde_json::Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    let mut table = Rows::default();
    let mut check = |name: &str, arguments: &[&str], words: &str| {
        let (_, output) = run(&mut weir(folder.path(), arguments));
        table.contains(name, &output, words);
        let is_forged = |line: &str| line.starts_with("sha256:e") || line.starts_with("sha256:0 ");
        table.check(format!("{name}: {output}"), output.lines().any(is_forged), false);
        table.check(format!("{name}: active"), output.contains(|char: char| char != '\n' && char.is_control()), false);
    };
    check("inspect", &["inspect", "image"], "x (1 bytes)\\u{a}sha256:eeee");
    check("inspect: annotations", &["inspect", "image"], "note\\u{1b}[2J=a\\u{a}sha256:0\n");
    check("inspect as JSON", &["inspect", "image", "--output", "json"], "\\u001b[2Jy\\u009b0m");
    let mut other = two["manifests"][0].clone();
    other["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "a\nsha256:eee\u{1b}"});
    two["manifests"].as_array_mut().unwrap().push(other);
    std::fs::write(&index, two.to_string()).unwrap();
    check("names of a folder", &["verify", "image"], "a\\u{a}sha256:eee\\u{1b}");
}
