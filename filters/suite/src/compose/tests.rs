//! The composition with parts that only record which method was called.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::{Common, Cursor};
use weir_model::{
    Attribute, Attributes, CallFailure, Callout, CelType, Effects, Headers, HttpCallout, Level, MemoryCells, MetricOp,
    Need, Now, PairsBuilder, Reply,
};
use weir_testing::Rows;

/// A part that logs its calls and counts one on series 0. `verdicts` holds its answers to the request and to callouts:
/// `c`ontinue, `r`eply, `a`wait.
#[derive(Debug)]
struct Toy {
    verdicts: String,
    demands: [Demand; 4],
    period: Option<Duration>,
}

impl Toy {
    fn new(verdicts: &str) -> Self {
        Self { verdicts: verdicts.to_owned(), demands: Default::default(), period: None }
    }

    fn verdict(&mut self, io: &mut Io<'_>) -> Verdict {
        match self.verdicts.remove(0) {
            'r' => Verdict::Reply(Box::new(Reply { status: 403, ..Reply::default() })),
            'a' => Verdict::Await(io.effects.call(Callout::Http(HttpCallout::default()))),
            _ => Verdict::Continue,
        }
    }

    fn record(&self, call: &str, facts: Option<&Facts<'_>>, io: &mut Io<'_>) {
        let host = facts.and_then(|facts| facts.request_headers.first(b":authority")).unwrap_or_default();
        let code = facts.and_then(|facts| facts.attributes.int(&Attribute::ListenerDirection)).unwrap_or_default();
        let line = format!("{} {call} {}{code}", io.effects.owner, String::from_utf8_lossy(host));
        io.effects.log(Level::Debug, line);
        io.effects.add(0, 1);
    }
}

impl Filter for Toy {
    const CALLBACKS: Callbacks = Callbacks { calls: Need::Always, ..Callbacks::NONE };
    type Stream = u32;
    fn compile(_document: &[u8], _node: &Node) -> Result<Self, Problems> {
        Ok(Self::new("c"))
    }
    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, phase: Phase) -> &Demand {
        &self.demands[Phase::ALL.iter().position(|known| *known == phase).unwrap()]
    }
    fn expressions(&self) -> Vec<Expression> {
        let (path, text) = ("$.a".to_owned(), "true".to_owned());
        vec![Expression { owner: 0, path, text, ty: CelType::Bool, is_required: true }]
    }
    fn tick_period(&self) -> Option<Duration> {
        self.period
    }
    fn request(&mut self, stream: &mut u32, facts: &Facts<'_>, _edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        *stream += 1;
        assert_eq!(*stream, 1, "a request is asked about once");
        self.record("request", Some(facts), io);
        self.verdict(io)
    }
    fn called(&mut self, id: CallId, _answer: Answer<'_>, io: &mut Io<'_>) {
        assert_eq!(io.effects.owner, id.owner);
        self.record("called", None, io);
    }
    fn gone(&mut self, _stream: &mut u32, io: &mut Io<'_>) {
        self.record("gone", None, io);
    }
    fn finish(&mut self, io: &mut Io<'_>) {
        self.record("finish", None, io);
    }
    fn resume(&mut self, stream: &mut u32, _why: Resumption, _edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        assert_eq!(*stream, 1, "answers go to the part that asked");
        self.record("resume", None, io);
        self.verdict(io)
    }
    fn response(&mut self, _stream: &mut u32, facts: &Facts<'_>, _edits: &mut Edits, io: &mut Io<'_>) {
        self.record("response", Some(facts), io);
    }
    fn end(&mut self, _stream: &mut u32, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        self.record(&format!("{phase:?}"), Some(facts), io);
    }
    fn tick(&mut self, io: &mut Io<'_>) {
        self.record("tick", None, io);
    }
}

impl Section for Toy {
    fn read(at: Cursor<'_>, whole: &Common, _node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let Common { name, mode, .. } = whole.of_section(&mut fields);
        fields.finish();
        Some(Self::new(&format!("{name} {}", mode.word())))
    }
}

type Toys = Composed<Toy, Toy, Toy>;

fn toys(policy: &str, rate_limit: &str) -> Toys {
    Composed::new(Some(Toy::new(policy)), Some(Toy::new(rate_limit)), Some(Toy::new("ccc")))
}

