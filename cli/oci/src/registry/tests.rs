use super::*;
use weir_testing::Rows;

#[test]
fn a_reference_names_its_host() {
    let digest = Digest::of(b"");
    let rows: [(String, Result<&str, &str>); 8] = [
        ("registry.example.com/weir/suite:0.1.0".to_owned(), Ok("registry.example.com/weir/suite@")),
        ("oci://registry.example.com/weir/suite:0.1.0".to_owned(), Ok("registry.example.com/weir/suite@")),
        (format!("registry.example.com/suite@{digest}"), Ok("registry.example.com/suite@")),
        (format!("registry.example.com/suite:0.1.0@{digest}"), Ok("registry.example.com/suite@")),
        ("localhost:5000/suite".to_owned(), Ok("localhost:5000/suite@")),
        ("dist/suite".to_owned(), Err("neither a folder that is there nor a reference with a host")),
        ("suite:0.1.0".to_owned(), Err("neither a folder that is there nor a reference with a host")),
        ("registry.example.com/Suite".to_owned(), Err("is not a reference like")),
    ];
    let mut table = Rows::default();
    // Without a login of its own the test would read that of the user who runs it.
    let access = Access { login: Some(("a".to_owned(), "b".to_owned())), ..Access::default() };
    for (text, expected) in rows {
        match (Registry::open(&text, &access), expected) {
            (Ok(registry), Ok(expected)) => table.check(&text, registry.pinned(&digest), format!("{expected}{digest}")),
            (Err(error), Err(expected)) => table.contains(&text, &error.to_string(), expected),
            (opened, _) => table.check(&text, opened.is_ok(), expected.is_ok()),
        }
    }
    let by_digest = Registry::open(&format!("registry.example.com/suite@{digest}"), &access).unwrap();
    table.check("by digest", by_digest.asked_for(), Some(&digest));
    let push = Push::begin(&by_digest).map(|_| ()).unwrap_err().to_string();
    table.contains("push to a digest", &push, "push to a tag");
    let ca = Access { ca: Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()), ..access };
    let refused = Registry::open("registry.example.com/suite", &ca).map(|_| ()).unwrap_err().to_string();
    table.contains("certificates", &refused, "the certificates cannot be used");
}

#[test]
fn a_registry_on_this_machine_is_reached_without_tls() {
    let rows = [
        ("localhost:5000", true),
        ("localhost", true),
        ("registry.localhost:5000", true),
        ("127.0.0.1:5000", true),
        ("[::1]:5000", true),
        ("registry.example.com", false),
        ("localhost.example.com:5000", false),
        ("10.0.0.1:5000", false),
    ];
    let mut table = Rows::default();
    for (registry, expected) in rows {
        table.check(registry, is_loopback(registry), expected);
    }
}
