//! Which requests are limited, and by what.

use super::{Stream, ask, filter, now};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{
    Attribute, Attributes, Edits, Effects, Facts, Filter, Headers, Io, MemoryCells, PairsBuilder, Phase, Verdict,
};
use weir_testing::Rows;

#[test]
fn apply_adds_the_first_that_matches() {
    let document = r#"{"schema": 1, "name": "edge",
      "apply": [
        {"to": [{"operation": {"paths": ["/nowhere"]}}], "rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "no"}}]}]},
        {"to": [{"operation": {"paths": ["/"]}}], "rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "yes"}}]}]},
        {"rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "later"}}]}]}],
      "local": {"config": {"domain": "d", "descriptors": [
        {"key": "generic_key", "rate_limit": {"unit": "day", "requests_per_unit": 0}},
        {"key": "generic_key", "value": "yes", "rate_limit": {"unit": "day", "requests_per_unit": 1}}]}}}"#;
    let mut filter = filter(document);
    let mut cells = MemoryCells::default();
    assert!(filter.demand(Phase::Request).request_headers);
    assert!(ask(&mut filter, &mut cells, "ann", now(0)).passed());
    let refused = ask(&mut filter, &mut cells, "ann", now(0));
    assert_eq!(refused.reply().details, "local_rate_limited[generic_key_yes]");
}

#[test]
fn path_parameters_are_left_out_where_the_document_says_so() {
    let document = r#"{"schema": 1, "name": "edge",
      "apply": [{"to": [{"operation": {"paths": ["/"]}}], "rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "a"}}]}]}],
      "local": {"config": {"domain": "d", "descriptors": [
        {"key": "generic_key", "rate_limit": {"unit": "day", "requests_per_unit": 0}}]}}}"#;
    let mut table = Rows::default();
    for (field, path, limited) in [
        ("", "/", true),
        ("", "/;a=b", false),
        (r#""ignorePathParameters": false,"#, "/;a=b", false),
        (r#""ignorePathParameters": true,"#, "/;a=b?c", true),
    ] {
        let mut filter = filter(&document.replacen('{', &format!("{{{field}"), 1));
        let bytes = PairsBuilder::default().push(b":path", path.as_bytes()).finish();
        let attributes = Attributes::default();
        let facts = Facts {
            request_headers: Headers::new(&bytes),
            response_headers: Headers::default(),
            response_trailers: Headers::default(),
            attributes: &attributes,
        };
        let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
        let mut io = Io::new(now(0), &mut cells, &mut effects);
        let verdict = filter.request(&mut Stream::default(), &facts, &mut Edits::default(), &mut io);
        table.check(format!("{field} {path}"), verdict != Verdict::Continue, limited);
    }
}

#[test]
fn hostile_bytes_do_no_harm() {
    let document = r#"{"schema": 1, "name": "edge", "rate_limits": [
        {"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]},
        {"actions": [{"query_parameters": {"query_parameter_name": "q", "descriptor_key": "q"}}]},
        {"actions": [{"remote_address": {}}, {"masked_remote_address": {"v6_prefix_mask_len": 0}}]},
        {"actions": [{"header_value_match": {"descriptor_value": "v", "headers": [{"name": "x-user", "range_match": {"end": 9}}]}}]}],
      "apply": [{"to": [{"operation": {"hosts": ["*a"], "paths": ["/{**}"]}}], "rate_limits": []}],
      "local": {"config": {"domain": "d", "descriptors": [
        {"key": "user", "rate_limit": {"unit": "day", "requests_per_unit": 1}},
        {"key": "q", "value": "*a*", "rate_limit": {"unit": "day", "requests_per_unit": 1}},
        {"key": "remote_address", "rate_limit": {"unit": "day", "requests_per_unit": 1}}]}}}"#;
    let mut filter = filter(document);
    let mut cells = MemoryCells::default();
    let long = vec![b'%'; 61_440];
    let values: [&[u8]; 9] = [b"", b"\0", b"\xff\xfe", b"%", b"?q=%", b"?q=%ff%0", b"[::", b"*", &long];
    for value in values {
        let mut pairs = PairsBuilder::default();
        for name in [":path", ":authority", "x-user", "x-user"] {
            pairs.push(name.as_bytes(), value);
        }
        let bytes = pairs.finish();
        let cuts = [bytes.len(), bytes.len() / 2, bytes.len().saturating_sub(1), 3, 0];
        for cut in cuts {
            let mut attributes = Attributes::default();
            attributes.set(&Attribute::SourceAddress, value);
            attributes.set(&Attribute::ListenerDirection, value);
            let facts = Facts {
                request_headers: Headers::new(&bytes[..cut]),
                response_headers: Headers::default(),
                response_trailers: Headers::default(),
                attributes: &attributes,
            };
            let mut effects = Effects::default();
            let mut io = Io::new(now(0), &mut cells, &mut effects);
            filter.request(&mut Stream::default(), &facts, &mut Edits::default(), &mut io);
        }
    }
    assert!(cells.keys().all(|name| name.is_ascii() && name.len() < 64));
    assert!(ask(&mut filter, &mut cells, "ann", now(0)).passed(), "it still answers");
}
