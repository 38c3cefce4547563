use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn expansion() {
    let mut rows = Rows::default();
    let cases: [(&str, &[&str], &str, &[&str]); 7] = [
        ("td", &[], "td/ns/a/sa/b", &["td/ns/a/sa/b"]),
        ("td", &["old"], "old/ns/a/sa/b", &["td/ns/a/sa/b", "old/ns/a/sa/b"]),
        ("td", &["old"], "cluster.local/ns/a/sa/b", &["td/ns/a/sa/b", "old/ns/a/sa/b"]),
        ("td", &["old"], "other/ns/a/sa/b", &["other/ns/a/sa/b"]),
        ("td", &["old"], "*", &["*"]),
        ("td", &["old"], "*/ns/a/sa/b", &["*/ns/a/sa/b"]),
        ("td", &["old"], "*ld/ns/a/sa/b", &["td/ns/a/sa/b", "*ld/ns/a/sa/b"]),
    ];
    for (own, aliases, principal, expected) in cases {
        rows.check(
            format!("{own} {aliases:?} {principal}"),
            TrustDomains::new(own, aliases).expand(principal),
            expected,
        );
    }
}
