use super::*;
use crate::otlp;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn value(text: &str) -> Option<otlp::AnyValue> {
    Some(otlp::AnyValue { string: Some(text.to_owned()) })
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<otlp::KeyValue> {
    pairs.iter().map(|(key, text)| otlp::KeyValue { key: (*key).to_owned(), value: value(text) }).collect()
}

#[test]
fn a_request_is_what_prost_reads_of_it() {
    // Lengths on both sides of where a length takes a second and a third byte.
    let mut rows = Rows::default();
    for length in [0, 1, 120, 127, 128, 16_370, 16_384, 70_000] {
        let body = "b".repeat(length);
        let record = LogRecord {
            time_nanos: 1_700_000_000_000_000_001,
            severity: Severity::Warn,
            event_name: "weir.test",
            body: &body,
            attributes: &[("decision", "deny"), ("authz_policy", "")],
            trace_id: Some([7; 16]),
        };
        let plain = LogRecord { severity: Severity::Info, attributes: &[], trace_id: None, ..record };
        let (mut records, mut scratch) = (Vec::new(), b"left over".to_vec());
        record.append_to(&mut records, &mut scratch);
        plain.append_to(&mut records, &mut scratch);
        let source = LogSource::new(&[("service.name", "cart")], "weir", "0.1.0");
        let first = otlp::Record {
            time: record.time_nanos,
            severity: 13,
            severity_text: "WARN".to_owned(),
            body: value(&body),
            attributes: attributes(record.attributes),
            trace_id: vec![7; 16],
            observed: record.time_nanos,
            event_name: "weir.test".to_owned(),
        };
        let second = otlp::Record {
            severity: 9,
            severity_text: "INFO".to_owned(),
            attributes: Vec::new(),
            trace_id: Vec::new(),
            ..first.clone()
        };
        let expected = otlp::Request {
            resource_logs: vec![otlp::ResourceLogs {
                resource: Some(otlp::Resource { attributes: attributes(&[("service.name", "cart")]) }),
                scope_logs: vec![otlp::ScopeLogs {
                    scope: Some(otlp::Scope { name: "weir".to_owned(), version: "0.1.0".to_owned() }),
                    log_records: vec![first, second],
                }],
            }],
        };
        let read = otlp::decode(&source.request(&records));
        rows.check(length, read == Some(expected), true);
    }
}

#[test]
fn an_answer_says_how_many_were_not_taken() {
    let mut rows = Rows::default();
    for (bytes, rejected) in [
        (&b""[..], Some(0)),
        (b"\x0a\x00", Some(0)),
        (b"\x0a\x02\x08\x05", Some(5)),
        // With a message, and with a field of a later version.
        (b"\x0a\x07\x08\x05\x12\x03why", Some(5)),
        (b"\x0a\x02\x08\x05\x10\x01", Some(5)),
        // A negative number, a message that breaks off, and none.
        (b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
        (b"\x0a\x05\x08", None),
        (b"\xff", None),
    ] {
        rows.check(format!("{bytes:?}"), decode_logs_response(bytes), rejected);
    }
}
