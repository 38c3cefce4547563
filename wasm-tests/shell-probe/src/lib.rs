//! A filter that does what each request asks for and logs what it is shown, so that scenarios see what the shell promises
//! to cores: facts of every phase, callouts and their answers, effects, cells, ticks, and configurations.
//!
//! The plugin configuration is a text: the first word names the configuration, `attributes` has every attribute logged in
//! every phase, `early` asks for the duration before it is known, `ticks` for ticks, `changing` for another period of them
//! after each request, `calls=CLUSTER` for a callout with the first tick, `flush=CLUSTER` for one at the end of the
//! configuration; `refuse` is refused with two problems. Each word `cel=TYPE:EXPRESSION` is an expression without spaces,
//! and `cel-at-end` has their values logged at the end of streams. The header `x-do` of a request is its
//! plan (see [`plan`]), `x-name` its name in the log. Connections are in [`tcp`].
#![expect(missing_docs, reason = "the entry point is the macro's")]

mod plan;
mod show;
mod tcp;

use plan::{Plan, Step};
use std::collections::BTreeMap;
use std::time::Duration;
use weir_model::{
    Answer, Attribute, CallId, Callbacks, CelType, CelValue, CellError, Demand, Edits, Expect, Expression, Facts,
    Filter, HeaderEdit, Io, Level, MetricKind, Need, Node, Phase, Problem, Problems, Resumption, SortedSet, Verdict,
    Warning,
};

weir_shell::module!(Probe, tcp: tcp::TcpProbe);

/// How many ticks are logged.
const TICKS_SHOWN: u32 = 3;
/// The cell that all workers share.
const CELL: &str = "shell-probe/cell";

/// The filter.
#[derive(Debug)]
pub struct Probe {
    /// `NAME/NODE`: the configuration's name and the node's id.
    name: String,
    shows_attributes: bool,
    ticks: Option<u32>,
    /// How often it wants to be called, and what changes that with each request.
    period: Duration,
    period_change: Duration,
    request: Demand,
    response: Demand,
    end: Demand,
    /// The metrics are defined.
    defined: bool,
    /// Whom the first tick calls.
    tick_calls: Option<String>,
    /// Whom the end of the configuration calls.
    flush_calls: Option<String>,
    /// What was answered to callouts that streams wait for, until those streams have been resumed.
    answers: BTreeMap<CallId, (String, usize)>,
    /// The callout that several streams wait for.
    shared: Option<CallId>,
    expressions: Vec<Expression>,
    /// Logs their values at the end of streams.
    cel_at_end: bool,
}

/// One stream.
#[derive(Debug, Default)]
pub struct Stream {
    name: String,
    plan: Plan,
    /// The callout it waits for.
    call: Option<CallId>,
}

/// What the cell says to everything that can be done to it.
fn cells(io: &mut Io<'_>) -> String {
    let mut value = Vec::new();
    let first = io.cells.store(CELL, b"1", Expect::Absent);
    let loaded = io.cells.load(CELL, &mut value);
    let again = io.cells.store(CELL, b"1", Expect::Absent);
    let mut expect = |version: Result<Option<u32>, CellError>, value: &[u8]| match version {
        Ok(Some(version)) => io.cells.store(CELL, value, Expect::Version(version)),
        Ok(None) => Err(CellError::Unavailable),
        Err(error) => Err(error),
    };
    let (fresh, stale) = (expect(loaded, b"2"), expect(loaded, b"3"));
    let value = String::from_utf8_lossy(&value);
    format!("cells: absent {first:?}, value {value}, absent {again:?}, fresh {fresh:?}, stale {stale:?}")
}

impl Probe {
    /// Logs what a phase shows.
    fn log(&self, io: &mut Io<'_>, stream: &str, phase: Phase, facts: &Facts<'_>) {
        let clock = if io.now.wall_nanos > 0 && io.now.mono_nanos > 0 { "runs" } else { "stands" };
        let maps = show::maps(facts);
        let (name, direction) = (&self.name, facts.attributes.int(&Attribute::ListenerDirection).unwrap_or(-1));
        io.effects
            .log(Level::Info, format!("shell {name} {stream} {phase:?}: {maps}, clock {clock}, direction {direction}"));
        if self.shows_attributes {
            for line in show::attributes(facts.attributes) {
                io.effects.log(Level::Info, format!("shell {phase:?} {line}"));
            }
        }
    }
}

