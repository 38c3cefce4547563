use super::*;
use crate::testing::Memory;
use weir_testing::Rows;

fn entry(mark: u8, platform: Option<(&str, &str)>) -> Descriptor {
    let platform =
        platform.map(|(os, architecture)| crate::Platform { os: os.to_owned(), architecture: architecture.to_owned() });
    Descriptor { platform, ..Descriptor::of(media::OCI_MANIFEST, &[mark]) }
}

#[test]
fn agents_and_nodes_choose_a_child_each_in_its_own_way() {
    let amd64 = || Some(("linux", "amd64"));
    type Taken = [Option<u8>; 2];
    let rows: [(&str, Vec<Descriptor>, Taken); 6] = [
        ("one", vec![entry(0, amd64())], [Some(0), Some(0)]),
        ("windows", vec![entry(0, Some(("windows", "amd64")))], [None, None]),
        ("arm64, then amd64", vec![entry(0, Some(("linux", "arm64"))), entry(1, amd64())], [Some(1), Some(1)]),
        ("two for amd64", vec![entry(0, amd64()), entry(1, amd64())], [Some(0), Some(0)]),
        ("none named, then amd64", vec![entry(0, None), entry(1, amd64())], [Some(0), Some(1)]),
        ("none", Vec::new(), [None, None]),
    ];
    let mut table = Rows::default();
    for (name, manifests, [agent, node]) in rows {
        let index = Index { schema_version: 2, media_type: None, manifests };
        let of = |choice| child(&index, choice).map(|found| found.digest.clone());
        table.check(format!("{name}: agent"), of(Choice::Agent), agent.map(|mark| Digest::of(&[mark])));
        table.check(format!("{name}: node"), of(Choice::Node), node.map(|mark| Digest::of(&[mark])));
    }
}

#[test]
fn a_manifest_is_what_it_says_or_what_its_fields_say() {
    let rows = [
        (
            r#"{"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}"#,
            media::DOCKER_MANIFEST,
        ),
        (r#"{"config": {}, "layers": []}"#, media::OCI_MANIFEST),
        (r#"{"manifests": []}"#, media::OCI_INDEX),
    ];
    let mut table = Rows::default();
    for (text, expected) in rows {
        table.check(text, Raw::of(text.as_bytes().to_vec(), "x").unwrap().media_type, expected.to_owned());
    }
    let schema_1 = r#"{"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}"#;
    let refused = Raw::of(schema_1.as_bytes().to_vec(), "x").unwrap().document("x").unwrap_err().to_string();
    table.contains("schema 1", &refused, "push it with a newer client");
    table.check("not JSON", Raw::of(b"<html>".to_vec(), "x").is_err(), true);
}

#[test]
fn indexes_in_each_other_are_followed_to_an_end() {
    let nested = |depth| (0..depth).fold(Memory::good(), |inner, _| Memory::index(&[(Some("linux/amd64"), inner)]));
    let found = |depth| Image::open(&nested(depth)).unwrap().choose(Choice::Agent).map(|chosen| chosen.unwrap().digest);
    assert_eq!(found(3).unwrap(), Memory::good().digest());
    assert!(found(DEPTH).unwrap_err().to_string().contains("more than 4 deep"));
    assert!(copy(&nested(DEPTH + 1), &mut Nowhere).is_err());
    assert!(copy(&nested(3), &mut Nowhere).is_ok());
}

/// Keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn put_blob(&mut self, _: &Descriptor, _: Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn put_manifest(&mut self, _: &Raw, _: bool) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn bytes_are_compared_with_digest_and_size() {
    let promised = Descriptor::of("x", b"promised");
    assert!(check(b"promised", &promised, "x").is_ok());
    assert!(matches!(check(b"replaced", &promised, "x"), Err(Error::WrongDigest { .. })));
    assert!(matches!(check(b"promised", &Descriptor { size: 9, ..promised }, "x"), Err(Error::Malformed { .. })));
}
