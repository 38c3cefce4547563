use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Identity, trust domain, namespaces, service accounts.
type Case = (&'static [u8], Option<&'static str>, &'static [&'static str], &'static [&'static str]);

#[test]
fn parts() {
    let cases: [Case; 10] = [
        (b"td/ns/foo/sa/bar", Some("td"), &["foo"], &["foo/bar"]),
        (b"td/ns/foo/x/sa/bar", Some("td"), &["foo"], &["foo/bar"]),
        (b"td/ns/foo/sa/bar/baz", Some("td"), &["foo"], &["foo/bar"]),
        (b"td/ns/foo/sa/bar/", Some("td"), &["foo"], &[]),
        (b"td/ns/foo", Some("td"), &[], &[]),
        (b"/ns/foo/sa/bar", Some(""), &["foo"], &[]),
        (b"td/ns/a/ns/b/sa/c", Some("td"), &["a", "b"], &["a/c", "b/c"]),
        (b"td/ns/foo/sa/sa/sa/x", Some("td"), &["foo"], &["foo/sa", "foo/sa", "foo/x"]),
        (b"td/ns/ns/ns/ns/x", Some("td"), &["ns", "ns", "ns"], &[]),
        (b"", None, &[], &[]),
    ];
    for (id, domain, spaces, accounts) in cases {
        assert_eq!(trust_domain(id).map(text).as_deref(), domain, "{id:?}");
        assert_eq!(namespaces(id).map(text).collect::<Vec<_>>(), spaces, "{id:?}");
        let found: Vec<String> = service_accounts(id).map(|(ns, sa)| format!("{}/{}", text(ns), text(sa))).collect();
        assert_eq!(found, accounts, "{id:?}");
    }
}

#[test]
fn a_service_account_is_one_of_its_namespace() {
    assert!(has_service_account(b"td/ns/a/sa/b", b"a/b"));
    assert!(!has_service_account(b"td/ns/a/sa/b", b"a/c"));
    assert!(!has_service_account(b"td/ns/a/sa/myXsa", b"a/my.sa"));
}

#[test]
fn one_service_account_is_found_as_among_all() {
    let segments = [b"ns".as_slice(), b"sa", b"a", b"b", b""];
    for number in 0..5usize.pow(7) {
        let mut rest = number;
        let mut id = b"td".to_vec();
        for _ in 0..7 {
            id.push(b'/');
            id.extend_from_slice(segments[rest % 5]);
            rest /= 5;
        }
        for (account, namespace, name) in [("a/b", "a", "b"), ("ns/sa", "ns", "sa"), ("sa/ns", "sa", "ns")] {
            let among = service_accounts(&id).any(|found| found == (namespace.as_bytes(), name.as_bytes()));
            assert_eq!(has_service_account(&id, account.as_bytes()), among, "{} {account}", text(&id));
        }
    }
}
