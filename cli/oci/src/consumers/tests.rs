use super::Consumer::{Envoy, EnvoyGateway, Gcp, Higress, ImageVolume, Istio};
use super::*;
use crate::testing::{Memory, archive, good_layer, gzip, module, tar_gz};
use crate::{Manifest, media};
use tar::EntryType;
use weir_testing::Rows;

const AGENTS: [Consumer; 3] = [Istio, EnvoyGateway, Higress];

fn judge(memory: &Memory, consumer: Consumer, pin: Option<&Digest>) -> Verdict {
    consumer.judge(&Image::open(memory).unwrap(), pin).unwrap()
}

/// What a consumer says, in one line.
fn said(verdict: &Verdict) -> String {
    let refusals: Vec<String> = verdict
        .refusals
        .iter()
        .map(|refusal| format!("{} [{}]", refusal.why, refusal.in_its_words.as_deref().unwrap_or_default()))
        .collect();
    format!("{}; {}; {}", verdict.takes.as_deref().unwrap_or_default(), refusals.join("; "), verdict.notes.join("; "))
}

fn oci(layers: &[(&str, Vec<u8>)]) -> Memory {
    Memory::image(media::OCI_MANIFEST, media::OCI_CONFIG, layers)
}

fn docker(layers: &[(&str, Vec<u8>)]) -> Memory {
    Memory::image(media::DOCKER_MANIFEST, media::DOCKER_CONFIG, layers)
}

/// The images of Istio's `pkg/wasm/imagefetcher_test.go` and what it says of each, and those of `cache_test.go`.
#[test]
fn the_agents_take_and_refuse_what_istios_own_tests_do() {
    let plain = || tar_gz(&[("plugin.wasm", &module(&[]))]);
    let other = || tar_gz(&[("other", b"a")]);
    let uncompressed = || archive("not-wasm.txt", EntryType::Regular, 0o644, b"a");
    let none = "number of layers must be greater than zero";
    let rows: Vec<(&str, Memory, Option<&str>)> = vec![
        ("docker: no layers", docker(&[]), Some(none)),
        ("docker: one layer", docker(&[(media::DOCKER_TAR_GZIP, plain())]), None),
        (
            "docker: more than one layer",
            docker(&[(media::DOCKER_TAR_GZIP, other()), (media::DOCKER_TAR_GZIP, plain())]),
            None,
        ),
        (
            "docker: invalid media type",
            docker(&[("application/vnd.docker.plugin.v1+json", plain())]),
            Some(
                "invalid media type application/vnd.docker.plugin.v1+json (expect application/vnd.docker.image.rootfs.diff.tar.gzip)",
            ),
        ),
        ("OCI standard: no layers", oci(&[]), Some(none)),
        ("OCI standard: one layer", oci(&[(media::OCI_TAR_GZIP, plain())]), None),
        (
            "OCI standard: more than one layer",
            oci(&[(media::OCI_TAR_GZIP, other()), (media::OCI_TAR_GZIP, plain())]),
            None,
        ),
        (
            "OCI standard: invalid media type",
            oci(&[(media::DOCKER_TAR_GZIP, plain())]),
            Some(
                "invalid media type application/vnd.docker.image.rootfs.diff.tar.gzip (expect application/vnd.oci.image.layer.v1.tar+gzip)",
            ),
        ),
        (
            "OCI artifact",
            oci(&[(media::SOLO_MODULE, module(&[])), ("application/vnd.module.wasm.config.v1+json", b"{}".to_vec())]),
            None,
        ),
        // The last layer has the type of an archive, and no module in it: it is tried as an artifact.
        (
            "OCI artifact: an archive behind the module",
            oci(&[(media::SOLO_MODULE, module(&[])), (media::OCI_TAR_GZIP, other())]),
            None,
        ),
        (
            "OCI artifact: three layers",
            oci(&[(media::SOLO_MODULE, module(&[])), (media::OCI_TAR_GZIP, other()), (media::OCI_TAR_GZIP, other())]),
            Some("plugin.wasm not found in the archive"),
        ),
        (
            "OCI artifact: invalid number of layers",
            oci(&[(media::SOLO_MODULE, module(&[]))]),
            Some("number of layers must be 2 but got 1"),
        ),
        (
            "OCI artifact: invalid media types",
            oci(&[("aaa", module(&[])), ("aaa", module(&[]))]),
            Some("invalid media type aaa (expect application/vnd.oci.image.layer.v1.tar+gzip)"),
        ),
        (
            "invalid image",
            oci(&[(media::OCI_TAR, uncompressed())]),
            Some(
                "invalid media type application/vnd.oci.image.layer.v1.tar (expect application/vnd.oci.image.layer.v1.tar+gzip)",
            ),
        ),
        (
            "archive: relative path",
            oci(&[(media::OCI_TAR_GZIP, gzip(&archive("./plugin.wasm", EntryType::Regular, 0o644, &module(&[]))))]),
            None,
        ),
        (
            "archive: not found",
            oci(&[(media::OCI_TAR_GZIP, tar_gz(&[("non-wasm.txt", b"a")]))]),
            Some("plugin.wasm not found in the archive"),
        ),
        (
            "cache: invalid wasm header",
            oci(&[(media::OCI_TAR_GZIP, tar_gz(&[("plugin.wasm", b"invalid binary")]))]),
            Some("fetched Wasm binary from ... is invalid"),
        ),
    ];
    let mut table = Rows::default();
    for (name, memory, expected) in rows {
        for consumer in AGENTS {
            let verdict = judge(&memory, consumer, None);
            table.check(format!("{name}: {consumer}"), verdict.is_accepted, expected.is_none());
            table.contains(format!("{name}: {consumer}"), &said(&verdict), expected.unwrap_or_default());
        }
    }
}

