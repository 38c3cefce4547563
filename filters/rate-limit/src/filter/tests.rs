use super::{RateLimit, Stream};
use weir_model::{
    Attribute, Attributes, Effects, Facts, Filter, HeaderEdit, Headers, Io, MemoryCells, MetricOp, Node, Now,
    PairsBuilder, Phase, Reply, Verdict,
};

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Now {
    Now { wall_nanos: 600 * SECOND + nanos, mono_nanos: nanos }
}

fn filter(document: &str) -> RateLimit {
    match RateLimit::compile(document.as_bytes(), &Node::default()) {
        Ok(filter) => filter,
        Err(problems) => panic!("{problems}"),
    }
}

struct Seen {
    verdict: Verdict,
    stream: Stream,
    effects: Effects,
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

    fn remark(&self) -> Option<String> {
        let (_, text) = self.effects.filter_state.first()?;
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
    let mut effects = Effects::default();
    let mut stream = Stream::default();
    let verdict = filter.request(&mut stream, &facts, &mut Io { now, cells, effects: &mut effects });
    Seen { verdict, stream, effects }
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
fn the_third_of_two_is_refused_and_told_everything() {
    let mut filter = filter(&with(PER_USER, r#""rate_limited_as_resource_exhausted": true"#));
    let mut cells = MemoryCells::default();
    assert!(ask(&mut filter, &mut cells, "ann", at(SECOND / 2)).passed());
    assert!(ask(&mut filter, &mut cells, "ann", at(SECOND / 2)).passed());
    let third = ask(&mut filter, &mut cells, "ann", at(SECOND / 2));
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
    assert_eq!(third.remark().as_deref(), Some("over_limit limit=per_user retry=60"));
    assert!(ask(&mut filter, &mut cells, "bob", at(0)).passed());
    assert!(ask(&mut filter, &mut cells, "ann", at(60 * SECOND)).passed());
}

#[test]
fn a_passing_request_gets_the_headers_on_its_response() {
    let mut filter = filter(PER_USER);
    let mut cells = MemoryCells::default();
    let mut seen = ask(&mut filter, &mut cells, "ann", at(0));
    assert_eq!(seen.remark().as_deref(), Some("ok limit=per_user remaining=1 reset=60"));
    let attributes = Attributes::default();
    let none = Headers::default();
    let facts =
        Facts { request_headers: none, response_headers: none, response_trailers: none, attributes: &attributes };
    let mut io = Io { now: at(0), cells: &mut cells, effects: &mut seen.effects };
    filter.response(&mut seen.stream, &facts, &mut io);
    filter.response(&mut seen.stream, &facts, &mut io);
    let add = |name: &str, value: &str| HeaderEdit::Add(name.into(), value.into());
    let expected = [
        add("x-ratelimit-limit", "2, 2;w=60;name=\"per user\""),
        add("x-ratelimit-remaining", "1"),
        add("x-ratelimit-reset", "60"),
    ];
    assert_eq!(seen.effects.response_headers, expected);
}

#[test]
fn the_demand_is_what_the_actions_read() {
    let filter = filter(PER_USER);
    let request = filter.demand(Phase::Request);
    assert!(request.request_headers && !request.idle);
    assert_eq!(request.attributes.iter().collect::<Vec<_>>(), [&Attribute::ListenerDirection]);
    assert!(!filter.demand(Phase::Response).idle);
    assert!(filter.demand(Phase::End).idle && filter.demand(Phase::EndUnseen).idle);

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
fn modes_decide_whether_anybody_notices() {
    for (mode, remarks, headers) in [("shadow", true, false), ("observe", false, false), ("off", false, false)] {
        let mut filter = filter(&with(PER_USER, &format!("\"mode\": \"{mode}\"")));
        let mut cells = MemoryCells::default();
        let mut names = Vec::new();
        for _ in 0..3 {
            let seen = ask(&mut filter, &mut cells, "ann", at(0));
            assert!(seen.passed(), "{mode}");
            assert_eq!(seen.remark().is_some(), remarks, "{mode}");
            assert_eq!(seen.stream.quota.is_some(), headers, "{mode}");
            names.extend(seen.effects.metrics.into_iter().filter_map(|op| match op {
                MetricOp::Define { name, .. } => Some(name),
                _ => None,
            }));
        }
        let over = "weir_plugin=.=edge;.;decision=.=over_limit;.;mode=.=shadow;.;weir_ratelimit_requests_total";
        assert_eq!(names.iter().any(|name| name == over), mode != "off", "{mode} {names:?}");
    }
}