/// Runs one stream: the request, answers while it waits, the response and the end. Says who was called, and the last verdict.
fn run(toys: &mut Toys, answers: usize) -> (Vec<String>, Verdict) {
    let mut headers = PairsBuilder::default();
    let headers = headers.push(b":authority", b"host-").finish();
    let (mut attributes, none) = (Attributes::default(), Attributes::default());
    attributes.set_int(&Attribute::ListenerDirection, 2);
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let mut io = Io::new(Now::default(), &mut cells, &mut effects);
    let mut stream = Stream::default();
    let empty = Facts {
        request_headers: Headers::default(),
        response_headers: Headers::default(),
        response_trailers: Headers::default(),
        attributes: &none,
    };
    let facts = Facts { request_headers: Headers::new(&headers), attributes: &attributes, ..empty };
    let mut verdict = toys.request(&mut stream, &facts, &mut Edits::default(), &mut io);
    for _ in 0..answers {
        let Verdict::Await(id) = verdict else { panic!("{verdict:?}") };
        toys.called(id, Answer::Failed(CallFailure::NotSent), &mut io);
        verdict = toys.resume(&mut stream, Resumption::Answered(id), &mut Edits::default(), &mut io);
    }
    toys.response(&mut stream, &empty, &mut Edits::default(), &mut io);
    toys.end(&mut stream, Phase::End, &empty, &mut io);
    for (op, (_, line)) in effects.metrics.iter().zip(&effects.logs) {
        let MetricOp::Add { owner, .. } = op else { panic!("only counts") };
        assert!(line.starts_with(&owner.to_string()), "the owner of a count is the part that made it");
    }
    (effects.logs.into_iter().map(|(_, line)| line).collect(), verdict)
}