/// What goes wrong in practice, and what each consumer makes of it: an empty text is an image that is taken.
#[test]
fn each_wrong_layout_is_refused_by_whom_it_concerns() {
    let raw = || module(&[]);
    let sized = |size: usize| tar_gz(&[("plugin.wasm", &vec![0; size])]);
    let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
    let component = wat::parse_str("(component)").unwrap();
    let no_abi = wat::parse_str("(module (func (export \"_start\")))").unwrap();
    let higress = wat::parse_str("(module (func (export \"proxy_abi_version_0_2_100\")))").unwrap();
    let packed = |bytes: &[u8]| oci(&[(media::OCI_TAR_GZIP, tar_gz(&[("plugin.wasm", bytes)]))]);
    let readme = ("application/vnd.module.wasm.doc.v1+markdown", b"# Readme".to_vec());
    let only = |platform| Memory::index(&[(Some(platform), Memory::good())]);
    let cncf = Memory::image(media::OCI_MANIFEST, media::CNCF_CONFIG, &[(media::CNCF_MODULE, raw())]);
    let empty = |layers| Memory::with_config(media::OCI_MANIFEST, "application/vnd.oci.empty.v1+json", b"{}", layers);
    let no_diff_ids =
        Memory::with_config(media::OCI_MANIFEST, media::OCI_CONFIG, b"{}", &[(media::OCI_TAR_GZIP, good_layer())]);
    let one_diff_id = format!("{{\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{}\"]}}}}", Digest::of(b""));
    let with_diff_id = |media_type: &str, layer| {
        Memory::with_config(media::OCI_MANIFEST, media::OCI_CONFIG, one_diff_id.as_bytes(), &[(media_type, layer)])
    };
    let private = gzip(&archive("plugin.wasm", EntryType::Regular, 0o600, &raw()));
    let folder = gzip(&archive("plugin.wasm/", EntryType::Directory, 0o755, b""));
    let rows: Vec<(&str, Memory, [&str; 3])> = vec![
        ("as weir pack makes it", Memory::good(), ["", "", ""]),
        (
            "a README as the last layer",
            oci(&[(media::OCI_TAR_GZIP, good_layer()), readme.clone()]),
            ["the archive is layer 1 of 2", "", "the archive is layer 1 of 2"],
        ),
        ("a README before the archive", oci(&[readme.clone(), (media::OCI_TAR_GZIP, good_layer())]), ["", "", ""]),
        ("zstd", with_diff_id(zstd, b"zstd".to_vec()), ["compressed with zstd", "", "compressed with zstd"]),
        (
            "the module as the only layer",
            oci(&[(media::SOLO_MODULE, raw())]),
            ["wants exactly two layers", "none of the layers is an archive", "wants exactly two layers"],
        ),
        (
            "wasm-to-oci",
            oci(&[(media::WASM_TO_OCI_MODULE, raw())]),
            ["`wasm-to-oci`", "none of the layers", "`wasm-to-oci`"],
        ),
        ("a CNCF Wasm artifact", cncf, ["CNCF Wasm artifact", "none of the layers", "CNCF Wasm artifact"]),
        (
            "an artifact whose layer is an archive",
            empty(&[(media::OCI_TAR_GZIP, good_layer())]),
            ["", "mismatched image rootfs and manifest layers", ""],
        ),
        ("a configuration without layers", no_diff_ids, ["", "number of layers and diffIDs don't match: 1 != 0", ""]),
        (
            "a configuration of another layer",
            with_diff_id(media::OCI_TAR_GZIP, good_layer()),
            ["", "wrong diff id", ""],
        ),
        (
            "for arm64 only",
            only("linux/arm64"),
            [
                "no child with platform linux/amd64 in index",
                "no match for platform in manifest",
                "no image for linux/amd64",
            ],
        ),
        (
            "not gzipped",
            with_diff_id(media::OCI_TAR_GZIP, b"ustar".to_vec()),
            ["failed to parse layer as tar.gz", "cannot be read", "is not gzipped"],
        ),
        (
            "a damaged archive",
            with_diff_id(media::OCI_TAR_GZIP, gzip(&[1; 700])),
            ["cannot be read", "cannot be read", "cannot be read"],
        ),
        (
            "a folder of that name",
            oci(&[(media::OCI_TAR_GZIP, folder)]),
            ["does not begin with `\\0asm`", "no layer has a file named `plugin.wasm`", "is not WebAssembly"],
        ),
        ("a file for its owner", oci(&[(media::OCI_TAR_GZIP, private)]), ["", "has mode 0600", ""]),
        ("a component", packed(&component), ["is a component", "is a component", "is a component"]),
        (
            "no ABI",
            packed(&no_abi),
            ["Missing or unknown Proxy-Wasm ABI version", "exports no `proxy_abi_version_", "exports no"],
        ),
        ("text", packed(b"(module)"), ["is not WebAssembly", "is not WebAssembly", "is not WebAssembly"]),
        (
            "larger than is unpacked",
            oci(&[(media::OCI_TAR_GZIP, sized(256 << 20))]),
            ["unpacks at most 268435456 bytes, and", "", "unpacks at most 268435456 bytes, and"],
        ),
        (
            "Higress's own ABI",
            packed(&higress),
            ["speaks version 0.2.100", "speaks version 0.2.100", "speaks version 0.2.100"],
        ),
    ];
    let mut table = Rows::default();
    for (name, memory, expected) in rows {
        for (consumer, expected) in [Istio, ImageVolume, Envoy].into_iter().zip(expected) {
            let verdict = judge(&memory, consumer, None);
            table.check(format!("{name}: {consumer}"), verdict.is_accepted, expected.is_empty());
            table.contains(format!("{name}: {consumer}"), &said(&verdict), expected);
        }
    }
    for (path, expected) in [
        ("plugin.wasm", "plugin.wasm below the mount; "),
        ("./a/plugin.wasm", "a/plugin.wasm below the mount; "),
        ("../../evil/plugin.wasm", "evil/plugin.wasm below the mount; "),
        ("/a/../../b/./plugin.wasm", "b/plugin.wasm below the mount; "),
    ] {
        let layer = gzip(&archive(path, EntryType::Regular, 0o644, &raw()));
        let said = said(&judge(&oci(&[(media::OCI_TAR_GZIP, layer)]), ImageVolume, None));
        table.check(path, said.get(..expected.len()), Some(expected));
    }
    table.check("Higress's own ABI: higress", judge(&packed(&higress), Higress, None).is_accepted, true);
}

