use super::{RateLimit, Stream};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::{Common, Cursor, Mode, read_document};
use weir_model::{
    Attribute, Attributes, Edits, Effects, EnvoyVersion, Facts, Filter, HeaderEdit, Headers, Io, MemoryCells, MetricOp,
    Node, Now, PairsBuilder, Phase, Reply, Verdict,
};
use weir_testing::Rows;

mod clock;
mod envoyproxy;
mod matching;
mod metrics;

const SECOND: u64 = 1_000_000_000;

fn now(nanos: u64) -> Now {
    Now { wall_nanos: 600 * SECOND + nanos, mono_nanos: nanos }
}

fn filter(document: &str) -> RateLimit {
    let envoy = Some(EnvoyVersion { major: 1, minor: 40, patch: 0, is_release: true });
    match RateLimit::compile(document.as_bytes(), &Node { envoy, ..Node::default() }) {
        Ok(filter) => filter,
        Err(problems) => panic!("{problems}"),
    }
}

struct Seen {
    verdict: Verdict,
    stream: Stream,
    effects: Effects,
    edits: Edits,
}

impl Seen {
    fn reply(&self) -> &Reply {
        match &self.verdict {
            Verdict::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    fn passed(&self) -> bool {
        self.verdict == Verdict::Continue
    }

    fn record(&self) -> Option<String> {
        let (_, text) = self.edits.filter_state.first()?;
        Some(String::from_utf8(text.clone()).unwrap())
    }
}

fn ask(filter: &mut RateLimit, cells: &mut MemoryCells, user: &str, now: Now) -> Seen {
    let bytes = PairsBuilder::default().push(b":path", b"/").push(b"x-user", user.as_bytes()).finish();
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::SourceAddress, b"10.0.0.1:4711");
    attributes.set_int(&Attribute::ListenerDirection, 1);
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: Headers::default(),
        response_trailers: Headers::default(),
        attributes: &attributes,
    };
    let (mut effects, mut edits) = (Effects::default(), Edits::default());
    let mut stream = Stream::default();
    let verdict = filter.request(&mut stream, &facts, &mut edits, &mut Io::new(now, cells, &mut effects));
    Seen { verdict, stream, effects, edits }
}

const PER_USER: &str = r#"{
  "schema": 1, "name": "edge",
  "rate_limits": [{"actions": [{"request_headers": {"header_name": "X-User", "descriptor_key": "user"}}]}],
  "local": {"config": {"domain": "edge", "descriptors": [
    {"key": "user", "rate_limit": {"name": "per user", "unit": "minute", "requests_per_unit": 2}}]}},
  "enable_x_ratelimit_headers": "DRAFT_VERSION_03"
}"#;

fn with(document: &str, field: &str) -> String {
    document.replacen('{', &format!("{{{field},"), 1)
}

