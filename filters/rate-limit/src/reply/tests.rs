use super::{Told, remark};
use crate::algorithm::Standing;
use crate::clock::SECOND;
use crate::compiled::limits::Tree;
use crate::config;
use crate::decision::{Answer, Decision};
use crate::table::Outcome;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;

const TOLD: Told = Told { status: 429, grpc_status: None, quota: true, retry: true };

/// The limits of the tests: `by minute`, `day` and one that does not limit.
fn tree() -> Tree {
    let config = r#"{"domain":"d","descriptors":[
        {"key":"m","rate_limit":{"name":"by minute","unit":"minute","requests_per_unit":3}},
        {"key":"d","rate_limit":{"name":"day","unit":"day","requests_per_unit":2}},
        {"key":"u","rate_limit":{"unlimited":true}}]}"#;
    read_document(config.as_bytes(), |at| config::read_limits(&at, &mut Vec::new(), 64)).unwrap()
}

fn taken(remaining: u64) -> Option<Outcome> {
    Some(Outcome::Taken { standing: Standing { remaining, reset: 30 * SECOND }, receipt: 0 })
}

fn exceeded(retry: Option<u64>) -> Option<Outcome> {
    Some(Outcome::Exceeded { standing: Standing { remaining: 1, reset: 4_000 * SECOND }, retry })
}

fn full() -> Option<Outcome> {
    Some(Outcome::Full { standing: Standing { remaining: 1, reset: 50 * SECOND }, retry: Some(40 * SECOND) })
}

fn told(told: Told, outcomes: &[Option<Outcome>], deny_full: bool) -> Vec<String> {
    let tree = tree();
    let answers: Vec<_> =
        outcomes.iter().enumerate().map(|(limit, outcome)| Answer::new(limit, false, *outcome, deny_full)).collect();
    let decision = Decision::of(&answers);
    let mut lines = vec![remark(&decision, &tree).map_or_else(String::new, |line| String::from_utf8(line).unwrap())];
    let text =
        |name: &[u8], value: &[u8]| format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    match decision {
        Decision::Refused(answer, wait) => {
            let reply = told.reply(&answer, wait, &answers, &tree);
            lines.push(format!("{} {} {}", reply.status, reply.details, String::from_utf8(reply.body).unwrap()));
            lines.extend(reply.headers.iter().map(|(name, value)| text(name, value)));
        }
        Decision::Passes(answer) => {
            let headers = told.quota(&answer, &answers, &tree).map(|quota| quota.into_pairs());
            lines.extend(headers.into_iter().flatten().map(|(name, value)| text(name, &value)));
        }
        Decision::Unasked => {}
    }
    lines
}

const LIMITED: &str = "x-envoy-ratelimited: true";
const LISTED: &str = r#"x-ratelimit-limit: 2, 3;w=60;name="by minute", 2;w=86400;name="day""#;

#[test]
fn everything_that_is_told_is_about_one_limit() {
    type Row<'r> = (&'r [Option<Outcome>], bool, &'r [&'r str]);
    let rows: [Row<'_>; 10] = [
        (
            &[taken(0), exceeded(Some(3_999 * SECOND + 1))],
            false,
            &[
                "over_limit limit=day reason=exceeded retry=4000",
                "429 local_rate_limited[day] local_rate_limited",
                LIMITED,
                "retry-after: 4000",
                LISTED,
                "x-ratelimit-remaining: 0",
                "x-ratelimit-reset: 4000",
            ],
        ),
        (
            &[exceeded(Some(30 * SECOND)), exceeded(None)],
            false,
            &[
                "over_limit limit=day reason=exceeded retry=never",
                "429 local_rate_limited[day] local_rate_limited",
                LIMITED,
                LISTED,
                "x-ratelimit-remaining: 0",
                "x-ratelimit-reset: 4000",
            ],
        ),
        (
            &[full()],
            true,
            &[
                "over_limit limit=by_minute reason=full retry=40",
                "429 local_rate_limit_full[by_minute] local_rate_limit_full",
                LIMITED,
                "retry-after: 40",
            ],
        ),
        (
            &[Some(Outcome::Contended)],
            false,
            &[
                "over_limit limit=by_minute reason=contended",
                "429 local_rate_limit_contended[by_minute] local_rate_limit_contended",
                LIMITED,
            ],
        ),
        (
            &[taken(0), Some(Outcome::Unavailable)],
            false,
            &[
                "over_limit limit=day reason=unavailable",
                "429 local_rate_limit_unavailable[day] local_rate_limit_unavailable",
                LIMITED,
            ],
        ),
        (
            &[taken(2), taken(1), None],
            false,
            &["ok limit=day remaining=1 reset=30", LISTED, "x-ratelimit-remaining: 1", "x-ratelimit-reset: 30"],
        ),
        (
            &[full()],
            false,
            &[
                "ok limit=by_minute full",
                r#"x-ratelimit-limit: 3, 3;w=60;name="by minute""#,
                "x-ratelimit-remaining: 1",
                "x-ratelimit-reset: 50",
            ],
        ),
        (
            &[exceeded(Some(1))],
            false,
            &[
                "over_limit limit=by_minute reason=exceeded retry=1",
                "429 local_rate_limited[by_minute] local_rate_limited",
                LIMITED,
                "retry-after: 1",
                r#"x-ratelimit-limit: 3, 3;w=60;name="by minute""#,
                "x-ratelimit-remaining: 0",
                "x-ratelimit-reset: 4000",
            ],
        ),
        (&[], false, &[""]),
        (
            &[taken(3)],
            false,
            &[
                "ok limit=by_minute remaining=3 reset=30",
                r#"x-ratelimit-limit: 3, 3;w=60;name="by minute""#,
                "x-ratelimit-remaining: 3",
                "x-ratelimit-reset: 30",
            ],
        ),
    ];
    for (outcomes, deny_full, expected) in rows {
        assert_eq!(told(TOLD, outcomes, deny_full), expected, "{outcomes:?}");
    }
}

#[test]
fn what_is_switched_off_is_not_told() {
    let told = told(Told { quota: false, retry: false, status: 503, ..TOLD }, &[exceeded(Some(SECOND))], false);
    let expected = [
        "over_limit limit=by_minute reason=exceeded retry=1",
        "503 local_rate_limited[by_minute] local_rate_limited",
        LIMITED,
    ];
    assert_eq!(told, expected);
}

#[test]
fn an_unlimited_limit_says_so() {
    let tree = tree();
    let decision = Decision::of(&[Answer::new(2, false, None, false)]);
    assert_eq!(remark(&decision, &tree), Some(b"ok limit=u unlimited".to_vec()));
}