/// `go-containerregistry`'s choice of a child: the first for linux/amd64, and one without a platform counts as such.
#[test]
fn an_index_gives_the_agents_its_first_child_for_linux_amd64() {
    let marked =
        |mark: &str| oci(&[(media::OCI_TAR_GZIP, tar_gz(&[("mark", mark.as_bytes()), ("plugin.wasm", &module(&[]))]))]);
    let (a, b) = (marked("a"), marked("b"));
    let nested = Memory::index(&[(Some("linux/amd64"), b.clone())]);
    type Children<'a> = &'a [(Option<&'a str>, Memory)];
    let rows: [(&str, Children<'_>, &Memory); 5] = [
        ("one", &[(Some("linux/amd64"), a.clone())], &a),
        ("buildx with provenance", &[(Some("linux/amd64"), a.clone()), (Some("unknown/unknown"), b.clone())], &a),
        ("arm64 first", &[(Some("linux/arm64"), a.clone()), (Some("linux/amd64"), b.clone())], &b),
        ("none named", &[(None, a.clone()), (Some("linux/amd64"), b.clone())], &a),
        ("an index in an index", &[(Some("linux/amd64"), nested)], &b),
    ];
    let mut table = Rows::default();
    for (name, children, expected) in rows {
        let index = Memory::index(children);
        let chosen = expected.digest();
        table.check(format!("{name}: pinned to the child"), judge(&index, Istio, Some(&chosen)).is_accepted, true);
        let verdict = judge(&index, Istio, Some(&index.digest()));
        table.check(format!("{name}: pinned to the index"), verdict.is_accepted, false);
        table.contains(format!("{name}: pinned to the index"), &said(&verdict), "is the digest of the index");
        let unpinned = judge(&index, Istio, None);
        table.check(format!("{name}: not pinned"), unpinned.is_accepted, true);
        table.contains(
            format!("{name}: not pinned"),
            &said(&unpinned),
            &format!("pin that one, {chosen}, not the index"),
        );
        table.check(
            format!("{name}: a node, pinned to the index"),
            judge(&index, ImageVolume, Some(&index.digest())).is_accepted,
            true,
        );
    }
}

#[test]
fn a_pin_of_the_wrong_thing_is_named() {
    let memory = Memory::good();
    let Manifest { layers, config, .. } = memory.manifest_document();
    let plugin = Digest::of(&module(&[]));
    let manifest = memory.digest();
    let rows: [(Consumer, &Digest, &str); 13] = [
        (Istio, &manifest, ""),
        (EnvoyGateway, &manifest, ""),
        (Higress, &manifest, ""),
        (ImageVolume, &manifest, ""),
        (Gcp, &plugin, "is the digest of plugin.wasm"),
        (Envoy, &plugin, ""),
        (Istio, &plugin, "is the digest of plugin.wasm; Istio's agent compares it with that of the image manifest"),
        (Istio, &layers[0].digest, "is the digest of the layer;"),
        (EnvoyGateway, &config.digest, "is the digest of the configuration;"),
        (Higress, &Digest::of(b""), "is the digest of nothing in this image;"),
        (ImageVolume, &layers[0].digest, "is the digest of no manifest of this image"),
        (Envoy, &manifest, "is the digest of the image manifest; `remote.sha256` is of the bytes that are served"),
        (Envoy, &layers[0].digest, "is the digest of the layer;"),
    ];
    let mut table = Rows::default();
    for (consumer, pin, expected) in rows {
        let verdict = judge(&memory, consumer, Some(pin));
        if consumer != Gcp {
            table.check(format!("{consumer} {pin}"), verdict.is_accepted, expected.is_empty());
        }
        table.contains(format!("{consumer} {pin}"), &said(&verdict), expected);
    }
    // The digest of a URL is a pin, too. Of the message of `cache.go`: found first, then wanted.
    let asked = Memory { asked_for: Some(plugin.clone()), ..memory };
    let expected = format!("has checksum {}, which does not match: {}", manifest.hex(), plugin.hex());
    table.contains("in the URL", &said(&judge(&asked, Istio, None)), &expected);
    table.check("in the URL: Envoy has none", judge(&asked, Envoy, None).is_accepted, true);
}

#[test]
fn google_takes_a_lone_module_that_needs_neither_metrics_nor_timers() {
    let packed = |files: &[(&str, &[u8])]| oci(&[(media::OCI_TAR_GZIP, tar_gz(files))]);
    let plain = module(&["proxy_log", "proxy_get_property"]);
    let counting = module(&["proxy_log", "proxy_define_metric", "proxy_set_tick_period_milliseconds"]);
    let rows: [(&str, Memory, &str); 3] = [
        ("alone", packed(&[("plugin.wasm", &plain)]), ""),
        ("with others", packed(&[("plugin.wasm", &plain), ("LICENSE", b"Apache")]), "this one also has LICENSE"),
        (
            "counting",
            packed(&[("plugin.wasm", &counting)]),
            "the module imports proxy_define_metric, proxy_set_tick_period_milliseconds",
        ),
    ];
    let mut table = Rows::default();
    for (name, memory, expected) in rows {
        let verdict = judge(&memory, Gcp, None);
        table.check(name, verdict.is_accepted, expected.is_empty());
        table.contains(name, &said(&verdict), expected);
    }
}

#[test]
fn a_part_that_is_not_what_was_promised_is_an_error_for_everybody() {
    let mut memory = Memory::good();
    let layer = memory.manifest_document().layers[0].digest.clone();
    memory.bytes.insert(layer, b"replaced".to_vec());
    for consumer in [Istio, ImageVolume, Envoy, Gcp] {
        let image = Image::open(&memory).unwrap();
        assert!(matches!(consumer.judge(&image, None), Err(Error::WrongDigest { .. })), "{consumer}");
    }
}
