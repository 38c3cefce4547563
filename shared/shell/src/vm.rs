//! The callbacks of one VM: each finds its context and hands over.
//!
//! They are ours rather than the SDK's, whose dispatcher panics on a context that it does not know, asks three hash maps
//! about every callback, and boxes every stream twice.

use crate::abi;
use crate::contexts::Contexts;
use crate::metrics;
use crate::network;
use crate::protocol::Protocol;
use crate::root::Root;
use crate::stream::Stream;
use std::cell::RefCell;
use weir_model::Filter;

/// What a callback for headers returns.
pub(crate) const CONTINUE: u32 = 0;
pub(crate) const STOP_ITERATION: u32 = 1;
/// Holds a request with all that follows its headers. Envoy takes [`STOP_ITERATION`] for this, unless the plugin has
/// `allow_on_headers_stop_iteration`: then the body would take the headers with it.
const STOP_ALL_ITERATION: u32 = 4;

/// The contexts of a VM that runs the filter `F`. [`crate::module!`] makes one and exports its callbacks.
pub struct Vm<F: Filter> {
    protocol: Protocol,
    /// One for each plugin configuration; a VM has few.
    roots: RefCell<Vec<(u32, Root<F>)>>,
    streams: RefCell<Contexts<Stream<F>>>,
}

impl<F: Filter> Default for Vm<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Filter> Vm<F> {
    /// A VM of HTTP streams, without contexts.
    #[must_use]
    pub const fn new() -> Self {
        Self::of(Protocol::Http)
    }

    pub(crate) const fn of(protocol: Protocol) -> Self {
        Self { protocol, roots: RefCell::new(Vec::new()), streams: RefCell::new(Contexts::new()) }
    }

    /// Whether a root context or a stream is this VM's.
    pub(crate) fn has(&self, context: u32) -> bool {
        let is_root = || self.roots.try_borrow().is_ok_and(|roots| roots.iter().any(|(id, _)| *id == context));
        self.streams.try_borrow_mut().is_ok_and(|mut streams| streams.get(context).is_some()) || is_root()
    }

    /// A root context has no parent, a stream's parent is a root context.
    pub fn on_context_create(&self, context: u32, parent: u32) {
        if parent == 0 {
            let Ok(mut roots) = self.roots.try_borrow_mut() else { return };
            if roots.iter().all(|(id, _)| *id != context) {
                roots.push((context, Root::new(context, self.protocol)));
            }
            return;
        }
        let core = self.with_root(parent, |root| root.core()).flatten();
        let before = match self.streams.try_borrow_mut() {
            Ok(mut streams) => streams.insert(context, Stream::new(context, core)),
            Err(_) => None,
        };
        drop(before);
    }

    /// The context is gone.
    pub fn on_delete(&self, context: u32) {
        if self.remove(context, || self.any_root()) {
            self.go_on();
        }
    }

    /// A root context of this VM.
    pub(crate) fn any_root(&self) -> Option<u32> {
        self.roots.try_borrow().ok()?.last().map(|(id, _)| *id)
    }

    /// Drops a context. Returns whether it was a root; `lender` is another one, on which what it has not sent goes out.
    pub(crate) fn remove(&self, context: u32, lender: impl FnOnce() -> Option<u32>) -> bool {
        let stream = self.streams.try_borrow_mut().ok().and_then(|mut streams| streams.remove(context));
        if stream.is_some() {
            return false;
        }
        let root = self.roots.try_borrow_mut().ok().and_then(|mut roots| {
            let at = roots.iter().position(|(id, _)| *id == context)?;
            Some(roots.swap_remove(at))
        });
        let Some((_, root)) = root else { return false };
        root.end(lender());
        true
    }

    /// Makes a remaining root go on with the work of one that is gone. Returns whether there is one.
    pub(crate) fn go_on(&self) -> bool {
        if metrics::something_is_left()
            && let Ok(roots) = self.roots.try_borrow()
            && let Some((other, root)) = roots.last()
            && abi::set_effective_context(*other).is_ok()
        {
            root.go_on();
            return true;
        }
        false
    }

    /// The plugin configuration is there. Returns whether it is taken.
    pub fn on_configure(&self, context: u32) -> u32 {
        u32::from(self.with_root(context, Root::configure).unwrap_or(false))
    }

    /// The timer has fired.
    pub fn on_tick(&self, context: u32) {
        self.with_root(context, |root| root.tick());
    }

    /// A plugin configuration ends, or a stream does. Returns whether its context may go now.
    pub fn on_done(&self, context: u32) -> u32 {
        u32::from(self.with_root(context, |root| root.done()).unwrap_or(true))
    }

    /// A connection, where the module is loaded as a network filter.
    pub fn on_new_connection(&self, context: u32) -> u32 {
        self.close_connection(context, network::INSTEAD)
    }

    pub(crate) fn close_connection(&self, context: u32, instead: &str) -> u32 {
        self.with_stream(context, Stream::is_connection);
        network::close(instead);
        STOP_ITERATION
    }

    /// Request headers are there.
    pub fn on_request_headers(&self, context: u32, end_of_stream: bool) -> u32 {
        // A request whose context is not there is not decided: it must not go on.
        let goes_on = self.with_stream(context, |stream| stream.request_headers(end_of_stream));
        match goes_on {
            Some(true) => CONTINUE,
            Some(false) => STOP_ALL_ITERATION,
            None => {
                crate::reply::refuse_undecided();
                STOP_ALL_ITERATION
            }
        }
    }

    /// Response headers are there.
    pub fn on_response_headers(&self, context: u32) -> u32 {
        self.with_stream(context, Stream::response_headers);
        CONTINUE
    }

    /// A stream has ended.
    pub fn on_log(&self, context: u32) {
        self.with_stream(context, Stream::log);
    }

    fn with_root<T>(&self, context: u32, act: impl FnOnce(&mut Root<F>) -> T) -> Option<T> {
        let mut roots = self.roots.try_borrow_mut().ok()?;
        let (_, root) = roots.iter_mut().find(|(id, _)| *id == context)?;
        Some(act(root))
    }

    pub(crate) fn with_stream<T>(&self, context: u32, act: impl FnOnce(&mut Stream<F>) -> T) -> Option<T> {
        self.streams.try_borrow_mut().ok()?.get(context).map(act)
    }
}