impl Probe {
    /// Does the next step of a stream's plan.
    fn step(&mut self, stream: &mut Stream, io: &mut Io<'_>) -> Verdict {
        let step = loop {
            match stream.plan.next() {
                Step::Cel(number) => self.show(number, io),
                step => break step,
            }
        };
        let call = match step {
            Step::Cel(_) => return Verdict::Continue,
            Step::Call(callout) => io.effects.call(callout),
            Step::Shared(callout) => *self.shared.get_or_insert_with(|| io.effects.call(callout)),
            Step::Ended => CallId { owner: 0, number: u64::MAX },
            Step::Reply(reply) => return Verdict::Reply(reply),
            Step::Trap => trap(),
            Step::Continue => return Verdict::Continue,
        };
        self.answers.entry(call).or_default().1 += 1;
        stream.call = Some(call);
        Verdict::Await(call)
    }

    /// Logs the value of an expression.
    fn show(&self, number: usize, io: &mut Io<'_>) {
        let shown = match io.evaluate(number) {
            Ok(CelValue::String(bytes)) => format!("`{}`", String::from_utf8_lossy(&bytes)),
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{error:?}"),
        };
        io.effects.log(Level::Info, format!("shell {} cel {number}: {shown}", self.name));
    }

    /// The answer to what a stream waited for, which is forgotten with the last such stream.
    fn take_answer(&mut self, stream: &mut Stream) -> Option<String> {
        let call = stream.call.take()?;
        let (line, waiting) = self.answers.get_mut(&call)?;
        let line = line.clone();
        *waiting -= 1;
        if *waiting == 0 {
            self.answers.remove(&call);
        }
        Some(line)
    }
}

/// Ends the VM.
pub(crate) fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

/// The word of a configuration that begins so.
pub(crate) fn option(words: &[&str], name: &str) -> Option<String> {
    words.iter().find_map(|word| word.strip_prefix(name)).map(str::to_owned)
}

/// The expressions of a configuration.
fn expressions(words: &[&str]) -> Vec<Expression> {
    let texts = words.iter().filter_map(|word| word.strip_prefix("cel=")?.split_once(':'));
    let expression = |(position, (ty, text)): (usize, (&str, &str))| {
        let ty = match ty {
            "bool" => CelType::Bool,
            "int" => CelType::Int,
            "double" => CelType::Double,
            _ => CelType::String,
        };
        Expression { owner: 0, path: format!("$.cel[{position}]"), text: text.to_owned(), ty, is_required: true }
    };
    texts.enumerate().map(expression).collect()
}

