use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

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
    let mut rows = Rows::default();
    for (id, domain, spaces, accounts) in cases {
        let name = text(id);
        rows.check(format!("{name}, trust domain"), trust_domain(id).map(text).as_deref(), domain);
        let namespaces = after_namespace_marks(id).filter_map(|rest| Some(split(rest)?.0));
        rows.check(format!("{name}, namespaces"), namespaces.map(text).collect::<Vec<_>>(), spaces);
        let found: Vec<String> = service_accounts(id).map(|(ns, sa)| format!("{}/{}", text(ns), text(sa))).collect();
        rows.check(format!("{name}, service accounts"), found, accounts);
    }
}

#[test]
fn a_service_account_is_one_of_its_namespace() {
    let has =
        |id: &'static [u8], namespace: &[u8], name: &[u8]| service_accounts(id).any(|found| found == (namespace, name));
    assert!(has(b"td/ns/a/sa/b", b"a", b"b"));
    assert!(!has(b"td/ns/a/sa/b", b"a", b"c"));
    assert!(!has(b"td/ns/a/sa/myXsa", b"a", b"my.sa"));
}
