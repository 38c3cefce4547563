use super::*;
use crate::media;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
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
    for (text, shown) in [
        ("https://ann:secret@registry.example.com/suite:1", "`https://...@registry.example.com/suite:1`"),
        ("oci://ann:secret@registry.example.com/suite:1", "`...@registry.example.com/suite:1`"),
        ("ann:sec/ret@registry.example.com/suite", "`...@registry.example.com/suite`"),
        ("https://ann:secret@example.com/a@sha256:0f", "`https://...@example.com/a@sha256:0f`"),
        ("https://registry.example.com/a@sha256:0f", "`https://registry.example.com/a@sha256:0f`"),
    ] {
        let refused = Registry::open(text, &access).map(|_| ()).unwrap_err().to_string();
        table.contains(text, &refused, shown);
        table.check(format!("{text}: {refused}"), refused.contains("secret") || refused.contains("sec/"), false);
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

/// A registry that answers every request but those for `/v2/` with these bytes, again and again, a pause between them.
fn endless(head: &'static str, part: Vec<u8>, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("{}/weir/suite:1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, part) = (stream.unwrap(), part.clone());
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                if request[..length].starts_with(b"GET /v2/ ") {
                    return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                }
                stream.write_all(head.as_bytes())?;
                loop {
                    stream.write_all(&part)?;
                    std::thread::sleep(pause);
                }
            });
        }
    });
    place
}

#[test]
fn what_a_registry_sends_without_end_is_left_after_a_while() {
    let (ok, failed) = ("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 500 No\r\n\r\n");
    let (fast, slow) = (vec![b' '; 1 << 16], vec![b' ']);
    let pause = Duration::from_millis(50);
    let blob = Descriptor { size: 1 << 16, ..Descriptor::of(media::OCI_TAR_GZIP, b"") };
    let access = Access { login: Some(("a".to_owned(), "b".to_owned())), ..Access::default() };
    let mut table = Rows::default();
    for (name, place, expected) in [
        ("fast", endless(ok, fast.clone(), Duration::ZERO), "larger than "),
        ("slow", endless(ok, slow, pause), "the registry was not done after "),
        ("an error", endless(failed, fast, Duration::ZERO), "the registry answers 500"),
    ] {
        let mut registry = Registry::open(&place, &access).unwrap();
        registry.patience = Duration::from_millis(500);
        let refused = registry.fetch("manifests/1", 1 << 16).map(|answer| answer.is_some());
        let manifest = match refused {
            Ok(false) => "larger than ".to_owned(),
            other => other.unwrap_err().to_string(),
        };
        table.contains(format!("{name}: manifest"), &manifest, expected);
        table.contains(format!("{name}: blob"), &registry.blob(&blob, 1 << 16).unwrap_err().to_string(), expected);
    }
    let whole = Registry::open(&endless(ok, vec![b' '; 1 << 16], Duration::ZERO), &access).unwrap();
    table.contains("a whole manifest", &whole.root().unwrap_err().to_string(), "larger than 4194304 bytes");
}
