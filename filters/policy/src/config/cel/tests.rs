use super::scan::{Seen, scan};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn what_an_expression_asks_for_is_seen() {
    let none = Seen::default();
    let request = Seen { request: true, ..none };
    let headers = Seen { headers: true, ..request };
    let mut rows = Rows::default();
    for (text, seen) in [
        ("true", none),
        ("request.path == '/a'", request),
        ("request.headers['x'] == 'a'", headers),
        ("request . headers['x'] == 'a'", headers),
        ("request['headers']['x'] == 'a'", headers),
        ("request[\"headers\"]['x'] == 'a'", headers),
        ("'x' in request.headers", Seen { presence: true, ..headers }),
        ("has(request.headers.x)", Seen { presence: true, ..headers }),
        ("request.path.contains('headers')", request),
        ("'a.headers' == 'b'", none),
        ("// request.headers\ntrue", none),
        ("true // request.headers", none),
        ("'//' + request.path == 'a'", request),
        ("'it\\'s request.headers' == ''", none),
        ("r'\\' == request.path", request),
        ("rb'''a'request''' == b''", none),
        ("\"\"\"a\" request\"\"\" == ''", none),
        ("'open request.headers", none),
        ("connection.request == 1", none),
        ("has(response.code)", Seen { response: true, presence: true, ..none }),
        ("metadata.filter_metadata['request'] == 1", none),
        ("requested == 1", none),
        ("", none),
        ("\u{e9}request", Seen { request: true, ..none }),
    ] {
        rows.check(text, scan(text), seen);
    }
}

#[test]
fn macros_inside_of_one_another_are_seen() {
    let mut rows = Rows::default();
    for (text, is_nested) in [
        ("[1].all(x, x > 0)", false),
        ("[1].map(x, x).filter(x, x > 0)", false),
        ("[1].all(x, x > 0) && [2].exists(x, x > 1)", false),
        ("[1].all(x, (x > 0))", false),
        ("[1].all(x, [2].exists(y, y > x))", true),
        ("[1].all(x, ([2].map(y, y)) == [x])", true),
        ("[1] . exists_one (x, [2].filter(y, y > x) == [])", true),
        ("[1].all(x, '[2].exists(y, true)' == x)", false),
        ("[[1].map(x, x)].all(y, y == [1])", false),
        ("all(1) || a.all(x, all(2))", false),
        ("))).a.all(x, b.all(y, true))", true),
    ] {
        rows.check(text, scan(text).is_nested, is_nested);
    }
}
