//! What a phase reads, prepared once per configuration, and the fetching itself.

use crate::abi::{self, Map, Status};
use crate::list;
use weir_model::{Attribute, Attributes, Demand};

/// From how many attributes on a list is cheaper than single reads.
const LIST_FROM: usize = 3;

/// The blocks that header maps arrived in; facts borrow from them for one call of the core.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    pub(crate) request_headers: Box<[u8]>,
    pub(crate) response_headers: Box<[u8]>,
    pub(crate) response_trailers: Box<[u8]>,
}

/// A demand made ready to be fetched.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) idle: bool,
    pub(crate) timeless: bool,
    request_headers: bool,
    response_headers: bool,
    response_trailers: bool,
    single: Vec<(Attribute, Vec<u8>)>,
    list: Option<List>,
}

#[derive(Debug)]
struct List {
    attributes: Vec<Attribute>,
    /// What `expr_create` gave; `None` where it failed, and every attribute is then read alone.
    token: Option<Box<[u8]>>,
    /// A failed evaluation has been logged.
    told: bool,
}

impl Plan {
    /// Prepares a demand. Expressions are created here.
    ///
    /// Nothing is kept from one stream for the next: one root context may serve listeners of both directions.
    pub(crate) fn new(demand: &Demand) -> Self {
        let Demand { idle, timeless, request_headers, response_headers, response_trailers, attributes } = demand;
        // A whole message does not travel in a list; it is read alone.
        let (listed, mut single): (Vec<_>, Vec<_>) =
            attributes.iter().cloned().partition(|attribute| *attribute != Attribute::DynamicMetadata);
        let mut list = None;
        if listed.len() >= LIST_FROM {
            let token = abi::foreign_function("expr_create", list::expression(&listed).as_bytes());
            list = Some(List { token: token.ok(), attributes: listed, told: false });
        } else {
            single.extend(listed);
        }
        Self {
            idle: *idle,
            timeless: *timeless,
            request_headers: *request_headers,
            response_headers: *response_headers,
            response_trailers: *response_trailers,
            single: single.into_iter().map(with_path).collect(),
            list,
        }
    }

    /// Fetches everything.
    ///
    /// # Errors
    /// When a demanded header map cannot be had: a decision without it would be a guess.
    pub(crate) fn fetch(&mut self, blocks: &mut Blocks, attributes: &mut Attributes) -> Result<(), Status> {
        if self.request_headers {
            blocks.request_headers = abi::header_map(Map::RequestHeaders)?;
        }
        if self.response_headers {
            blocks.response_headers = abi::header_map(Map::ResponseHeaders)?;
        }
        if self.response_trailers {
            blocks.response_trailers = abi::header_map(Map::ResponseTrailers)?;
        }
        for (attribute, path) in &self.single {
            read(attribute, path, attributes);
        }
        if let Some(list) = &mut self.list {
            list.fetch(attributes);
        }
        Ok(())
    }
}

impl List {
    fn fetch(&mut self, attributes: &mut Attributes) {
        if let Some(token) = &self.token {
            match abi::foreign_function("expr_evaluate", token) {
                Ok(values) if list::decode(&values, &self.attributes, attributes) => return,
                _ if self.told => {}
                _ => {
                    self.told = true;
                    abi::log(3, "weir: the attribute list cannot be evaluated; attributes are read one by one");
                }
            }
        }
        for attribute in &self.attributes {
            let (attribute, path) = with_path(attribute.clone());
            read(&attribute, &path, attributes);
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            // An expression that cannot be deleted is gone already.
            let _ = abi::foreign_function("expr_delete", token);
        }
    }
}

/// Reads one attribute; whatever the host says other than a value means absent.
fn read(attribute: &Attribute, path: &[u8], attributes: &mut Attributes) {
    if let Ok(value) = abi::property(path) {
        attributes.set(attribute, &value);
    }
}

fn with_path(attribute: Attribute) -> (Attribute, Vec<u8>) {
    let [first, second] = attribute.path();
    let mut path = first.as_bytes().to_vec();
    if !second.is_empty() {
        path.push(0);
        path.extend_from_slice(second.as_bytes());
    }
    (attribute, path)
}
