use super::{Header, Known};
use weir_policy::Knowledge::{self, AtLeast, AtMost, Nothing, Whole};
use weir_testing::Rows;

fn known(text: Option<&str>) -> Known<'_> {
    match text {
        None => Known::Unknown,
        Some("null") => Known::Absent,
        Some("-") => Known::Perhaps(b"-".into()),
        Some(text) => Known::Value(text.as_bytes().into()),
    }
}

#[test]
fn what_is_known_of_a_header_is_what_the_line_can_say() {
    let mut rows = Rows::default();
    type Case<'c> = (&'c str, Option<&'c str>, Option<&'c str>, Knowledge, &'c [&'c str]);
    let cases: [Case<'_>; 18] = [
        ("x", None, None, Nothing, &[]),
        ("x", Some("null"), None, Whole, &[]),
        // The first of any values.
        ("x", Some("a"), None, AtLeast, &["a"]),
        ("x", Some("-"), None, Nothing, &[]),
        // Envoy keeps one value of these.
        ("user-agent", Some("a"), None, Whole, &["a"]),
        ("user-agent", Some("-"), None, AtMost, &["-"]),
        ("x", None, Some("null"), Whole, &[]),
        ("x", None, Some("a"), Whole, &["a"]),
        ("x", None, Some(""), Whole, &[""]),
        ("x", None, Some("a,b"), AtMost, &["a", "a,b", "b"]),
        ("x", None, Some("1,2,3,4,5,6,7,8,9"), Nothing, &[]),
        ("x", Some("a"), Some("a"), Whole, &["a"]),
        ("x", Some("a,b"), Some("a,b"), Whole, &["a,b"]),
        ("x", Some("a"), Some("a,b"), Whole, &["a", "b"]),
        ("x", Some(""), Some(",b"), Whole, &["", "b"]),
        ("x", Some("a"), Some("a,b,c"), AtLeast, &["a"]),
        ("x", Some("a"), Some("b"), AtLeast, &["a"]),
        ("x", Some("null"), Some("null"), Whole, &[]),
    ];
    for (name, first, joined, knowledge, values) in cases {
        let header = Header { first: known(first), joined: known(joined), ..Header::default() };
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        rows.check(format!("{name} {first:?} {joined:?}"), header.values(name), (knowledge, values));
    }
}

#[test]
fn joined_values_are_taken_apart_in_every_way() {
    let mut rows = Rows::default();
    type Case<'c> = (Option<&'c str>, &'c str, &'c [&'c [&'c str]]);
    let cases: [Case<'_>; 6] = [
        (None, "a", &[]),
        (None, "a,b", &[&["a", "b"], &["a,b"]]),
        (Some("a"), "a,b", &[]),
        (Some("a"), "a,b,c", &[&["a", "b", "c"], &["a", "b,c"]]),
        (Some("a,"), "a,,b,", &[&["a,", "b", ""], &["a,", "b,"]]),
        (None, "1,2,3,4,5", &[]),
    ];
    for (first, joined, expected) in cases {
        let header = Header { first: known(first), joined: known(Some(joined)), ..Header::default() };
        let readings = header.readings();
        let found: Vec<Vec<String>> = readings
            .iter()
            .map(|reading| {
                reading.values("x").1.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
            })
            .collect();
        let expected: Vec<Vec<String>> =
            expected.iter().map(|values| values.iter().map(|value| (*value).to_owned()).collect()).collect();
        rows.check(format!("{first:?} {joined}"), found, expected);
    }
}
