use super::*;
use std::collections::BTreeMap;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_metrics::SeriesIds;
use weir_model::MetricOp;
use weir_proto::Severity;
use weir_testing::Rows;

const SECOND: u64 = 1_000_000_000;

/// What a collector does with a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Takes,
    Rejects(u8),
    Talks,
    NotSent,
    Status(u32),
    /// No answer comes until the configuration ends.
    Hangs,
}

/// A sender with the clock, the shell and the collector around it: what is asked afterwards is what each of them holds.
struct World {
    sender: Sender,
    now: u64,
    does: Does,
    in_flight: Option<CallId>,
    /// The bytes of records that the collector has.
    taken: Vec<usize>,
    calls: usize,
    counters: BTreeMap<u32, String>,
    lost: BTreeMap<String, u64>,
    logs: Vec<String>,
    effects: Effects,
}

fn record(body: &str) -> LogRecord<'_> {
    let (severity, event_name, attributes) = (Severity::Info, "e", &[]);
    LogRecord { time_nanos: 1, severity, event_name, body, attributes, trace_id: None }
}

impl World {
    fn new(does: Does, records: usize, batch: usize) -> Self {
        let limits = Limits { records, bytes: 1 << 20, batch, interval: Duration::from_secs(1) };
        let target = GrpcTarget { cluster: "otel".to_owned(), timeout_millis: 2000, ..GrpcTarget::default() };
        let counts = Records::new(&SeriesIds::default(), "cart", "audit");
        let source = LogSource::new(&[], "weir", "0");
        Self {
            sender: Sender::new(target, source, limits, counts),
            now: 5 * SECOND,
            does,
            in_flight: None,
            taken: Vec::new(),
            calls: 0,
            counters: BTreeMap::new(),
            lost: BTreeMap::new(),
            logs: Vec::new(),
            effects: Effects::default(),
        }
    }

    fn push(&mut self, count: usize) {
        for _ in 0..count {
            if self.sender.has_room(&mut self.effects) {
                self.sender.push(&record("r"), self.clock(), &mut self.effects);
            }
            self.settle();
        }
    }

    /// So many seconds pass, with a tick after each in which one is wanted.
    fn seconds(&mut self, count: u64) {
        for _ in 0..count {
            self.now += SECOND;
            if self.sender.period().is_some() {
                self.sender.tick(self.clock(), &mut self.effects);
            }
            self.settle();
        }
    }

    fn clock(&self) -> Now {
        Now { wall_nanos: 0, mono_nanos: self.now }
    }

    /// The shell does what the sender asked for, until nothing is left.
    fn settle(&mut self) {
        loop {
            for operation in std::mem::take(&mut self.effects.metrics) {
                match operation {
                    MetricOp::Define { series, name, .. } => {
                        self.counters.insert(series, name);
                    }
                    MetricOp::Add { series, by, .. } => {
                        let name = &self.counters[&series];
                        let reason = name.split("reason=.=").nth(1).and_then(|rest| rest.split(";.;").next());
                        *self.lost.entry(reason.unwrap_or(name).to_owned()).or_default() += by;
                    }
                    MetricOp::Record { .. } => panic!("{operation:?}"),
                }
            }
            self.logs.extend(std::mem::take(&mut self.effects.logs).into_iter().map(|(_, line)| line));
            let Some((id, callout)) = std::mem::take(&mut self.effects.calls).pop() else { return };
            assert!(self.in_flight.is_none(), "one call at a time");
            let Callout::Grpc(GrpcCallout { target, service, method, message }) = callout else { panic!() };
            assert_eq!(
                (target.cluster.as_str(), service.as_str(), method.as_str()),
                ("otel", LOGS_SERVICE, LOGS_METHOD)
            );
            self.calls += 1;
            self.in_flight = Some(id);
            if self.does != Does::Hangs {
                self.answer(message.len());
            }
        }
    }

    fn answer(&mut self, bytes: usize) {
        let Some(id) = self.in_flight.take() else { return };
        let rejects = |count: u8| vec![0x0a, 2, 8, count];
        let message = match self.does {
            Does::Takes => Vec::new(),
            Does::Rejects(count) => rejects(count),
            _ => vec![0xff],
        };
        let answer = match self.does {
            Does::Takes | Does::Rejects(_) => {
                self.taken.push(bytes);
                Answer::Grpc { message: &message }
            }
            Does::Talks => Answer::Grpc { message: &message },
            Does::NotSent => Answer::Failed(CallFailure::NotSent),
            Does::Status(code) => Answer::Failed(CallFailure::Status(code)),
            Does::Hangs => Answer::Failed(CallFailure::Reset),
        };
        self.sender.called(id, answer, self.clock(), &mut self.effects);
    }

    fn finish(&mut self) {
        self.sender.finish(&mut self.effects);
        self.settle();
    }

    /// How many records were lost for each reason.
    fn lost(&self) -> Vec<(&str, u64)> {
        self.lost.iter().map(|(reason, count)| (reason.as_str(), *count)).collect()
    }
}

#[test]
fn a_batch_goes_out_when_it_is_full_and_the_rest_with_the_tick() {
    let mut world = World::new(Does::Takes, 100, 10);
    assert_eq!(world.sender.period(), None);
    world.push(9);
    assert_eq!((world.taken.len(), world.sender.period()), (0, Some(Duration::from_secs(1))));
    world.push(1);
    assert_eq!((world.taken.len(), world.sender.period()), (1, None), "an idle filter has no timer");
    world.push(12);
    assert_eq!(world.taken.len(), 2);
    world.seconds(1);
    assert_eq!((world.taken.len(), world.sender.period()), (3, None));
    world.seconds(3);
    assert_eq!((world.calls, world.lost(), world.logs.len()), (3, vec![], 0));
}