#[test]
fn the_third_of_two_is_refused_with_all_headers() {
    let mut filter = filter(&with(PER_USER, r#""rate_limited_as_resource_exhausted": true"#));
    let mut cells = MemoryCells::default();
    assert!(ask(&mut filter, &mut cells, "ann", now(SECOND / 2)).passed());
    assert!(ask(&mut filter, &mut cells, "ann", now(SECOND / 2)).passed());
    let third = ask(&mut filter, &mut cells, "ann", now(SECOND / 2));
    let reply = third.reply();
    let headers: Vec<_> = reply.headers.iter().map(|(k, v)| (k.as_slice(), v.as_slice())).collect();
    assert_eq!(
        headers,
        [
            (b"x-envoy-ratelimited".as_slice(), b"true".as_slice()),
            (b"retry-after", b"60"),
            (b"x-ratelimit-limit", b"2, 2;w=60;name=\"per user\""),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-reset", b"60"),
        ]
    );
    assert_eq!((reply.status, reply.grpc_status), (429, Some(8)));
    assert_eq!(reply.details, "local_rate_limited[per_user]");
    assert_eq!(reply.body, b"local_rate_limited");
    assert_eq!(third.record().as_deref(), Some("over_limit limit=per_user reason=exceeded retry=60"));
    assert!(ask(&mut filter, &mut cells, "bob", now(0)).passed());
    assert!(ask(&mut filter, &mut cells, "ann", now(60 * SECOND)).passed());
}

#[test]
fn a_passing_request_gets_the_headers_on_its_response() {
    let mut filter = filter(&with(PER_USER, r#""accessLogState": "always""#));
    let mut cells = MemoryCells::default();
    let mut seen = ask(&mut filter, &mut cells, "ann", now(0));
    assert_eq!(seen.record().as_deref(), Some("ok limit=per_user remaining=1 reset=60"));
    let attributes = Attributes::default();
    let none = Headers::default();
    let facts =
        Facts { request_headers: none, response_headers: none, response_trailers: none, attributes: &attributes };
    let mut io = Io::new(now(0), &mut cells, &mut seen.effects);
    filter.response(&mut seen.stream, &facts, &mut seen.edits, &mut io);
    filter.response(&mut seen.stream, &facts, &mut seen.edits, &mut io);
    let add = |name: &str, value: &str| HeaderEdit::Add(name.into(), value.into());
    let expected = [
        add("x-ratelimit-limit", "2, 2;w=60;name=\"per user\""),
        add("x-ratelimit-remaining", "1"),
        add("x-ratelimit-reset", "60"),
    ];
    assert_eq!(seen.edits.response_headers, expected);
}

#[test]
fn the_demand_is_what_the_actions_read() {
    let filter = filter(PER_USER);
    let request = filter.demand(Phase::Request);
    assert!(request.request_headers && !request.idle);
    assert!(request.attributes.is_empty());
    assert!(!filter.demand(Phase::Response).idle);
    assert!(filter.demand(Phase::End).idle && filter.demand(Phase::EndUnseen).idle);

    // The listeners of a sidecar may share a configuration.
    let sidecar = Node { id: "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local".to_owned(), ..Node::default() };
    let filter = RateLimit::compile(PER_USER.as_bytes(), &sidecar).unwrap();
    let request = filter.demand(Phase::Request);
    assert_eq!(request.attributes.iter().collect::<Vec<_>>(), [&Attribute::ListenerDirection]);

    let by_address = r#"{"schema": 1, "name": "edge", "rate_limits": [{"actions": [{"remote_address": {}}]}],
        "local": {"config": {"domain": "d"}}}"#;
    let filter = self::filter(by_address);
    let request = filter.demand(Phase::Request);
    assert!(!request.request_headers);
    assert!(request.attributes.contains(&Attribute::SourceAddress));
    assert!(filter.demand(Phase::Response).idle);

    let filter = self::filter(&with(PER_USER, r#""mode": "off""#));
    assert!(Phase::ALL.iter().all(|phase| filter.demand(*phase).idle));
}

#[test]
fn modes_decide_what_can_be_seen() {
    let mut table = Rows::default();
    for (mode, records, headers) in [("shadow", true, false), ("observe", false, false), ("off", false, false)] {
        let fields = format!(r#""mode": "{mode}", "accessLogState": "always""#);
        let mut filter = filter(&with(PER_USER, &fields));
        let mut cells = MemoryCells::default();
        let mut names = Vec::new();
        for _ in 0..3 {
            let seen = ask(&mut filter, &mut cells, "ann", now(0));
            let found = (seen.passed(), seen.record().is_some(), seen.stream.quota.is_some());
            table.check(mode, found, (true, records, headers));
            names.extend(seen.effects.metrics.into_iter().filter_map(|op| match op {
                MetricOp::Define { name, .. } => Some(name),
                _ => None,
            }));
        }
        let over = "weir_plugin=.=edge;.;decision=.=over_limit;.;mode=.=shadow;.;weir_ratelimit_requests_total";
        table.check(format!("{mode} {names:?}"), names.iter().any(|name| name == over), mode != "off");
    }
}

#[test]
fn the_access_log_gets_the_decisions_that_it_is_to_get() {
    let mut table = Rows::default();
    let (none, all) = ([false; 3], [true; 3]);
    // Two requests pass, the third is refused, or would be.
    let refused = [false, false, true];
    for (fields, expected) in [
        (r#""mode": "enforce""#, refused),
        (r#""mode": "shadow""#, refused),
        (r#""accessLogState": "refused""#, refused),
        (r#""accessLogState": "always""#, all),
        (r#""accessLogState": "never""#, none),
        (r#""accessLogState": "always", "mode": "off""#, none),
    ] {
        let mut filter = filter(&with(PER_USER, fields));
        let mut cells = MemoryCells::default();
        let records = [(); 3].map(|()| ask(&mut filter, &mut cells, "ann", now(0)).record().is_some());
        table.check(fields, records, expected);
    }
}

#[test]
fn a_sidecar_whose_document_names_the_listener_is_not_asked_for_its_direction() {
    let sidecar = Node { id: "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local".to_owned(), ..Node::default() };
    let mut cells = MemoryCells::default();
    let mut of = |listener: &str| {
        let document = with(PER_USER, &format!(r#""listener": "{listener}""#));
        let mut filter = RateLimit::compile(document.as_bytes(), &sidecar).unwrap();
        assert!(filter.demand(Phase::Request).attributes.is_empty());
        [(); 3].map(|()| ask(&mut filter, &mut cells, "ann", now(0)).passed())
    };
    // What the stream says is not looked at, and each direction has counts of its own.
    assert_eq!(of("outbound"), [true, true, false]);
    assert_eq!(of("inbound"), [true, true, false]);
    assert_eq!(of("outbound"), [false; 3]);
}

#[test]
fn gcra_lets_a_burst_pass_and_then_its_rate() {
    let document =
        PER_USER.replace(r#""local": {"#, r#""local": {"algorithms": {"per user": {"gcra": {"burst": 3}}}, "#);
    let mut filter = filter(&document);
    let mut cells = MemoryCells::default();
    for _ in 0..3 {
        assert!(ask(&mut filter, &mut cells, "ann", now(0)).passed());
    }
    let refused = ask(&mut filter, &mut cells, "ann", now(0));
    assert!(refused.reply().headers.contains(&(b"retry-after".to_vec(), b"30".to_vec())));
    assert!(ask(&mut filter, &mut cells, "ann", now(30 * SECOND)).passed());
    assert!(!ask(&mut filter, &mut cells, "ann", now(31 * SECOND)).passed());
}

#[test]
fn statuses_are_envoys() {
    let mut table = Rows::default();
    for (status, expected) in [
        (r#"{"code": "TooManyRequests"}"#, 429),
        (r#"{"code": "ServiceUnavailable"}"#, 503),
        (r#"{"code": 418}"#, 418),
        (r#"{"code": 200}"#, 429),
    ] {
        let document = with(PER_USER, &format!(r#""retryAfter": false, "rate_limited_status": {status}"#));
        let mut filter = filter(&document);
        let mut cells = MemoryCells::default();
        let last = [(); 3].map(|()| ask(&mut filter, &mut cells, "ann", now(0))).into_iter().next_back().unwrap();
        table.check(status, (last.reply().status, last.reply().grpc_status), (expected, None));
        table.check(status, last.reply().headers.iter().any(|(name, _)| name == b"retry-after"), false);
    }
}

#[test]
fn reloads_keep_the_counts_and_add_no_cell() {
    let mut cells = MemoryCells::default();
    for _ in 0..2 {
        assert!(ask(&mut filter(PER_USER), &mut cells, "ann", now(0)).passed());
    }
    let cells_before = cells.keys().count();
    for _ in 0..100 {
        assert!(!ask(&mut filter(PER_USER), &mut cells, "ann", now(0)).passed());
    }
    let raised = PER_USER.replace(r#""requests_per_unit": 2"#, r#""requests_per_unit": 3"#);
    assert!(ask(&mut filter(&raised), &mut cells, "ann", now(0)).passed());
    assert!(!ask(&mut filter(&raised), &mut cells, "ann", now(0)).passed());
    assert_eq!(cells.keys().count(), cells_before);
    let hourly = raised.replace("minute", "hour");
    assert!(ask(&mut filter(&hourly), &mut cells, "ann", now(0)).passed(), "another period is another limit");
}

#[test]
fn a_section_takes_its_mode_from_the_whole_unless_it_has_one() {
    let mut table = Rows::default();
    for (section, expected) in [("{", Mode::Observe), (r#"{"mode": "shadow","#, Mode::Shadow)] {
        let text = format!(r#"{section} "local": {{"config": {{"domain": "d"}}}}}}"#);
        let whole = Common { name: "cart".to_owned(), mode: Mode::Observe, ..Common::default() };
        let read = |at: Cursor<'_>| RateLimit::read(at, &whole, &Node::default());
        table.check(section, read_document(text.as_bytes(), read).unwrap().mode, expected);
    }
    let with_name = br#"{"name": "x", "local": {"config": {"domain": "d"}}}"#;
    assert!(read_document(with_name, |at| RateLimit::read(at, &Common::default(), &Node::default())).is_err());
}
