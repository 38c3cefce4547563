use super::first_value;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn parameters_are_found_and_decoded() {
    let rows: &[(&str, &str, Option<&str>)] = &[
        ("/?a=1", "a", Some("1")),
        ("/?a=1&a=2", "a", Some("1")),
        ("/?b=1&a=2=3", "a", Some("2=3")),
        ("/?a", "a", Some("")),
        ("/?a=", "a", Some("")),
        ("/?%61=x%20y", "a", Some("x y")),
        ("/?a=x+y", "a", Some("x+y")),
        ("/?a=%zz%4", "a", Some("%zz%4")),
        ("/?a=%2", "a", Some("%2")),
        ("/?aa=1", "a", None),
        ("/a=1", "a", None),
        ("", "a", None),
        ("/?", "", Some("")),
    ];
    let mut out = b"left over".to_vec();
    let mut table = Rows::default();
    for (path, name, expected) in rows {
        let found = first_value(path.as_bytes(), name.as_bytes(), &mut out);
        let found = found.then(|| String::from_utf8(out.clone()).unwrap());
        table.check(format!("{path} {name}"), found.as_deref(), *expected);
    }
}