#[test]
fn while_a_call_is_on_its_way_records_wait_within_the_bounds() {
    let mut world = World::new(Does::Hangs, 25, 10);
    world.push(40);
    assert_eq!((world.calls, world.lost()), (1, vec![("queue_full", 15)]));
    world.seconds(60);
    assert_eq!(world.calls, 1, "nothing else is sent");
    world.does = Does::Takes;
    world.answer(0);
    world.settle();
    assert_eq!((world.calls, world.taken.len()), (2, 2), "the full one follows at once");
    world.push(1);
    world.seconds(1);
    assert_eq!((world.taken.len(), world.lost()), (3, vec![("queue_full", 15)]));
}

#[test]
fn what_fails_is_sent_again_at_growing_intervals_and_then_lost() {
    let mut rows = Rows::default();
    for does in [Does::NotSent, Does::Status(14), Does::Status(4), Does::Status(1)] {
        let mut world = World::new(does, 100, 10);
        world.push(10);
        let mut calls = Vec::new();
        for _ in 0..9 {
            calls.push(world.calls);
            world.seconds(1);
        }
        // Attempts are 1, 2 and 4 seconds apart.
        rows.check(format!("{does:?}"), calls, vec![1, 2, 2, 3, 3, 3, 3, 4, 4]);
        rows.check(format!("{does:?} lost"), (world.lost(), world.logs.len()), (vec![("unavailable", 10)], 1));
        // The next batch has all its attempts, and the log says that it arrives.
        world.push(10);
        world.does = Does::Takes;
        world.seconds(1);
        rows.check(format!("{does:?} again"), (world.calls, world.taken.len(), world.logs.len()), (6, 1, 2));
        rows.check(format!("{does:?} still"), world.lost(), vec![("unavailable", 10)]);
    }
}

#[test]
fn what_the_collector_does_not_take_is_not_sent_again() {
    let mut rows = Rows::default();
    for (does, lost) in [
        (Does::Rejects(0), vec![]),
        (Does::Rejects(3), vec![("rejected", 3)]),
        // More than were sent.
        (Does::Rejects(100), vec![("rejected", 10)]),
        (Does::Talks, vec![("rejected", 10)]),
        (Does::Status(3), vec![("rejected", 10)]),
        (Does::Status(8), vec![("rejected", 10)]),
        (Does::Status(16), vec![("rejected", 10)]),
    ] {
        let mut world = World::new(does, 100, 10);
        world.push(10);
        world.seconds(20);
        rows.check(format!("{does:?}"), (world.calls, world.lost()), (1, lost));
        rows.check(format!("{does:?} frees its room"), world.sender.queue.has_room(), true);
    }
}

#[test]
fn at_the_end_everything_goes_out_once() {
    let mut rows = Rows::default();
    // The first batch was not sent; five full ones wait behind it, and one that is not full.
    for (does, calls, lost) in [
        (Does::Takes, 8, vec![]),
        (Does::Rejects(1), 8, vec![("rejected", 7)]),
        (Does::Status(3), 8, vec![("rejected", 65)]),
        (Does::NotSent, 2, vec![("ended", 65)]),
        (Does::Status(14), 2, vec![("unavailable", 65)]),
    ] {
        let mut world = World::new(Does::NotSent, 100, 10);
        world.push(65);
        world.does = does;
        world.finish();
        rows.check(format!("{does:?}"), (world.calls, world.lost()), (calls, lost));
        rows.check(format!("{does:?} leaves nothing"), world.sender.period(), None);
    }
    let mut world = World::new(Does::Takes, 100, 10);
    world.finish();
    assert_eq!(world.calls, 0, "there was nothing");
}

#[test]
fn a_call_that_the_host_cancels_is_made_again_and_lost_if_nothing_is_sent_any_more() {
    let mut rows = Rows::default();
    for (does, calls, taken, lost) in [
        (Does::Takes, 4, 3, vec![]),
        (Does::NotSent, 2, 0, vec![("ended", 15), ("unanswered", 10)]),
        (Does::Status(14), 2, 0, vec![("unavailable", 25)]),
        (Does::Status(3), 4, 0, vec![("rejected", 25)]),
    ] {
        for ends_first in [false, true] {
            let mut world = World::new(Does::Hangs, 100, 10);
            world.push(25);
            if ends_first {
                world.finish();
            }
            // The answer that says so has no other effect, so that what follows may end the sender.
            let id = world.in_flight.take().unwrap();
            world.does = does;
            world.sender.called(id, Answer::Failed(CallFailure::Reset), world.clock(), &mut world.effects);
            world.finish();
            let title = format!("{does:?}, ends first: {ends_first}");
            rows.check(&title, (world.calls, world.taken.len(), world.lost()), (calls, taken, lost.clone()));
            rows.check(format!("{title}: logs"), world.logs.len(), usize::from(does != Does::Takes));
        }
    }
}

#[test]
fn ticks_that_come_more_often_send_no_more() {
    let mut world = World::new(Does::Takes, 100, 10);
    world.push(1);
    let mut taken = Vec::new();
    for _ in 0..8 {
        world.now += SECOND / 4;
        world.sender.tick(world.clock(), &mut world.effects);
        world.settle();
        world.push(1);
        taken.push(world.taken.len());
    }
    assert_eq!(taken, [0, 0, 0, 1, 1, 1, 1, 2]);
}

#[test]
fn an_answer_of_another_part_changes_nothing() {
    let mut world = World::new(Does::Hangs, 100, 10);
    world.push(10);
    let other = CallId { owner: 7, number: 99 };
    world.sender.called(other, Answer::Failed(CallFailure::Reset), world.clock(), &mut world.effects);
    world.settle();
    assert_eq!((world.calls, world.logs.len()), (1, 0));
}
