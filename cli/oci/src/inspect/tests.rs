use super::*;
use crate::testing::{Memory, module};
use weir_testing::Rows;

#[test]
fn each_digest_has_its_name_and_its_place() {
    let memory = Memory::good();
    let manifest = memory.manifest_document();
    let index = Memory::index(&[(Some("linux/amd64"), memory.clone())]);
    let inspected = |memory: &Memory| inspect(&Image::open(memory).unwrap()).unwrap();
    let names = |found: &Inspection| -> Vec<(Digest, What)> {
        found.digests.iter().map(|named| (named.digest.clone(), named.of)).collect()
    };
    let own = [
        (memory.digest(), What::Manifest),
        (Digest::of(&module(&[])), What::Plugin),
        (manifest.layers[0].digest.clone(), What::Layer),
    ];
    let mut table = Rows::default();
    table.check("plain", names(&inspected(&memory)), own.to_vec());
    table.check("index", names(&inspected(&index)), [own.as_slice(), &[(index.digest(), What::Index)]].concat());
    let found = inspected(&memory);
    table.check("ABI", found.abi.as_deref(), Some("0.2.1"));
    let files: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    table.check("files", files, vec!["LICENSE", "plugin.wasm"]);
    // Which digest goes where: Istio's `cache.go`, Envoy's `RemoteDataSource`.
    for (of, expected) in [(What::Manifest, "url: oci://"), (What::Plugin, "`remote.sha256`")] {
        let named = found.digests.iter().find(|named| named.of == of).unwrap();
        table.contains(of.title(), &named.wanted_by.join("\n"), expected);
    }
}
