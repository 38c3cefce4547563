use super::*;
use weir_testing::Rows;

#[test]
fn a_record_becomes_one_line() {
    let cases = [
        (
            "allowed by a policy",
            r#"{"method":"GET","path":"/items/42","status":200,"details":"via_upstream","policy":"allow shop/api[0]","rate_limit":null}"#,
            "GET /items/42             200  shop/api[0]              allowed",
        ),
        (
            "allowed, and a limit was asked",
            r#"{"method":"GET","path":"/cart","status":200,"policy":"allow shop/api[1]","rate_limit":"ok limit=per-user remaining=2 reset=31"}"#,
            "GET /cart                 200  shop/api[1]              allowed, limit per-user: 2 left, resets in 31 s",
        ),
        (
            "a limit that could not be asked",
            r#"{"method":"GET","path":"/cart","status":200,"rate_limit":"ok limit=total contended"}"#,
            "GET /cart                 200  -                        limit total: contended",
        ),
        (
            "refused by a DENY rule",
            r#"{"method":"GET","path":"/admin","status":403,"details":"rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]]","policy":"deny shop/no-admin[0]"}"#,
            "GET /admin                403  shop/no-admin[0]         refused by a DENY rule (rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]])",
        ),
        (
            "no rule allows it",
            r#"{"method":"GET","path":"/x","status":403,"details":"via_upstream","policy":"deny -"}"#,
            "GET /x                    403  policy                   no ALLOW rule matches",
        ),
        (
            "undecided",
            r#"{"method":"GET","path":"/x","status":403,"policy":"deny shop/api[0] peer-identity-unknown"}"#,
            "GET /x                    403  shop/api[0]              refused, peer-identity is unknown",
        ),
        (
            "shadow",
            r#"{"method":"GET","path":"/x","status":200,"policy":"shadow deny shop/no-admin[0]"}"#,
            "GET /x                    200  shop/no-admin[0]         shadow: refused by a DENY rule",
        ),
        (
            "over the limit",
            r#"{"method":"GET","path":"/cart","status":429,"details":"local_rate_limited[per-user]","policy":"allow shop/api[1]","rate_limit":"over_limit limit=per-user reason=exceeded retry=17","retry_after":"17"}"#,
            "GET /cart                 429  limit per-user           exceeded, retry after 17 s (local_rate_limited[per-user])",
        ),
        (
            "more than the limit ever lets through",
            r#"{"method":"GET","path":"/cart","status":429,"rate_limit":"over_limit limit=none reason=exceeded retry=never"}"#,
            "GET /cart                 429  limit none               exceeded, never fits",
        ),
        (
            "without filter state",
            r#"{"method":"GET","path":"/cart","status":429,"details":"local_rate_limited[per-user]","retry_after":"17"}"#,
            "GET /cart                 429  -                        retry after 17 s (local_rate_limited[per-user])",
        ),
        ("a request that could not be read", r#"{"status":400}"#, "- -                       400  -"),
    ];
    let mut rows = Rows::default();
    for (name, json, line) in cases {
        rows.check(name, Record::parse(json).map(|record| record.line(super::Colours::Off)).as_deref(), Some(line));
    }
    assert!(Record::parse("[2026-01-01] starting").is_none());
    assert!(Record::parse("{}").is_none());
}

#[test]
fn titles_stand_over_their_columns() {
    assert_eq!(titles(), "request                status  decided by               why");
}
