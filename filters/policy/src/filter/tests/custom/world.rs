//! A policy with requests that wait, and what is around it.

use super::*;

/// What Envoy says of the stream.
pub(super) struct Peers(pub(super) Option<&'static str>);

impl Expressions for Peers {
    fn evaluate(&self, owner: u8, number: usize) -> Result<CelValue, CelError> {
        assert_eq!((owner, number), (0, 0));
        self.0.map(|text| CelValue::String(text.as_bytes().into())).ok_or(CelError::Failed)
    }
}

pub(super) const PEERS: &str = "10.0.0.1:1234\n[::1]:80\nHTTP/2\nspiffe://td/ns/a/sa/b\nspiffe://td/ns/c/sa/d";

/// A policy with requests that wait.
pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) effects: Effects,
    pub(super) cells: MemoryCells,
    pub(super) clock: u64,
}

/// A request that is under way.
pub(super) struct Flight {
    pub(super) stream: crate::Stream,
    pub(super) verdict: Verdict,
    pub(super) callout: Option<(CallId, Callout)>,
    pub(super) edits: Edits,
}

impl World {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, effects: Effects::default(), cells: MemoryCells::default(), clock: 5_000_000_000 }
    }

    pub(super) fn io<T>(
        &mut self,
        expressions: Option<&dyn Expressions>,
        act: impl FnOnce(&mut Policy, &mut Io<'_>) -> T,
    ) -> T {
        let now = Now { wall_nanos: 1_700_000_000_250_000_000, mono_nanos: self.clock };
        let mut io = Io { expressions, ..Io::new(now, &mut self.cells, &mut self.effects) };
        act(&mut self.policy, &mut io)
    }

    pub(super) fn request(&mut self, headers: &[(&str, &str)]) -> Flight {
        self.request_of(headers, &Peers(Some(PEERS)))
    }

    pub(super) fn request_of(&mut self, headers: &[(&str, &str)], stream: &dyn Expressions) -> Flight {
        let mut pairs = PairsBuilder::default();
        for (name, value) in headers {
            pairs.push(name.as_bytes(), value.as_bytes());
        }
        let (bytes, attributes) = (pairs.finish(), Attributes::default());
        let facts = Facts {
            request_headers: Headers::new(&bytes),
            response_headers: Headers::default(),
            response_trailers: Headers::default(),
            attributes: &attributes,
        };
        let (mut state, mut edits) = (crate::Stream::default(), Edits::default());
        let verdict = self.io(Some(stream), |policy, io| policy.request(&mut state, &facts, &mut edits, io));
        let callout = self.effects.calls.pop();
        Flight { stream: state, verdict, callout, edits }
    }

    /// Answers a check, and has the request that waits decided.
    pub(super) fn answer(&mut self, flight: &mut Flight, answer: Answer<'_>, after: Duration) {
        let (id, _) = flight.callout.clone().unwrap();
        self.clock += u64::try_from(after.as_nanos()).unwrap();
        self.io(None, |policy, io| policy.called(id, answer, io));
        if flight.verdict == Verdict::Await(id) {
            self.resume(flight, Resumption::Answered(id));
        }
    }

    pub(super) fn resume(&mut self, flight: &mut Flight, why: Resumption) {
        let Flight { stream, edits, .. } = flight;
        flight.verdict = self.io(None, |policy, io| policy.resume(stream, why, edits, io));
    }

    /// The counters that came since the last call, each as its labels.
    pub(super) fn counted(&mut self) -> Vec<String> {
        let names = self.effects.metrics.drain(..).filter_map(|op| match op {
            MetricOp::Define { name, .. } => Some(name),
            _ => None,
        });
        let value = |name: &str, label: &str| {
            name.split(";.;").find_map(|part| part.strip_prefix(&format!("{label}=.="))).unwrap_or("").to_owned()
        };
        let shown = |name: String| match value(&name, "outcome").as_str() {
            _ if name.ends_with(";.;weir_policy_cel_errors_total") => {
                format!("cel error {}", value(&name, "authz_policy"))
            }
            "" => ["decision", "mode", "reason", "authz_policy"].map(|label| value(&name, label)).join(" "),
            outcome => format!("call {outcome}"),
        };
        names.map(shown).collect()
    }
}
