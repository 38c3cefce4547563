use super::{identities, matches};
use serde_json::json;
use weir_testing::Rows;

#[test]
fn a_star_at_one_end_stands_for_anything() {
    let table = [
        ("*", "td/ns/a/sa/b", true),
        ("*/ns/a/sa/b", "td/ns/a/sa/b", true),
        ("*/ns/a/sa/b", "td/ns/a/sa/c", false),
        ("td/*", "td/ns/a/sa/b", true),
        ("td/*", "td2/ns/a/sa/b", false),
        ("td/ns/a/sa/b", "td/ns/a/sa/b", true),
        ("td/ns/a/sa/b", "td2/ns/a/sa/b", false),
    ];
    let mut rows = Rows::default();
    for (pattern, peer, expected) in table {
        rows.check(format!("{pattern} {peer}"), matches(pattern, peer), expected);
    }
}

#[test]
fn every_row_asks_as_a_peer_that_passes_and_as_one_that_does_not() {
    let case = json!({
        "trust_domain": "td2", "aliases": ["td1"],
        "principals": ["td1/ns/foo/sa/bar"], "expanded": ["td2/ns/foo/sa/bar", "td1/ns/foo/sa/bar"],
    });
    let peers = identities(&case);
    let mut rows = Rows::default();
    for peer in ["td1/ns/foo/sa/bar", "td2/ns/foo/sa/bar", "foreign/ns/foo/sa/bar"] {
        rows.check(format!("{peer} in {peers:?}"), peers.contains(peer), true);
    }
}
