//! What one VM holds on the host's side: contexts, metric ids, callouts, actions to run after its outermost call.

use crate::process::Site;
use crate::process::stats::Kind;
use crate::vm::context::{Action, Context, Root, Stream};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasmtime::{Memory, TypedFunc};

/// Which hostcalls may be made at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// All.
    None,
    /// Those of the module's start.
    Start,
    /// Those inside the guest's allocator.
    Allocation,
}

/// A callout that has not ended.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) root: u32,
    /// A gRPC stream, not a unary call.
    pub(crate) stream: bool,
}

/// The data of a VM's store.
pub(crate) struct VmState {
    pub(crate) site: Rc<Site>,
    pub(crate) vm: u64,
    pub(crate) vm_id: Vec<u8>,
    pub(crate) vm_config: Vec<u8>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) log_prefix: String,
    pub(crate) memory: Option<Memory>,
    pub(crate) malloc: Option<TypedFunc<u32, u32>>,
    pub(crate) limit: Limit,
    /// The trap of the guest's allocator under the callback that runs.
    pub(crate) failed: Option<String>,
    /// The context that was entered, 0 for none, and the one that the module chose instead.
    pub(crate) current: u32,
    pub(crate) effective: u32,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) next_context: u32,
    pub(crate) actions: Vec<Action>,
    /// Metric ids of this VM; each definition makes one.
    pub(crate) metrics: BTreeMap<u32, (Kind, Vec<u8>)>,
    pub(crate) next_metric: u32,
    pub(crate) http_calls: BTreeMap<u32, Pending>,
    pub(crate) grpc_calls: BTreeMap<u32, Pending>,
}

impl VmState {
    /// The context that hostcalls act on.
    pub(crate) fn acting(&self) -> u32 {
        if self.effective != 0 && self.contexts.contains_key(&self.effective) { self.effective } else { self.current }
    }

    pub(crate) fn stream(&self, context: u32) -> Option<&Stream> {
        match self.contexts.get(&context) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    pub(crate) fn stream_mut(&mut self, context: u32) -> Option<&mut Stream> {
        match self.contexts.get_mut(&context) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// The root context's id of a context.
    pub(crate) fn root_of(&self, context: u32) -> u32 {
        self.stream(context).map_or(context, |stream| stream.root)
    }

    pub(crate) fn root(&self, context: u32) -> Option<&Root> {
        match self.contexts.get(&self.root_of(context)) {
            Some(Context::Root(root)) => Some(root),
            _ => None,
        }
    }

    pub(crate) fn root_mut(&mut self, context: u32) -> Option<&mut Root> {
        let root = self.root_of(context);
        match self.contexts.get_mut(&root) {
            Some(Context::Root(root)) => Some(root),
            _ => None,
        }
    }
}
