use super::*;
use crate::testing::{archive, gzip};
use weir_testing::Rows;

const FILES: [(&str, &[u8]); 2] = [("plugin.wasm", b"\0asm"), ("LICENSE", b"Apache License\n")];

#[test]
fn the_bytes_depend_on_the_files_alone() {
    let packed = pack(&FILES).unwrap();
    let turned = pack(&[FILES[1], FILES[0]]).unwrap();
    assert_eq!(packed.bytes, turned.bytes);
    assert_ne!(packed.bytes, pack(&[FILES[0]]).unwrap().bytes);
    // RFC 1952: no flags, so neither name nor comment; no time; 2 for the slowest compression; 255 for no system.
    assert_eq!(packed.bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    // Made on another machine: another compressor, or another version of it, would show here.
    assert_eq!(Digest::of(&packed.bytes).hex(), "954a286b05461159551fd0a8b89ff3d0f86ebcd97c06dd44e5041e6c3c4a2a17");
}

#[test]
fn a_packed_layer_is_an_archive_of_files_that_everybody_may_read() {
    let packed = pack(&FILES).unwrap();
    let listing = list(&packed.bytes, Packing::TarGzip, "layer").unwrap().unwrap();
    let entry = |path: &str, size| Entry { path: path.to_owned(), size, mode: 0o644, is_file: true };
    assert_eq!(listing.entries, [entry("LICENSE", 15), entry("plugin.wasm", 4)]);
    assert_eq!(listing.diff_id, packed.diff_id);
    let mut archive = Vec::new();
    MultiGzDecoder::new(packed.bytes.as_slice()).read_to_end(&mut archive).unwrap();
    assert_eq!(Digest::of(&archive), packed.diff_id);
    for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
    }
}

#[test]
fn a_module_is_found_by_its_name_alone_and_within_the_limit() {
    let tar = |name: &str| archive(name, EntryType::Regular, 0o644, b"hello");
    let after = [archive("first", EntryType::Regular, 0o644, b"x").get(..1024).unwrap(), &tar("plugin.wasm")].concat();
    type Found = Result<Vec<u8>, Missing>;
    let found = || Ok(b"hello".to_vec());
    // An archive of one small file: a header and a block of content, 512 bytes each.
    let rows: [(&str, Vec<u8>, u64, Found); 10] = [
        ("at the top", tar("plugin.wasm"), 4096, found()),
        ("from here", tar("./plugin.wasm"), 4096, found()),
        ("in a folder", tar("opt/plugin.wasm"), 4096, found()),
        ("after another", after.clone(), 4096, found()),
        ("another name", tar("my-plugin.wasm"), 1 << 20, Err(Missing::NoModule)),
        ("in a folder of that name", tar("plugin.wasm/x"), 1 << 20, Err(Missing::NoModule)),
        ("just within the limit", tar("plugin.wasm"), 512 + 5, found()),
        ("just beyond", tar("plugin.wasm"), 512 + 4, Err(Missing::TooLarge)),
        ("beyond, because of another", after, 1024 + 512, Err(Missing::TooLarge)),
        (
            "cut off",
            tar("plugin.wasm")[..514].to_vec(),
            4096,
            Err(Missing::Damaged("unexpected end of file".to_owned())),
        ),
    ];
    let mut table = Rows::default();
    for (name, archive, limit, expected) in rows {
        table.check(name, module_of(&gzip(&archive), Packing::TarGzip, limit), expected.clone());
        table.check(format!("{name}, not compressed"), module_of(&archive, Packing::Tar, limit), expected);
    }
    table.check("not gzipped", module_of(&tar("plugin.wasm"), Packing::TarGzip, 4096), Err(Missing::NotGzip));
}

#[test]
fn media_types_are_packings() {
    let rows = [
        ("application/vnd.oci.image.layer.v1.tar", Some(Packing::Tar)),
        ("application/vnd.oci.image.layer.v1.tar+gzip", Some(Packing::TarGzip)),
        ("application/vnd.oci.image.layer.v1.tar+zstd", Some(Packing::TarZstd)),
        ("application/vnd.docker.image.rootfs.diff.tar", Some(Packing::Tar)),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Some(Packing::TarGzip)),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", Some(Packing::TarZstd)),
        ("application/vnd.module.wasm.content.layer.v1+wasm", None),
        ("application/wasm", None),
    ];
    let mut table = Rows::default();
    for (media_type, expected) in rows {
        table.check(media_type, Packing::of(media_type), expected);
    }
}
