//! What a compiled configuration needs to read, per phase, so that the shell fetches exactly that.

use crate::{Attribute, SortedSet};

/// A moment in a stream's life at which a core is asked something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Request headers have arrived; the only phase that can refuse.
    Request,
    /// Response headers have arrived (from upstream, or of a local reply).
    Response,
    /// The stream has ended and this filter saw its request headers.
    End,
    /// The stream has ended and this filter never saw it: another filter or Envoy itself answered.
    EndUnseen,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 4] = [Self::Request, Self::Response, Self::End, Self::EndUnseen];
}

/// What one phase reads. What is not demanded is absent, and costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The phase has nothing to do: the shell does not call the core at all.
    pub idle: bool,
    /// The wall clock of [`crate::Io::now`]; zero unless demanded.
    pub wall_clock: bool,
    /// The monotonic clock of [`crate::Io::now`]; zero unless demanded.
    pub monotonic_clock: bool,
    /// The wall clock of [`crate::Io::now`] as it was at this VM's first stream, carried on by the monotonic clock, which
    /// comes with it: no change of the wall clock shows. The wall clock is read once, so a callback pays for one clock.
    /// Where `wall_clock` is demanded too, that comes instead.
    pub steady_wall_clock: bool,
    /// All request headers, every value alone. Not readable in [`Phase::Response`].
    pub request_headers: bool,
    /// The first value of each of these request headers. With `request_headers` they come anyway, and nothing else does
    /// without it.
    pub request_first: SortedSet<&'static [u8]>,
    /// All response headers.
    pub response_headers: bool,
    /// All response trailers; readable at the end only.
    pub response_trailers: bool,
    /// Attributes of every stream.
    pub attributes: SortedSet<Attribute>,
    /// Attributes that streams of one connection have in common: they are read with its first stream and remembered.
    pub of_connection: SortedSet<Attribute>,
    /// Attributes that only streams of an inbound listener are read for. [`Attribute::ListenerDirection`] comes with them:
    /// 1 for these streams, and 0 for all others unless `attributes` or `outbound` has it.
    pub inbound: SortedSet<Attribute>,
    /// Attributes that all other streams are read for. [`Attribute::ListenerDirection`] comes as it does with `inbound`.
    pub outbound: SortedSet<Attribute>,
    /// Attributes that streams are read for unless their request was known to end with its headers.
    pub with_body: SortedSet<Attribute>,
    /// Attributes that no stream is read for until the core asks for them with [`crate::Io::late`], for what few streams need.
    pub late: SortedSet<Attribute>,
}

impl Demand {
    /// A phase in which nothing happens.
    pub fn idle() -> Self {
        Self { idle: true, ..Self::default() }
    }

    /// Whether streams of an inbound listener are read for other attributes than the rest.
    pub fn directed(&self) -> bool {
        !(self.inbound.is_empty() && self.outbound.is_empty())
    }

    /// The attributes that a stream is read for: one of an inbound listener or of any other, with more than headers or
    /// without.
    pub fn of_stream(&self, inbound: bool, with_body: bool) -> SortedSet<Attribute> {
        let own = if inbound { &self.inbound } else { &self.outbound };
        let mut all = self.attributes.clone();
        all.extend(self.of_connection.iter().cloned());
        all.extend(own.iter().cloned());
        if with_body {
            all.extend(self.with_body.iter().cloned());
        }
        all
    }

    /// What both demands need; idle only if both are.
    pub fn union(&self, other: &Self) -> Self {
        let both = |own: &SortedSet<Attribute>, others: &SortedSet<Attribute>| {
            let mut all = own.clone();
            all.extend(others.iter().cloned());
            all
        };
        let mut request_first = self.request_first.clone();
        request_first.extend(other.request_first.iter().copied());
        Self {
            idle: self.idle && other.idle,
            wall_clock: self.wall_clock || other.wall_clock,
            monotonic_clock: self.monotonic_clock || other.monotonic_clock,
            steady_wall_clock: self.steady_wall_clock || other.steady_wall_clock,
            request_headers: self.request_headers || other.request_headers,
            request_first,
            response_headers: self.response_headers || other.response_headers,
            response_trailers: self.response_trailers || other.response_trailers,
            attributes: both(&self.attributes, &other.attributes),
            of_connection: both(&self.of_connection, &other.of_connection),
            inbound: both(&self.inbound, &other.inbound),
            outbound: both(&self.outbound, &other.outbound),
            with_body: both(&self.with_body, &other.with_body),
            late: both(&self.late, &other.late),
        }
    }
}
