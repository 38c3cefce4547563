use super::{identities, matches};
use serde_json::json;

#[test]
fn a_star_at_one_end_stands_for_anything() {
    let rows = [
        ("*", "td/ns/a/sa/b", true),
        ("*/ns/a/sa/b", "td/ns/a/sa/b", true),
        ("*/ns/a/sa/b", "td/ns/a/sa/c", false),
        ("td/*", "td/ns/a/sa/b", true),
        ("td/*", "td2/ns/a/sa/b", false),
        ("td/ns/a/sa/b", "td/ns/a/sa/b", true),
        ("td/ns/a/sa/b", "td2/ns/a/sa/b", false),
    ];
    for (pattern, peer, expected) in rows {
        assert_eq!(matches(pattern, peer), expected, "{pattern} {peer}");
    }
}

#[test]
fn every_row_asks_as_a_peer_that_passes_and_as_one_that_does_not() {
    let case = json!({
        "trust_domain": "td2", "aliases": ["td1"],
        "principals": ["td1/ns/foo/sa/bar"], "expanded": ["td2/ns/foo/sa/bar", "td1/ns/foo/sa/bar"],
    });
    let peers = identities(&case);
    for peer in ["td1/ns/foo/sa/bar", "td2/ns/foo/sa/bar", "foreign/ns/foo/sa/bar"] {
        assert!(peers.contains(peer), "{peer} in {peers:?}");
    }
}
