use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn cleaned(value: &[u8]) -> String {
    let mut name = String::new();
    push_value(&mut name, value);
    name
}

#[test]
fn names_are_as_istio_spells_them() {
    let labels = [("reporter", "destination"), ("source_workload", ""), ("destination_service", "a.b.svc")];
    assert_eq!(
        stat_name(&labels, "istio_requests_total"),
        "reporter=.=destination;.;source_workload=.=;.;destination_service=.=a.b.svc;.;istio_requests_total"
    );
    assert_eq!(stat_name::<&str>(&[], "weir_series"), "weir_series");
}

#[test]
fn no_value_can_look_like_a_label_or_end_one() {
    let cases: [(&[u8], &str); 12] = [
        (b"", ""),
        (b"plain-1.2", "plain-1.2"),
        (b"a;.;b", "a_.;b"),
        (b"a;.", "a_."),
        (b"a;;.;.;", "a;_._.;"),
        (b"reporter=.=x", "reporter_.=x"),
        (b"=.=.=", "_._.="),
        (b"a=b;c", "a=b;c"),
        (b"a\r\n\0\x7fb", "a____b"),
        (b"a\xff\xfeb\x80", "a__b_"),
        ("na\u{ef}ve \u{85}".as_bytes(), "na\u{ef}ve _"),
        (b"\xe2\x82;.;", "__.;"),
    ];
    let mut rows = Rows::default();
    for (value, expected) in cases {
        rows.check(format!("{value:?}"), cleaned(value), expected);
        let name = stat_name(&[("l", value), ("next", b"v".as_slice())], "m");
        rows.check(&name, name.matches(";.;").count(), 2);
        rows.check(&name, name.matches("=.=").count(), 2);
        rows.check(&name, name.starts_with(&format!("l=.={expected};.;next=.=")), true);
    }
}

#[test]
fn a_long_value_is_cut_at_a_character() {
    assert_eq!(cleaned(&[b'x'; 1000]), "x".repeat(VALUE_BYTES));
    let wide = "\u{20ac}".repeat(200);
    assert_eq!(cleaned(wide.as_bytes()), "\u{20ac}".repeat(VALUE_BYTES / 3));
    assert_eq!(cleaned(&[0xff; 1000]), "_".repeat(VALUE_BYTES));
    // A cut in the middle of a separator leaves none behind either.
    let mut edge = vec![b'x'; VALUE_BYTES - 2];
    edge.extend_from_slice(b";.;.;");
    assert_eq!(stat_name(&[("l", &edge)], "m").matches(";.;").count(), 1);
}
