//! Sends records to an OTLP collector over gRPC, one call at a time.
//!
//! A batch goes out when it is full, from the callback that filled it, and with the tick what is not full. A call that fails
//! in a way that OTLP calls retryable is made again after the interval, then after twice that, and so on; the batch keeps its
//! room meanwhile, and nothing else is sent. After [`ATTEMPTS`] its records are lost and counted. So a collector that is gone or
//! hangs costs one call at a time and the memory of the queue, and a request never waits.
//!
//! A call that the host cancels, because its configuration has ended, is made again at once. If it cannot be sent then, its
//! records may have arrived, and are counted so.

use crate::dropped::{DropReason, Records};
use crate::queue::{Batch, Limits, Queue};
use std::time::Duration;
use weir_model::{Answer, CallFailure, CallId, Callout, Effects, GrpcCallout, GrpcTarget, Level, Now};
use weir_proto::{LOGS_METHOD, LOGS_SERVICE, LogRecord, LogSource, decode_logs_response};

/// How often a batch is sent at most.
const ATTEMPTS: u32 = 4;
/// The longest time between two attempts, unless the interval is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How early a tick may come at most, in nanoseconds.
const SLACK: u64 = 125_000_000;

/// The codes of gRPC that OTLP's specification calls retryable: `CANCELLED`, `DEADLINE_EXCEEDED`, `ABORTED`, `OUT_OF_RANGE`,
/// `UNAVAILABLE`, `DATA_LOSS`. `RESOURCE_EXHAUSTED` is one only with details that a filter does not see.
const RETRYABLE: [u32; 6] = [1, 4, 10, 11, 14, 15];

/// Sends the records of one filter.
#[derive(Debug)]
pub struct Sender {
    target: GrpcTarget,
    source: LogSource,
    queue: Queue,
    state: State,
    records: Records,
    /// When a tick next does something, on the monotonic clock.
    due: u64,
    /// The configuration has ended: what is left is sent once.
    ending: bool,
    /// It was logged that records are not delivered.
    in_trouble: bool,
}

/// What happens to the batch that is sent next.
#[derive(Debug)]
enum State {
    Idle,
    /// It is on its way for the time of this number.
    Sent {
        id: CallId,
        batch: Batch,
        attempt: u32,
    },
    /// It waits to be sent again, on the monotonic clock.
    Waits {
        until: u64,
        batch: Batch,
        attempt: u32,
    },
}

/// How a call ended.
enum Outcome {
    /// The collector answered, and did not take so many.
    Answered(usize),
    Failed(CallFailure),
    /// The collector answered something that says nothing.
    Unclear,
}

impl Sender {
    /// Sends to `target`; `records` counts them.
    #[must_use]
    pub fn new(target: GrpcTarget, source: LogSource, limits: Limits, records: Records) -> Self {
        let (queue, state) = (Queue::new(limits), State::Idle);
        Self { target, source, queue, state, records, due: 0, ending: false, in_trouble: false }
    }

    /// Whether a record would find room. If it would not, it is counted as lost, and need not be made.
    pub fn has_room(&mut self, effects: &mut Effects) -> bool {
        let has_room = self.queue.has_room();
        if !has_room {
            self.records.dropped(DropReason::QueueFull, 1, effects);
        }
        has_room
    }

    /// Queues a record, and sends the batch that it fills.
    pub fn push(&mut self, record: &LogRecord<'_>, now: Now, effects: &mut Effects) {
        if self.period().is_none() {
            self.due = now.mono_nanos.saturating_add(nanos(self.queue.interval()));
        }
        if !self.queue.push(record) {
            self.records.dropped(DropReason::QueueFull, 1, effects);
        }
        self.go_on(self.ending, effects);
    }

    /// How often [`Sender::tick`] is wanted now.
    pub fn period(&self) -> Option<Duration> {
        let waits = matches!(self.state, State::Waits { .. }) || !self.queue.is_empty();
        waits.then(|| self.queue.interval())
    }

