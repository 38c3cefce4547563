use super::*;

#[test]
fn a_record_becomes_one_line() {
    let cases = [
        (
            r#"{"method":"GET","path":"/items/42","status":200,"details":"via_upstream","policy":"allow shop/api[0]","rate_limit":null}"#,
            "GET /items/42                    200  policy: allow shop/api[0]",
        ),
        (
            r#"{"method":"GET","path":"/cart","status":429,"details":"local_rate_limited[per-user]","retry_after":"17"}"#,
            "GET /cart                        429  retry after 17 s  (local_rate_limited[per-user])",
        ),
        (r#"{"status":400}"#, "- -                              400"),
    ];
    for (json, line) in cases {
        assert_eq!(Record::parse(json).map(|record| record.line()).as_deref(), Some(line));
    }
    assert!(Record::parse("[2026-01-01] starting").is_none());
    assert!(Record::parse("{}").is_none());
}

#[test]
fn labels_that_say_nothing_are_left_out() {
    for (line, brief_line) in [
        (r#"istio_a{b="c",d="unknown",e="",f="g,h"} 3"#, r#"istio_a{b="c",f="g,h"} 3"#),
        (r#"istio_a{d="unknown"} 3"#, "istio_a{} 3"),
        (r#"weir_istio_a{d="unknown"} 3"#, "weir_istio_a{} 3"),
        (r#"weir_a{decision="deny",reason="unknown",e=""} 3"#, r#"weir_a{decision="deny",reason="unknown"} 3"#),
        (r#"a{b="c",d=""} 3"#, r#"a{b="c"} 3"#),
        ("a 3", "a 3"),
    ] {
        assert_eq!(brief(line), brief_line);
    }
}

#[test]
fn series_with_something_in_them_are_shown() {
    assert!(is_shown("istio_requests_total{reporter=\"destination\"} 3"));
    assert!(!is_shown("istio_requests_total{reporter=\"destination\"} 0"));
    assert!(!is_shown("istio_request_bytes_bucket{le=\"1\"} 3"));
    assert!(!is_shown("envoy_server_live 1"));
    assert!(!is_shown("# TYPE istio_requests_total counter"));
}
