use super::ReplySettings;
use crate::algorithm::{Quota, Retry};
use crate::clock::SECOND;
use crate::compiled::limits::LimitTree;
use crate::config;
use crate::decision::{Decision, LimitDecision, OnFull};
use crate::filter_state::record;
use crate::table::Outcome;
use crate::testing::gcra;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_testing::Rows;

const SETTINGS: ReplySettings =
    ReplySettings { status: 429, grpc_status: None, quota_headers: true, retry_after: true };

/// The limits of the tests: `by minute`, `day` and one that does not limit.
fn tree() -> LimitTree {
    let config = r#"{"domain":"d","descriptors":[
        {"key":"m","rate_limit":{"name":"by minute","unit":"minute","requests_per_unit":3}},
        {"key":"d","rate_limit":{"name":"day","unit":"day","requests_per_unit":2}},
        {"key":"u","rate_limit":{"unlimited":true}}]}"#;
    read_document(config.as_bytes(), |at| config::read_limits(&at, &mut Vec::new(), 64)).unwrap()
}

fn taken(remaining: u64) -> Option<Outcome> {
    Some(Outcome::Taken { quota: Quota { remaining, reset_nanos: 30 * SECOND }, receipt: None })
}

fn exceeded(retry: Retry) -> Option<Outcome> {
    Some(Outcome::Exceeded { quota: Quota { remaining: 1, reset_nanos: 4_000 * SECOND }, retry })
}

fn full() -> Option<Outcome> {
    Some(Outcome::Full { quota: Quota { remaining: 1, reset_nanos: 50 * SECOND }, retry: Retry::After(40 * SECOND) })
}

fn report(settings: ReplySettings, outcomes: &[Option<Outcome>], on_full: OnFull) -> Vec<String> {
    let tree = tree();
    let decisions: Vec<_> = outcomes
        .iter()
        .enumerate()
        .map(|(limit, outcome)| LimitDecision::new(limit, false, *outcome, on_full))
        .collect();
    let decision = Decision::of(&decisions);
    let mut lines = vec![record(&decision, &tree).map_or_else(String::new, |line| String::from_utf8(line).unwrap())];
    let text =
        |name: &[u8], value: &[u8]| format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    match decision {
        Decision::Refused(by, refusal) => {
            let reply = settings.reply(&by, refusal, &decisions, &tree);
            lines.push(format!("{} {} {}", reply.status, reply.details, String::from_utf8(reply.body).unwrap()));
            lines.extend(reply.headers.iter().map(|(name, value)| text(name, value)));
        }
        Decision::Allowed(by) => {
            let headers = settings.quota_headers(&by, &decisions, &tree).map(|quota| quota.into_pairs());
            lines.extend(headers.into_iter().flatten().map(|(name, value)| text(name, &value)));
        }
        Decision::NoLimit => {}
    }
    lines
}

const LIMITED: &str = "x-envoy-ratelimited: true";
const LISTED: &str = r#"x-ratelimit-limit: 2, 3;w=60;name="by minute", 2;w=86400;name="day""#;

#[test]
fn reply_headers_and_filter_state_are_about_one_limit() {
    type Row<'r> = (&'r [Option<Outcome>], OnFull, &'r [&'r str]);
    let rows: [Row<'_>; 10] = [
        (
            &[taken(0), exceeded(Retry::After(3_999 * SECOND + 1))],
            OnFull::Allow,
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
            &[exceeded(Retry::After(30 * SECOND)), exceeded(Retry::Never)],
            OnFull::Allow,
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
            OnFull::Deny,
            &[
                "over_limit limit=by_minute reason=full retry=40",
                "429 local_rate_limit_full[by_minute] local_rate_limit_full",
                LIMITED,
                "retry-after: 40",
            ],
        ),
        (
            &[Some(Outcome::Contended)],
            OnFull::Allow,
            &[
                "over_limit limit=by_minute reason=contended",
                "429 local_rate_limit_contended[by_minute] local_rate_limit_contended",
                LIMITED,
            ],
        ),
        (
            &[taken(0), Some(Outcome::Unavailable)],
            OnFull::Allow,
            &[
                "over_limit limit=day reason=unavailable",
                "429 local_rate_limit_unavailable[day] local_rate_limit_unavailable",
                LIMITED,
            ],
        ),
        (
            &[taken(2), taken(1), None],
            OnFull::Allow,
            &["ok limit=day remaining=1 reset=30", LISTED, "x-ratelimit-remaining: 1", "x-ratelimit-reset: 30"],
        ),
        (
            &[full()],
            OnFull::Allow,
            &[
                "ok limit=by_minute full",
                r#"x-ratelimit-limit: 3, 3;w=60;name="by minute""#,
                "x-ratelimit-remaining: 1",
                "x-ratelimit-reset: 50",
            ],
        ),
        (
            &[exceeded(Retry::After(1))],
            OnFull::Allow,
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
        (&[], OnFull::Allow, &[""]),
        (
            &[taken(3)],
            OnFull::Allow,
            &[
                "ok limit=by_minute remaining=3 reset=30",
                r#"x-ratelimit-limit: 3, 3;w=60;name="by minute""#,
                "x-ratelimit-remaining: 3",
                "x-ratelimit-reset: 30",
            ],
        ),
    ];
    let mut table = Rows::default();
    for (outcomes, on_full, expected) in rows {
        table.check(format!("{outcomes:?} {on_full:?}"), report(SETTINGS, outcomes, on_full), expected);
    }
}

#[test]
fn headers_that_are_switched_off_are_left_out() {
    let settings = ReplySettings { quota_headers: false, retry_after: false, status: 503, ..SETTINGS };
    let found = report(settings, &[exceeded(Retry::After(SECOND))], OnFull::Allow);
    let expected = [
        "over_limit limit=by_minute reason=exceeded retry=1",
        "503 local_rate_limited[by_minute] local_rate_limited",
        LIMITED,
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_record_names_an_unlimited_limit() {
    let tree = tree();
    let decision = Decision::of(&[LimitDecision::new(2, false, None, OnFull::Allow)]);
    assert_eq!(record(&decision, &tree), Some(b"ok limit=u unlimited".to_vec()));
}

/// What is left of a burst is a part of the burst: a client that reads `limit` and `remaining` together must see so.
#[test]
fn quota_headers_of_a_steady_rate_begin_with_its_burst() {
    let mut tree = tree();
    tree.limits[0].algorithm = Some(gcra(3, 60, 40));
    let decision = LimitDecision::new(0, false, taken(39), OnFull::Allow);
    let headers = SETTINGS.quota_headers(&decision, &[decision], &tree).unwrap().into_pairs();
    let values = headers.map(|(_, value)| String::from_utf8(value).unwrap());
    assert_eq!(values, [r#"40, 3;w=60;name="by minute""#, "39", "30"].map(str::to_owned));
}
