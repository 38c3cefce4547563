use super::*;
use weir_testing::Rows;

fn cached(bytes: &[u8], pinned: &'static str) -> (tempfile::TempDir, Result<PathBuf, FindError>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("envoy-x"), bytes).unwrap();
    let entry = Supported { version: "1.40.0", sha256: pinned };
    let found = from_cache(dir.path(), entry, "envoy-x", &mut |_| {});
    (dir, found)
}

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[test]
fn a_cached_binary_with_the_pinned_hash_is_used() {
    let (dir, found) = cached(b"hello", HELLO);
    assert_eq!(found.unwrap(), dir.path().join("envoy-x"));
}

#[test]
fn a_cached_binary_with_another_hash_is_removed_and_refused() {
    let (dir, found) = cached(b"hellp", HELLO);
    let error = found.unwrap_err().to_string();
    assert!(error.contains(HELLO) && error.starts_with("refused Envoy 1.40.0"), "{error}");
    assert!(!error.contains('\n'));
    assert!(!dir.path().join("envoy-x").exists());
}

#[test]
fn elsewhere_the_operator_names_the_binary() {
    let mut rows = Rows::default();
    for (os, arch, expected) in [
        ("linux", "x86_64", None),
        ("linux", "aarch64", Some("no Envoy is pinned for linux on aarch64: set ENVOY to the path of an envoy binary")),
        ("macos", "x86_64", Some("no Envoy is pinned for macos on x86_64: set ENVOY to the path of an envoy binary")),
        ("macos", "aarch64", Some("no Envoy is pinned for macos on aarch64: set ENVOY to the path of an envoy binary")),
    ] {
        let found = is_pinned_for(os, arch).err().map(|error| error.to_string());
        rows.check(format!("{os} {arch}"), found.as_deref(), expected);
    }
}

#[test]
fn versions_differ_by_the_second_part() {
    let table = [
        ("\nenvoy  version: 0f1e/1.40.0/Clean/RELEASE/BoringSSL\n", "1.40.0", true),
        ("\nenvoy  version: 0f1e/1.40.0/Clean/RELEASE/BoringSSL\n", "1.4", false),
        ("envoy (a script)", "1.40.0", false),
        ("", "1.40.0", false),
    ];
    let mut rows = Rows::default();
    for (answer, version, expected) in table {
        rows.check(answer, says_version(answer, version), expected);
    }
}

#[test]
fn every_pinned_hash_is_a_sha256() {
    let mut rows = Rows::default();
    for entry in SUPPORTED {
        rows.check(entry.version, entry.sha256.len(), 64);
        rows.check(
            entry.version,
            entry.sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)),
            true,
        );
    }
}
