//! What few streams need is read only when the core asks for it: a record of a refusal costs the requests that pass nothing.

use crate::abi::{self, Map};
use crate::fetch::Listed;
use crate::list::read;
use weir_model::{Attribute, Attributes, Demand, Facts, Headers, Late, Now};

/// A demand for later made ready to be read, with the memory for it.
#[derive(Debug)]
pub(crate) struct LatePlan {
    listed: Listed,
    dynamic_metadata: bool,
    attributes: Attributes,
    request_headers: Box<[u8]>,
}

impl LatePlan {
    /// `None` where the demand has nothing for later.
    pub(crate) fn new(demand: &Demand) -> Option<Box<Self>> {
        if demand.late.is_empty() {
            return None;
        }
        let late = Demand { attributes: demand.late.clone(), ..Demand::default() };
        Some(Box::new(Self {
            listed: Listed::new(&late, true),
            dynamic_metadata: demand.late.contains(&Attribute::DynamicMetadata),
            attributes: Attributes::default(),
            request_headers: Box::default(),
        }))
    }

    /// Reads for the stream whose callback runs.
    pub(crate) fn of_stream(&mut self) -> LateReader<'_> {
        LateReader { plan: self, singly: false }
    }

    /// Reads for the stream whose context is in effect. Expressions would be evaluated about the context that the host
    /// calls, so each attribute is read alone.
    pub(crate) fn in_effect(&mut self) -> LateReader<'_> {
        LateReader { plan: self, singly: true }
    }
}

/// Reads one stream.
pub(crate) struct LateReader<'l> {
    plan: &'l mut LatePlan,
    singly: bool,
}

impl Late for LateReader<'_> {
    fn now(&self) -> Now {
        Now { wall_nanos: abi::wall_nanos(), mono_nanos: abi::mono_nanos() }
    }

    #[inline(never)]
    fn read(&mut self, headers: bool) -> Facts<'_> {
        let LatePlan { listed, dynamic_metadata, attributes, request_headers } = &mut *self.plan;
        attributes.clear();
        if self.singly {
            listed.fetch_singly(attributes);
        } else {
            listed.fetch(attributes);
        }
        // After the list, whose block the attributes take over.
        if *dynamic_metadata {
            read(&Attribute::DynamicMetadata, attributes);
        }
        *request_headers = Box::default();
        if headers {
            *request_headers = abi::header_map(Map::RequestHeaders).unwrap_or_default();
        }
        Facts {
            request_headers: Headers::new(request_headers),
            response_headers: Headers::default(),
            response_trailers: Headers::default(),
            attributes,
        }
    }
}
