use super::*;
use weir_testing::Rows;

#[test]
fn a_location_is_an_absolute_url_of_the_same_scheme() {
    let request = HeaderMap::new([(":scheme", "http"), (":authority", "a"), (":path", "/old?x=1")]);
    let table = [
        ("http://b/new?y=2", Some(("b", "/new?y=2"))),
        ("http://b:8080", Some(("b:8080", "/"))),
        ("http://b?y=2", Some(("b", "/?y=2"))),
        ("http://b/new#part", Some(("b", "/new"))),
        ("https://b/new", None),
        ("/new", None),
        ("", None),
        ("http:///new", None),
    ];
    let mut rows = Rows::default();
    for (location, wanted) in table {
        let new = moved(&request, location.as_bytes());
        let got = new.as_ref().map(|new| (new.get(b":authority").unwrap(), new.get(b":path").unwrap()));
        rows.check(location, got, wanted.map(|(host, path)| (host.as_bytes(), path.as_bytes())));
        if let Some(new) = new {
            rows.check(location, new.get(b"x-envoy-original-url"), Some(&b"http://a/old?x=1"[..]));
        }
    }
}
