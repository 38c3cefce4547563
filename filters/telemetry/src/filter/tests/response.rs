//! The header of an outbound peer, read while the response passes or at the end.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn header(workload: &str) -> Vec<u8> {
    base64(&struct_bytes(&json_struct(&format!(r#"{{"WORKLOAD_NAME": "{workload}", "NAMESPACE": "far"}}"#))))
}

#[test]
fn the_upstream_peer_is_read_when_the_configuration_says() {
    /// A name, the settings, the listener's direction, the headers as the response passes and at the end, the label.
    type Case<'a> = (&'a str, &'a str, i64, Option<&'a str>, Option<&'a str>, &'a str);
    let passing = r#", "peerMetadata": {"trust": "always", "readAt": "response"}"#;
    let at_end = r#", "peerMetadata": {"trust": "always", "readAt": "end"}"#;
    let default = r#", "peerMetadata": {"trust": "always"}"#;
    let never = r#", "peerMetadata": {"trust": "never", "readAt": "response"}"#;
    let mtls = r#", "peerMetadata": {"readAt": "response"}"#;
    let [source, destination] = ["source", "destination"].map(|side| format!(r#"{passing}, "reporter": "{side}""#));
    let cases: [Case<'_>; 11] = [
        ("the end is the default", default, 2, Some("passing"), Some("end"), "end"),
        ("read at the end, stripped before", at_end, 2, Some("passing"), None, "endpoint"),
        ("read as it passes, stripped later", passing, 2, Some("passing"), None, "passing"),
        ("read as it passes, another at the end", passing, 2, Some("passing"), Some("end"), "passing"),
        ("nothing to read", passing, 2, None, None, "endpoint"),
        ("a listener without direction", passing, 0, Some("passing"), None, "passing"),
        ("an inbound listener", passing, 1, Some("passing"), None, "unknown"),
        ("an inbound listener as source", &source, 1, Some("passing"), None, "passing"),
        ("an outbound listener as destination", &destination, 2, Some("passing"), None, "unknown"),
        ("no peer is believed", never, 2, Some("passing"), None, "endpoint"),
        ("a peer without a certificate is not believed", mtls, 2, Some("passing"), None, "endpoint"),
    ];
    let mut wrong = Vec::new();
    for (name, settings, direction, passing, end, expected) in cases {
        let mut streamed = Streamed::default()
            .int(Attribute::ListenerDirection, direction)
            .bytes(Attribute::UpstreamHostMetadata, metadata(r#"{"workload": "endpoint;far;s;r;c"}"#));
        if let Some(workload) = passing {
            streamed = streamed.on_response(Attribute::UpstreamPeerMetadata, header(workload));
        }
        if let Some(workload) = end {
            streamed = streamed.bytes(Attribute::UpstreamPeerMetadata, header(workload));
        }
        let labels = labels_of(settings, &node(), &streamed);
        let side = if labels["reporter"] == "source" { "destination_workload" } else { "source_workload" };
        if labels[side] != expected {
            wrong.push(format!("{name}: {} instead of {expected}", labels[side]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_response_is_read_only_where_the_configuration_says() {
    use Attribute as A;
    let read = r#""peerMetadata": {"readAt": "response"}"#;
    let mut rows = Rows::default();
    for (settings, reads) in [
        (String::new(), false),
        (r#", "peerMetadata": {"readAt": "end"}"#.to_owned(), false),
        (format!(", {read}"), true),
        (format!(r#", {read}, "reporter": "source""#), true),
        (format!(r#", {read}, "reporter": "destination""#), false),
        (format!(r#", {read}, "mode": "off""#), false),
        (format!(r#", {read}, "mode": "observe""#), true),
        (r#", "peerMetadata": {"readAt": "response", "trust": "never"}"#.to_owned(), false),
    ] {
        let filter = telemetry(&settings, &node());
        let demand = filter.demand(Phase::Response);
        let expected = if reads { SortedSet::from([A::UpstreamPeerMetadata]) } else { SortedSet::new() };
        rows.check(&settings, (demand.idle, &demand.attributes), (!reads, &expected));
        if reads {
            // What was read is not asked for again.
            for phase in [Phase::End, Phase::EndUnseen] {
                let end = filter.demand(phase).of_stream(false, true);
                rows.check(format!("{settings} {phase:?}"), end.contains(&A::UpstreamPeerMetadata), false);
            }
        }
    }
}