impl Filter for Probe {
    const CALLBACKS: Callbacks =
        Callbacks { response: Need::Always, end: Need::Always, calls: Need::Always, finish: Need::Always };

    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        let text = String::from_utf8_lossy(document);
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.contains(&"refuse") {
            let problem = |path: &str, message: &str| Problem { path: path.to_owned(), message: message.to_owned() };
            return Err(Problems(vec![problem("$.a", "the first"), problem("$.b", "the second")]));
        }
        let every: SortedSet<_> = Attribute::BUILTIN.into_iter().chain([show::filter_state()]).collect();
        let mut known = every.clone();
        if !words.contains(&"early") {
            known.remove(&Attribute::RequestDuration);
        }
        let clocks = Demand { wall_clock: true, monotonic_clock: true, ..Demand::default() };
        let known = Demand { attributes: known, ..clocks.clone() };
        let all = Demand { attributes: every, ..clocks };
        Ok(Self {
            name: format!("{}/{}", words.first().copied().unwrap_or_default(), node.id),
            shows_attributes: words.contains(&"attributes"),
            ticks: words.contains(&"ticks").then_some(0),
            period: Duration::from_millis(500),
            period_change: Duration::from_millis(u64::from(words.contains(&"changing"))),
            request: Demand { request_headers: true, ..known.clone() },
            response: Demand { response_headers: true, ..known },
            end: Demand { request_headers: true, response_headers: true, response_trailers: true, ..all },
            defined: false,
            tick_calls: option(&words, "calls="),
            flush_calls: option(&words, "flush="),
            answers: BTreeMap::new(),
            shared: None,
            expressions: expressions(&words),
            cel_at_end: words.contains(&"cel-at-end"),
        })
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::End | Phase::EndUnseen => &self.end,
        }
    }

    fn expressions(&self) -> Vec<Expression> {
        self.expressions.clone()
    }

    fn tick_period(&self) -> Option<Duration> {
        self.ticks.map(|_| self.period)
    }

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let header =
            |name: &[u8]| String::from_utf8_lossy(facts.request_headers.first(name).unwrap_or(b"")).into_owned();
        stream.name = header(b"x-name");
        stream.plan = Plan::parse(&header(b"x-do"));
        self.period += self.period_change;
        self.log(io, &stream.name, Phase::Request, facts);
        let cells = cells(io);
        io.effects.log(Level::Info, format!("shell {} {} {cells}", self.name, stream.name));
        if !self.defined {
            self.defined = true;
            io.effects.define(0, MetricKind::Counter, "shell_requests".to_owned());
            io.effects.define(1, MetricKind::Histogram, "shell_sizes".to_owned());
            io.effects.define(2, MetricKind::Gauge, "shell_last".to_owned());
        }
        io.effects.add(0, 1);
        io.effects.record(1, 7);
        io.effects.record(2, 42);
        edits.filter_state.push(("weir.policy", self.name.clone().into_bytes()));
        edits.request_headers.extend([
            HeaderEdit::Add(b"x-added".to_vec(), b"\xff\x80".to_vec()),
            HeaderEdit::Replace(b"x-replaced".to_vec(), b"new".to_vec()),
            HeaderEdit::Remove(b"x-removed".to_vec()),
        ]);
        self.step(stream, io)
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        let line = show::answer(&answer);
        io.effects.log(Level::Info, format!("shell {} called: {line}", self.name));
        if self.shared == Some(id) {
            self.shared = None;
        }
        if let Some((answer, _)) = self.answers.get_mut(&id) {
            *answer = line;
        }
    }

    fn resume(&mut self, stream: &mut Stream, why: Resumption, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let answer = self.take_answer(stream).unwrap_or_default();
        let line = match why {
            Resumption::Answered(_) => answer,
            Resumption::TooManyWaiting(_) => "too many wait".to_owned(),
        };
        io.effects.log(Level::Info, format!("shell {} {} answer: {line}", self.name, stream.name));
        edits.request_headers.push(HeaderEdit::Replace(b"x-answered".to_vec(), line.into_bytes()));
        self.step(stream, io)
    }

    fn gone(&mut self, stream: &mut Stream, io: &mut Io<'_>) {
        self.take_answer(stream);
        io.effects.log(Level::Info, format!("shell {} {} gone, {} left", self.name, stream.name, self.answers.len()));
    }

    fn response(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) {
        self.log(io, &stream.name, Phase::Response, facts);
        edits.response_headers.extend([
            HeaderEdit::Add(b"x-response".to_vec(), self.name.clone().into_bytes()),
            HeaderEdit::Replace(b"x-upstream".to_vec(), b"replaced".to_vec()),
            HeaderEdit::Remove(b"x-hidden".to_vec()),
        ]);
    }

    fn end(&mut self, stream: &mut Stream, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        self.log(io, &stream.name, phase, facts);
        if self.cel_at_end {
            (0..self.expressions.len()).for_each(|number| self.show(number, io));
        }
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        let Some(ticks) = &mut self.ticks else { return };
        *ticks += 1;
        let first = *ticks == 1;
        if *ticks <= TICKS_SHOWN {
            io.effects.log(Level::Info, format!("shell {} tick {ticks}", self.name));
        }
        if first && !self.expressions.is_empty() {
            self.show(0, io);
        }
        if let Some(cluster) = self.tick_calls.take() {
            io.effects.call(plan::http(&cluster, b"/tick", 5_000));
        }
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        io.effects.log(Level::Info, format!("shell {} finish, {} left", self.name, self.answers.len()));
        if let Some(cluster) = self.flush_calls.take() {
            io.effects.call(plan::http(&cluster, b"/flush", 5_000));
        }
    }
}