    /// Time has passed: perhaps the interval, perhaps less.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        let interval = nanos(self.queue.interval());
        if now.mono_nanos.saturating_add(SLACK.min(interval / 2)) < self.due {
            return;
        }
        self.due = now.mono_nanos.saturating_add(interval);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Waits { until, batch, attempt } if now.mono_nanos >= until => self.send(batch, attempt, effects),
            State::Idle => self.go_on(true, effects),
            waits => self.state = waits,
        }
    }

    /// Takes the answer to a call, if it is one of this sender's.
    pub fn called(&mut self, id: CallId, answer: Answer<'_>, now: Now, effects: &mut Effects) {
        let (mut batch, attempt) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Sent { id: sent, batch, attempt } if sent == id => (batch, attempt),
            other => {
                self.state = other;
                return;
            }
        };
        if let Answer::Failed(CallFailure::Reset) = answer {
            batch.may_have_arrived = true;
            return self.send(batch, attempt, effects);
        }
        let outcome = Outcome::of(answer);
        self.say(&outcome, effects);
        match outcome {
            Outcome::Answered(rejected) => self.lose(DropReason::Rejected, &batch, rejected, effects),
            Outcome::Unclear => self.lose(DropReason::Rejected, &batch, batch.records, effects),
            Outcome::Failed(CallFailure::Status(code)) if !RETRYABLE.contains(&code) => {
                self.lose(DropReason::Rejected, &batch, batch.records, effects);
            }
            Outcome::Failed(failure) if self.ending => {
                // Where the last call did not arrive, another one would not.
                let (reason, rest) = match failure {
                    CallFailure::NotSent if !batch.may_have_arrived => (DropReason::Ended, DropReason::Ended),
                    CallFailure::NotSent | CallFailure::Reset | CallFailure::Unreadable => {
                        (DropReason::Unanswered, DropReason::Ended)
                    }
                    CallFailure::NoCluster | CallFailure::NoHost | CallFailure::Status(_) => {
                        (DropReason::Unavailable, DropReason::Unavailable)
                    }
                };
                self.lose(reason, &batch, batch.records, effects);
                let left = self.queue.clear();
                self.records.dropped(rest, left, effects);
            }
            Outcome::Failed(_) if attempt >= ATTEMPTS => {
                self.lose(DropReason::Unavailable, &batch, batch.records, effects);
            }
            Outcome::Failed(_) => {
                let until = now.mono_nanos.saturating_add(self.pause(attempt));
                self.state = State::Waits { until, batch, attempt: attempt.saturating_add(1) };
                return;
            }
        }
        self.go_on(self.ending, effects);
    }

    /// The configuration has ended: everything that is left goes out, one batch after the other.
    pub fn finish(&mut self, effects: &mut Effects) {
        self.ending = true;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Waits { batch, attempt, .. } => self.send(batch, attempt, effects),
            State::Idle => self.go_on(true, effects),
            sent => self.state = sent,
        }
    }

    /// Sends the next batch if none is on its way or waits.
    fn go_on(&mut self, partial: bool, effects: &mut Effects) {
        if matches!(self.state, State::Idle)
            && let Some(batch) = self.queue.take(partial)
        {
            self.send(batch, 1, effects);
        }
    }

    #[inline(never)]
    fn send(&mut self, batch: Batch, attempt: u32, effects: &mut Effects) {
        let id = effects.call(Callout::Grpc(GrpcCallout {
            target: self.target.clone(),
            service: LOGS_SERVICE.to_owned(),
            method: LOGS_METHOD.to_owned(),
            message: self.source.request(&batch.bytes),
        }));
        self.state = State::Sent { id, batch, attempt };
    }

    /// Ends a batch, of which so many records are lost.
    fn lose(&mut self, reason: DropReason, batch: &Batch, lost: usize, effects: &mut Effects) {
        self.queue.release(batch);
        self.records.dropped(reason, lost.min(batch.records), effects);
    }

    /// How long a batch waits after its attempt of that number. Ticks come at the interval, and a little early.
    fn pause(&self, attempt: u32) -> u64 {
        let interval = nanos(self.queue.interval());
        let doubled = interval.saturating_mul(1u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX));
        doubled.min(nanos(LONGEST_WAIT).max(interval)).saturating_sub(interval / 2)
    }

    /// Logs when delivery begins to fail, and when it works again.
    #[inline(never)]
    fn say(&mut self, outcome: &Outcome, effects: &mut Effects) {
        let why = match outcome {
            Outcome::Answered(0) => None,
            Outcome::Answered(rejected) => Some(format!("it does not take {rejected} of a batch")),
            Outcome::Unclear => Some("its answer cannot be read".to_owned()),
            Outcome::Failed(CallFailure::NoCluster | CallFailure::NoHost) => {
                Some("it is unknown or has no host".to_owned())
            }
            Outcome::Failed(CallFailure::NotSent) => Some("the call was not sent".to_owned()),
            Outcome::Failed(CallFailure::Reset | CallFailure::Unreadable) => Some("no answer came".to_owned()),
            Outcome::Failed(CallFailure::Status(code)) => Some(format!("gRPC status {code}")),
        };
        let cluster = &self.target.cluster;
        match why {
            Some(why) if !self.in_trouble => {
                effects.log(Level::Warn, format!("records do not reach cluster `{cluster}`: {why}"));
            }
            None if self.in_trouble => {
                effects.log(Level::Info, format!("records reach cluster `{cluster}` again"));
            }
            _ => return,
        }
        self.in_trouble = !self.in_trouble;
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Outcome {
    fn of(answer: Answer<'_>) -> Self {
        match answer {
            Answer::Grpc { message } => match decode_logs_response(message) {
                Some(rejected) => Self::Answered(usize::try_from(rejected).unwrap_or(usize::MAX)),
                None => Self::Unclear,
            },
            Answer::Http { .. } | Answer::TooLarge { .. } => Self::Unclear,
            Answer::Failed(failure) => Self::Failed(failure),
        }
    }
}

#[cfg(test)]
mod tests;