#[test]
fn the_order_of_calls_in_every_course_of_a_stream() {
    const ALL_ENDS: [&str; 6] = ["2 response 0", "1 response 0", "0 response 0", "0 End 0", "1 End 0", "2 End 0"];
    const UNLIMITED: [&str; 5] = ["2 response 0", "0 response 0", "0 End 0", "1 EndUnseen 0", "2 End 0"];
    let (policy, limit, telemetry) = ("0 request host-2", "1 request host-2", "2 request host-2");
    /// Verdicts of policy and of the rate limit, answers to callouts, calls until then, calls after, last verdict.
    type Course<'a> = (&'a str, &'a str, usize, &'a [&'a str], &'a [&'a str], char);
    let courses: [Course<'_>; 8] = [
        ("c", "c", 0, &[policy, limit, telemetry], &ALL_ENDS, 'c'),
        ("r", "", 0, &[policy, telemetry], &UNLIMITED, 'r'),
        ("c", "r", 0, &[policy, limit, telemetry], &ALL_ENDS, 'r'),
        ("ac", "c", 1, &[policy, telemetry, "0 called 0", "0 resume 0", limit], &ALL_ENDS, 'c'),
        ("ar", "", 1, &[policy, telemetry, "0 called 0", "0 resume 0"], &UNLIMITED, 'r'),
        (
            "aac",
            "ac",
            3,
            &[
                policy,
                telemetry,
                "0 called 0",
                "0 resume 0",
                "0 called 0",
                "0 resume 0",
                limit,
                "1 called 0",
                "1 resume 0",
            ],
            &ALL_ENDS,
            'c',
        ),
        (
            "c",
            "aar",
            2,
            &[policy, limit, telemetry, "1 called 0", "1 resume 0", "1 called 0", "1 resume 0"],
            &ALL_ENDS,
            'r',
        ),
        ("a", "", 0, &[policy, telemetry], &UNLIMITED, 'a'),
    ];
    let mut rows = Rows::default();
    for (first, second, answers, calls, ends, last) in courses {
        let (lines, verdict) = run(&mut toys(first, second), answers);
        let expected: Vec<&str> = calls.iter().chain(ends).copied().collect();
        rows.check(format!("policy {first}, rate limit {second}"), lines, expected);
        let found = match verdict {
            Verdict::Continue => 'c',
            Verdict::Reply(_) => 'r',
            Verdict::Await(_) => 'a',
        };
        rows.check(format!("policy {first}, rate limit {second}"), found, last);
    }
}

#[test]
fn an_idle_part_is_not_called_and_a_stream_that_does_not_wait_is_not_decided_again() {
    let mut parts = toys("c", "c");
    parts.policy.as_mut().unwrap().demands = std::array::from_fn(|_| Demand::idle());
    let (lines, _) = run(&mut Composed::new(parts.policy, parts.rate_limit, None::<Toy>), 0);
    assert_eq!(lines, ["1 request host-2", "1 response 0", "1 End 0"]);
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let mut io = Io::new(Now::default(), &mut cells, &mut effects);
    let why = Resumption::Answered(CallId { owner: 0, number: 1 });
    let late = toys("c", "c").resume(&mut Stream::default(), why, &mut Edits::default(), &mut io);
    toys("c", "c").gone(&mut Stream::default(), &mut io);
    assert!(matches!(&late, Verdict::Reply(reply) if reply.status == 500), "{late:?}");
    assert_eq!(effects.logs.len(), 0);
}

#[test]
fn a_stream_that_leaves_is_gone_for_the_part_it_waited_for_and_each_part_finishes() {
    let bytes = PairsBuilder::default().finish();
    let attributes = Attributes::default();
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: Headers::default(),
        response_trailers: Headers::default(),
        attributes: &attributes,
    };
    let mut rows = Rows::default();
    for (policy, rate_limit, gone) in [("a", "", "0 gone 0"), ("c", "a", "1 gone 0")] {
        let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
        let mut io = Io::new(Now::default(), &mut cells, &mut effects);
        let (mut parts, mut stream) = (toys(policy, rate_limit), Stream::default());
        parts.request(&mut stream, &facts, &mut Edits::default(), &mut io);
        io.effects.logs.clear();
        parts.gone(&mut stream, &mut io);
        parts.gone(&mut stream, &mut io);
        parts.finish(&mut io);
        let lines: Vec<&str> = effects.logs.iter().map(|(_, line)| line.as_str()).collect();
        rows.check(
            format!("policy {policy}, rate limit {rate_limit}"),
            lines,
            [gone, "0 finish 0", "1 finish 0", "2 finish 0"],
        );
    }
}

#[test]
fn expressions_are_those_of_the_parts_with_their_owners() {
    let parts = toys("c", "c");
    let composed = Composed::new(None::<Toy>, parts.rate_limit, parts.telemetry);
    let owners: Vec<u8> = composed.expressions().iter().map(|expression| expression.owner).collect();
    assert_eq!(owners, [1, 2]);
}

#[test]
fn demands_are_united_and_an_unlimited_stream_can_still_end() {
    let [mut policy, mut rate_limit, telemetry] = ["c"; 3].map(Toy::new);
    let with = |attribute| Demand { attributes: [attribute].into(), ..Demand::default() };
    policy.demands = [with(Attribute::SourceAddress), Demand::idle(), Demand::idle(), Demand::idle()];
    rate_limit.demands = [
        Demand { request_headers: true, ..Demand::default() },
        Demand::idle(),
        with(Attribute::ResponseCode),
        with(Attribute::RouteName),
    ];
    let mut parts = Composed::new(Some(policy), Some(rate_limit), None::<Toy>);
    let names = |demand: &Demand| demand.attributes.iter().cloned().collect::<Vec<_>>();
    let request = parts.demand(Phase::Request);
    assert_eq!((request.request_headers, names(request)), (true, vec![Attribute::SourceAddress]));
    assert!(parts.demand(Phase::Response).idle);
    assert_eq!(names(parts.demand(Phase::End)), [Attribute::ResponseCode, Attribute::RouteName]);
    parts = Composed::new(None, parts.rate_limit, Some(telemetry));
    assert_eq!(names(parts.demand(Phase::End)), [Attribute::ResponseCode]);
    assert!(!parts.demand(Phase::Response).idle);
    let nothing = Composed::new(None::<Toy>, None::<Toy>, None::<Toy>);
    assert!(Phase::ALL.iter().all(|phase| nothing.demand(*phase).idle));
}

#[test]
fn each_part_ticks_at_its_own_pace() {
    let mut parts = toys("", "");
    parts.policy.as_mut().unwrap().period = Some(Duration::from_secs(10));
    parts.rate_limit.as_mut().unwrap().period = Some(Duration::from_secs(1));
    let mut parts = Composed::new(parts.policy, parts.rate_limit, parts.telemetry);
    assert_eq!(parts.tick_period(), Some(Duration::from_secs(1)));
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    for second in 1..=20u64 {
        // Timers come up to a tenth of a second early or late.
        let mono_nanos = second * 1_000_000_000 + if second % 2 == 0 { 100_000_000 } else { 0 } - 50_000_000;
        let now = Now { mono_nanos, ..Now::default() };
        parts.tick(&mut Io::new(now, &mut cells, &mut effects));
    }
    let ticks = |owner| effects.logs.iter().filter(|(_, line)| line.starts_with(owner)).count();
    assert_eq!((ticks("0"), ticks("1"), ticks("2")), (2, 20, 0));
}

#[test]
fn a_document_gives_each_section_its_name_and_mode() {
    let compile = |json: &str| Toys::compile(json.as_bytes(), &Node::default());
    let parts = compile(r#"{"schema": 1, "name": "n", "mode": "shadow", "policy": {}, "telemetry": {"mode": "off"}}"#);
    let parts = parts.expect("a valid document");
    let verdicts = |part: Option<&Toy>| part.map(|part| part.verdicts.clone());
    assert_eq!(verdicts(parts.policy()).as_deref(), Some("n shadow"));
    assert_eq!(verdicts(parts.rate_limit()), None);
    assert_eq!(verdicts(parts.telemetry()).as_deref(), Some("n off"));
    let problems =
        compile(r#"{"schema": 2, "name": "", "policy": {"x": 1}, "rateLimits": {}, "rateLimit": []}"#).unwrap_err();
    let found: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    let expected = [
        "$.schema: expected `1`",
        "$.name: must not be empty",
        "$.policy.x: unknown field",
        "$.rateLimit: expected an object, found a list",
        "$.rateLimits: unknown field; did you mean `rateLimit`?",
    ];
    assert_eq!(found, expected);
}
