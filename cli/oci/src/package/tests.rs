use super::*;
use crate::consumers::Consumer;
use crate::testing::{Memory, module};
use crate::{Image, Listing, NewLayout};
use weir_testing::Rows;

fn package(plugin: &[u8]) -> Package<'_> {
    let annotations = BTreeMap::from([("org.opencontainers.image.version".to_owned(), "0.1.0".to_owned())]);
    Package { plugin, files: vec![("LICENSE", b"Apache".to_vec())], annotations }
}

#[test]
fn an_image_is_taken_by_all_who_can_run_the_module_and_says_what_it_is() {
    let plugin = module(&["proxy_log"]);
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("image");
    let packed = package(&plugin).pack().unwrap();
    let mut layout = NewLayout::begin(&folder, None).unwrap();
    let manifest: Manifest = serde_json::from_slice(&packed.manifest.bytes).unwrap();
    packed.put(&mut layout).unwrap();
    layout.finish().unwrap();

    let layout = crate::Layout::open(&folder.display().to_string()).unwrap();
    let image = Image::open(&layout).unwrap();
    for consumer in Consumer::USUAL {
        let verdict = consumer.judge(&image, None).unwrap();
        assert!(verdict.is_accepted && verdict.notes.is_empty(), "{verdict:?}");
    }
    assert_eq!(image.module().unwrap(), plugin);
    let listings: Vec<Listing> = crate::inspect::listings(&image).unwrap();
    let paths: Vec<&str> =
        listings.iter().flat_map(|listing| &listing.entries).map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["LICENSE", "plugin.wasm"]);
    let annotation = |key: &str| manifest.annotations.get(key).map(String::as_str);
    let mut table = Rows::default();
    table.check("variant", annotation("module.wasm.image/variant"), Some("compat"));
    table.check("ABI", annotation("weir.proxy-wasm-abi"), Some("0.2.1"));
    table.check("module", annotation("weir.plugin-sha256"), Some(Digest::of(&plugin).hex()));
    table.check("given", annotation("org.opencontainers.image.version"), Some("0.1.0"));
}

#[test]
fn the_same_contents_are_the_same_image() {
    let plugin = module(&[]);
    let digest = |package: Package<'_>| package.pack().unwrap().manifest.digest();
    let first = digest(package(&plugin));
    assert_eq!(first, digest(package(&plugin)));
    let other = Package { annotations: BTreeMap::new(), ..package(&plugin) };
    assert_ne!(first, digest(other));
    assert_ne!(first, digest(package(&module(&["proxy_log"]))));
}

#[test]
fn what_no_proxy_loads_is_not_packed() {
    let refused = package(b"(module)").pack().unwrap_err().to_string();
    assert!(refused.contains("`plugin.wasm`: does not begin with `\\0asm`"), "{refused}");
    assert!(Image::open(&Memory::good()).unwrap().module().is_ok());
}
