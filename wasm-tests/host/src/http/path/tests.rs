use super::{Outcome, normalize};
use weir_scenario::{EscapedSlashes, PathNormalization};
use weir_testing::Rows;

#[test]
fn normalises_as_envoy_does() {
    let none = PathNormalization::default();
    let base = PathNormalization { normalize_path: true, ..none };
    let merge = PathNormalization { merge_slashes: true, ..base };
    let decode = PathNormalization { escaped_slashes: EscapedSlashes::UnescapeAndForward, ..merge };
    let reject = PathNormalization { escaped_slashes: EscapedSlashes::Reject, ..base };
    let table = [
        ("none keeps dot segments", none, "/a/../b", Some("/a/../b")),
        ("dot segments", base, "/a/./b/../c", Some("/a/c")),
        ("dot segments at the end", base, "/a/b/..", Some("/a/")),
        ("above the root", base, "/../../a", Some("/a")),
        ("backslashes", base, "/a\\b", Some("/a/b")),
        ("unreserved escapes, once", base, "/%61%2d%252d", Some("/a-%252d")),
        ("escaped slashes stay", base, "/a%2fb", Some("/a%2fb")),
        ("double slashes stay", base, "//a", Some("//a")),
        ("merged slashes", merge, "//a///b?c=//d", Some("/a/b?c=//d")),
        ("parameters of dot segments", merge, "/v1/..;x=1/private", Some("/private")),
        ("the same of one dot, and at the end", merge, "/v1/.;/b/..;", Some("/v1/")),
        ("an escaped dot segment", merge, "/a/%2e%2e;/b", Some("/a/..;/b")),
        ("an escaped semicolon", merge, "/a/..%3b/b", Some("/a/..%3b/b")),
        ("parameters of others", merge, "/a;/../b", Some("/b")),
        ("parameters of dot segments, slashes not merged", base, "/v1/..;/private", Some("/v1/..;/private")),
        ("escaped slashes decoded", decode, "/a%2F%5cb", Some("/a/b")),
        ("escaped slashes refused", reject, "/a%2Fb", None),
        ("escaped NUL", base, "/a%00", None),
        ("asterisk", base, "*", Some("*")),
        ("query untouched", base, "/a?b=/../c", Some("/a?b=/../c")),
    ];
    let mut rows = Rows::default();
    for (rule, options, path, expected) in table {
        let expected = expected.map_or(Outcome::Refused, |path| Outcome::Path(path.into()));
        rows.check(rule, normalize(path.as_bytes(), options), expected);
    }
}
