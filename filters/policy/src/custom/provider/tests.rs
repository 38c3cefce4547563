use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_testing::Rows;

fn read_one(fields: &str) -> Result<Provider, String> {
    let document = format!(r#"{{"p":{fields}}}"#);
    let read = |at: Cursor<'_>| read(&at).remove("p");
    read_document(document.as_bytes(), read).map_err(|problems| problems.to_string())
}

#[test]
fn providers_are_read_as_istio_reads_them() {
    let mut rows = Rows::default();
    let service = r#""service":"ns/a.b.svc","port":80"#;
    for (fields, expected) in [
        (format!(r#"{{"envoyExtAuthzGrpc":{{{service}}}}}"#), "outbound|80||a.b.svc 600000 false 403"),
        (
            format!(r#"{{"cluster":"c","envoyExtAuthzGrpc":{{{service},"timeout":"0.002s","failOpen":true}}}}"#),
            "c 2 true 403",
        ),
        (
            format!(r#"{{"envoyExtAuthzHttp":{{{service},"statusOnError":"503","timeout":"1.5s"}}}}"#),
            "outbound|80||a.b.svc 1500 false 503",
        ),
        (
            format!(r#"{{"envoyExtAuthzHttp":{{{service},"timeout":"0.0000001s"}}}}"#),
            "outbound|80||a.b.svc 1 false 403",
        ),
        (
            format!(r#"{{"envoyExtAuthzHttp":{{{service},"timeout":"250ms","clearRouteCache":true}}}}"#),
            "outbound|80||a.b.svc 250 false 403",
        ),
        (
            format!(r#"{{"envoyExtAuthzHttp":{{{service},"timeout":"1m1.5s"}}}}"#),
            "outbound|80||a.b.svc 61500 false 403",
        ),
        (format!(r#"{{"envoyExtAuthzHttp":{{{service},"timeout":"1h"}}}}"#), "outbound|80||a.b.svc 3600000 false 403"),
        (r#"{"envoyExtAuthzGrpc":{"service":"a","port":"9000"}}"#.to_owned(), "outbound|9000||a 600000 false 403"),
    ] {
        let found = read_one(&fields).map(|provider| {
            let Provider { cluster, timeout_millis, fail_open, status_on_error, .. } = provider;
            format!("{cluster} {timeout_millis} {fail_open} {status_on_error}")
        });
        rows.check(fields, found, Ok(expected.to_owned()));
    }
}

#[test]
fn what_istio_or_this_filter_cannot_take_is_refused() {
    let mut rows = Rows::default();
    let with = |extra: &str| format!(r#"{{"envoyExtAuthzHttp":{{"service":"a.b.svc","port":80{extra}}}}}"#);
    let cases = [
        ("{}".to_owned(), "$.p: a provider has either"),
        (r#"{"envoyExtAuthzGrpc":{"port":80}}"#.to_owned(), "$.p.envoyExtAuthzGrpc: `service` is missing"),
        (r#"{"envoyExtAuthzGrpc":{"service":"a b","port":80}}"#.to_owned(), "`a b` is not a service"),
        (r#"{"envoyExtAuthzGrpc":{"service":"a","port":0}}"#.to_owned(), "from 1 to 65535"),
        (r#"{"envoyExtAuthzGrpc":{"service":"a","port":1,"pathPrefix":"/"}}"#.to_owned(), "unknown field"),
        (with(r#","timeout":"1""#), "`1` is not a duration"),
        (with(r#","timeout":"250""#), "`250` is not a duration"),
        (with(r#","timeout":"1.s2""#), "is not a duration"),
        (with(r#","timeout":".s""#), "is not a duration"),
        (with(r#","timeout":"-1s""#), "is not a duration"),
        (with(r#","timeout":"1d""#), "is not a duration"),
        (with(r#","timeout":"99999999999999h""#), "is not a duration"),
        (with(r#","timeout":"999999h""#), "less than 25 days"),
        (r#"{"envoyExtAuthzGrpc":{"service":"a","port":"0"}}"#.to_owned(), "from 1 to 65535"),
        (r#"{"envoyExtAuthzGrpc":{"service":"a","port":"+80"}}"#.to_owned(), "expected a whole number"),
        (with(r#","timeout":"0s""#), "more than zero"),
        (with(r#","timeout":"3000000s""#), "less than 25 days"),
        (with(r#","statusOnError":"999""#), "`999` is not an HTTP status"),
        (with(r#","statusOnError":"0""#), "`0` is not an HTTP status"),
        (with(r#","pathPrefix":"check""#), "begins with `/`"),
        (with(r#","headersToUpstreamOnAllow":["*"]"#), "`*` alone is not supported"),
        (with(r#","includeRequestBodyInCheck":{"maxRequestBytes":10}"#), "before there is a body"),
        (with(r#","includeAdditionalHeadersInCheck":{":path":"a"}"#), "`:path` is not a header that can be added"),
        (with(r#","clearRouteCache":1"#), "expected"),
    ];
    for (fields, expected) in cases {
        let found = read_one(&fields).map(drop);
        rows.check(format!("{fields}: {found:?}"), found.err().is_some_and(|text| text.contains(expected)), true);
    }
    let mut names = Rows::default();
    for (name, sound) in
        [("a", true), ("a-1", true), ("", false), ("A", false), ("-a", false), ("a.b", false), (&"a".repeat(64), false)]
    {
        names.check(name, is_provider_name(name), sound);
    }
}

#[test]
fn providers_may_be_listed_as_in_mesh_config() {
    let list = r#"[{"name":"p","envoyExtAuthzHttp":{"service":"a","port":80}},{"name":"z","zipkin":{"service":"z"}},
        {"name":"q","cluster":"c","envoyExtAuthzGrpc":{"service":"b","port":9000}}]"#;
    let read_list = |list: &str| {
        let read =
            |at: Cursor<'_>| Some(read(&at).iter().map(|(name, found)| format!("{name} {}", found.cluster)).collect());
        read_document(list.as_bytes(), read).map_err(|problems| problems.to_string())
    };
    assert_eq!(read_list(list), Ok(vec!["p outbound|80||a".to_owned(), "q c".to_owned()]));
    let mut rows = Rows::default();
    let one = r#"{"name":"p","envoyExtAuthzHttp":{"service":"a","port":80}}"#;
    for (list, expected) in [
        (format!("[{one},{one}]"), "`p` is given twice"),
        (format!("[{}]", one.replace(r#""name":"p","#, "")), "`name` is missing"),
        ("[1]".to_owned(), "expected an object"),
        (format!("[{}]", one.replace("80", "0")), "from 1 to 65535"),
    ] {
        let found: Result<Vec<String>, String> = read_list(&list);
        rows.check(format!("{list} {found:?}"), found.is_err_and(|text| text.contains(expected)), true);
    }
}

#[test]
fn the_older_list_of_headers_counts_where_the_newer_is_empty() {
    let mut rows = Rows::default();
    for (lists, included) in [
        (r#","includeHeadersInCheck":["x-old"]"#, "x-old"),
        (r#","includeHeadersInCheck":["x-old"],"includeRequestHeadersInCheck":[]"#, "x-old"),
        (r#","includeHeadersInCheck":["x-old"],"includeRequestHeadersInCheck":["X-New"]"#, "x-new"),
    ] {
        let provider = read_one(&format!(r#"{{"envoyExtAuthzHttp":{{"service":"a","port":80{lists}}}}}"#));
        let Ok(Provider { protocol: Protocol::Http(http), .. }) = provider else { panic!("{provider:?}") };
        rows.check(lists, http.included, Box::from([Pattern::parse(included)]));
    }
}
