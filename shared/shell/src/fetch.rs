//! What a phase reads, prepared once per configuration, and the fetching itself.

use crate::abi::{self, Map, Status};
use crate::late::LatePlan;
use crate::list::{List, read};
use crate::remembered::{Clusters, Connections};
use weir_model::{Attribute, Attributes, Demand, Headers, Now, PairsBuilder, SortedSet};

/// From how many attributes on a list is cheaper than single reads.
const LIST_FROM: usize = 3;

/// The blocks that header maps arrived in; facts borrow from them for one call of the core.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    pub(crate) request_headers: Box<[u8]>,
    pub(crate) response_headers: Box<[u8]>,
    pub(crate) response_trailers: Box<[u8]>,
}

impl Blocks {
    /// Whether there are any. Envoy gives an empty block for a map that is missing, and every request has `:method` at least.
    pub(crate) fn have_request_headers(&self) -> bool {
        Headers::new(&self.request_headers).iter().next().is_some()
    }
}

/// A demand made ready to be fetched.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) idle: bool,
    wall_clock: bool,
    monotonic_clock: bool,
    /// By how much the wall clock was ahead of the monotonic one when this was prepared.
    ahead: Option<u64>,
    pub(crate) request_headers: bool,
    request_first: Vec<&'static [u8]>,
    response_headers: bool,
    response_trailers: bool,
    dynamic_metadata: bool,
    attributes: Listed,
    /// Where less is asked of streams without a body.
    bodyless: Option<Listed>,
    connections: Option<Connections>,
    clusters: Option<Clusters>,
    pub(crate) late: Option<Box<LatePlan>>,
}

/// Attributes, as a list or one by one.
#[derive(Debug)]
pub(crate) struct Listed {
    list: List,
    /// The attributes are too few for an expression.
    singly: bool,
}

impl Listed {
    pub(crate) fn new(demand: &Demand, with_body: bool) -> Self {
        let mut list = List::new(demand, with_body);
        let singly = list.len() < LIST_FROM;
        if !singly {
            list.prepare();
        }
        Self { list, singly }
    }

    pub(crate) fn fetch(&mut self, out: &mut Attributes) {
        if self.singly {
            self.list.fetch_singly(out);
        } else {
            self.list.fetch(out);
        }
    }

    /// Reads them one by one.
    pub(crate) fn fetch_singly(&self, out: &mut Attributes) {
        self.list.fetch_singly(out);
    }
}

impl Plan {
    /// Prepares a demand. Expressions are created here.
    ///
    /// Of a stream nothing is kept for the next but what they have in common by their connection or cluster: one root
    /// context may serve listeners of both directions.
    pub(crate) fn new(demand: &Demand) -> Self {
        let (mut of_stream, mut connections, mut clusters) = (demand.clone(), None, None);
        // Where the direction decides what is read, a connection would have to be known before.
        if !demand.of_connection.is_empty() && !demand.directed() {
            connections = Some(Connections::new(&demand.of_connection));
            of_stream.of_connection = SortedSet::new();
            of_stream.attributes.insert(Attribute::ConnectionId);
        }
        if of_stream.attributes.remove(&Attribute::ClusterMetadata) {
            clusters = Some(Clusters::default());
            of_stream.attributes.insert(Attribute::ClusterName);
        }
        Self {
            idle: demand.idle,
            wall_clock: demand.wall_clock,
            monotonic_clock: demand.monotonic_clock || demand.steady_wall_clock,
            ahead: demand.steady_wall_clock.then(|| abi::wall_nanos().wrapping_sub(abi::mono_nanos())),
            request_headers: demand.request_headers,
            request_first: demand.request_first.iter().copied().filter(|_| !demand.request_headers).collect(),
            response_headers: demand.response_headers,
            response_trailers: demand.response_trailers,
            dynamic_metadata: demand.attributes.contains(&Attribute::DynamicMetadata),
            attributes: Listed::new(&of_stream, true),
            bodyless: (!demand.with_body.is_empty()).then(|| Listed::new(&of_stream, false)),
            connections,
            clusters,
            late: LatePlan::new(demand),
        }
    }

    /// The clocks that are demanded.
    pub(crate) fn now(&self) -> Now {
        let mono_nanos = if self.monotonic_clock { abi::mono_nanos() } else { 0 };
        let wall_nanos = match self.ahead {
            _ if self.wall_clock => abi::wall_nanos(),
            Some(ahead) => mono_nanos.wrapping_add(ahead),
            None => 0,
        };
        Now { wall_nanos, mono_nanos }
    }

    /// Forgets what is remembered of clusters for too long.
    pub(crate) fn tick(&mut self, now: u64) {
        if let Some(clusters) = &mut self.clusters {
            clusters.tick(now);
        }
    }

    /// No ticks come from now on.
    pub(crate) fn stop(&mut self) {
        if let Some(clusters) = &mut self.clusters {
            clusters.forget(abi::mono_nanos());
        }
    }

    /// Fetches everything.
    ///
    /// # Errors
    /// When the host does not hand over a demanded header map: a decision without it would be a guess.
    pub(crate) fn fetch(
        &mut self,
        with_body: bool,
        blocks: &mut Blocks,
        attributes: &mut Attributes,
    ) -> Result<(), Status> {
        if self.request_headers {
            blocks.request_headers = abi::header_map(Map::RequestHeaders)?;
        } else {
            self.fetch_first(blocks);
        }
        if self.response_headers {
            blocks.response_headers = abi::header_map(Map::ResponseHeaders)?;
        }
        if self.response_trailers {
            blocks.response_trailers = abi::header_map(Map::ResponseTrailers)?;
        }
        match &mut self.bodyless {
            Some(bodyless) if !with_body => bodyless.fetch(attributes),
            _ => self.attributes.fetch(attributes),
        }
        // After the list, whose block the attributes take over.
        if let Some(connections) = &mut self.connections {
            connections.fetch(attributes);
        }
        if let Some(clusters) = &mut self.clusters {
            clusters.fetch(attributes);
        }
        if self.dynamic_metadata {
            read(&Attribute::DynamicMetadata, attributes);
        }
        Ok(())
    }

    fn fetch_first(&self, blocks: &mut Blocks) {
        let mut pairs: Option<PairsBuilder> = None;
        for name in &self.request_first {
            // Any status other than `Ok` means that there is no value.
            if let Ok(value) = abi::header(Map::RequestHeaders, name) {
                pairs.get_or_insert_default().push(name, &value);
            }
        }
        if let Some(pairs) = pairs {
            blocks.request_headers = pairs.finish().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Blocks;
    use weir_model::PairsBuilder;

    #[test]
    fn a_request_without_any_header_was_not_read() {
        let block = PairsBuilder::default().push(b":method", b"GET").finish();
        for (block, expected) in
            [(block.as_slice(), true), (&[], false), (&[0, 0, 0, 0], false), (&[1, 0, 0, 0, 9], false)]
        {
            let blocks = Blocks { request_headers: block.into(), ..Blocks::default() };
            assert_eq!(blocks.have_request_headers(), expected, "{block:?}");
        }
    }
}
