//! The life of a plugin configuration: compiled once per VM, refused with all its problems, ticking while it has traffic.

use crate::abi::{self, Buffer};
use crate::callout;
use crate::cel::Compiled;
use crate::core::Core;
use crate::protocol::Protocol;
use std::cell::RefCell;
use std::rc::Rc;
use weir_model::{Callbacks, Filter, Need, Phase, Problems, TCP_ROOT_ID};

/// The warning for a configuration that has to do with response headers in a module without the callback for them.
const NO_RESPONSE_CALLBACK: &str = "this configuration reads or adds response headers, and this module is not called for them, so it does \
                     neither: load `telemetry-response.wasm`, `rate-limit.wasm` or `suite.wasm` instead";

/// The problem of a configuration that has to do with the ends of streams in a module without the callback for them: it would
/// seem to work and count nothing.
const NO_END_CALLBACK: &str = "this configuration works at the end of a stream (mode `observe` of policies does), and this module is not \
                     called for that: load `policy-observe.wasm` or `suite.wasm` instead";

/// How many callouts of configurations that have ended may be in flight: each keeps its configuration in memory.
const MOST_LENT: usize = 4;

/// The root context. A new configuration usually makes a new one; streams in flight keep the core of theirs.
pub(crate) struct Root<F: Filter> {
    context: u32,
    protocol: Protocol,
    core: Option<Rc<RefCell<Core<F>>>>,
}

impl<F: Filter> Drop for Root<F> {
    fn drop(&mut self) {
        self.retire();
    }
}

impl<F: Filter> Root<F> {
    pub(crate) fn new(context: u32, protocol: Protocol) -> Self {
        Self { context, protocol, core: None }
    }

    /// The core of streams that begin now.
    pub(crate) fn core(&self) -> Option<Rc<RefCell<Core<F>>>> {
        self.core.clone()
    }

    /// Stops the timer of the core that is in force until now.
    fn retire(&self) {
        if let Some(Ok(mut core)) = self.core.as_ref().map(|core| core.try_borrow_mut()) {
            core.retire();
        }
    }

    /// The context is gone. What its core has not sent yet goes out on `lender`, another one of the VM, if there is one.
    pub(crate) fn end(self, lender: Option<u32>) {
        if !Core::<F>::CALLS {
            return;
        }
        self.retire();
        let guests = callout::forget_root(self.context);
        let is_free = callout::lent() < MOST_LENT;
        let Some(lender) = lender.filter(|lender| is_free && abi::set_effective_context(*lender).is_ok()) else {
            return;
        };
        // Streams that are left would still count and send.
        if let Some(core) = self.core.as_ref().filter(|core| Rc::strong_count(core) == 1)
            && let Ok(mut core) = core.try_borrow_mut()
        {
            core.go_on_as_guest(lender);
        }
        guests.iter().for_each(|guest| guest.goes_on(lender));
    }

    #[inline(never)]
    fn compile(protocol: Protocol) -> Result<(F, Compiled), Problems> {
        let root_id = abi::property(b"plugin_root_id").unwrap_or_default();
        let is_ours = match protocol {
            Protocol::Http => matches!(&*root_id, b"" | b"weir"),
            Protocol::Tcp => *root_id == *TCP_ROOT_ID.as_bytes(),
        };
        if !is_ours {
            let found = String::from_utf8_lossy(&root_id).into_owned();
            let message = match &*found {
                // Of a module with both, the other filter takes it.
                TCP_ROOT_ID => "this module has no filter of connections: `weir.tcp` is for `policy.wasm` and \
                                `suite.wasm`"
                    .to_owned(),
                _ => format!("root id `{found}` is unknown: use `weir`, or none, for the HTTP filter"),
            };
            return Err(Problems::one("root_id", message));
        }
        let document = abi::buffer(Buffer::PluginConfiguration, usize::MAX).map_err(|status| {
            Problems::one("$", format!("the host returned no configuration (status {})", status.0))
        })?;
        let node = abi::property(b"xds\0node").ok().and_then(|bytes| weir_proto::decode_node(&bytes));
        let filter = F::compile(&crate::document::json(document), &node.unwrap_or_default())?;
        if protocol == Protocol::Http && wants_ends(&filter) && !abi::module_sees_ends() {
            return Err(Problems::one("$", NO_END_CALLBACK));
        }
        match unserved(&filter, protocol) {
            None => {
                let expressions = Compiled::new(&filter.expressions())?;
                Ok((filter, expressions))
            }
            Some(callback) => {
                Err(Problems::one("$", format!("this module is built without the callback for {callback}")))
            }
        }
    }
}

/// Whether a filter works at the ends of streams.
fn wants_ends<F: Filter>(filter: &F) -> bool {
    [Phase::End, Phase::EndUnseen].iter().any(|phase| !filter.demand(*phase).idle)
}

/// The callback that a filter wants to be called for and that the module does not export.
fn unserved<F: Filter>(filter: &F, protocol: Protocol) -> Option<&'static str> {
    let Callbacks { response, end, .. } = F::CALLBACKS;
    let wants = |phase| !filter.demand(phase).idle;
    if response == Need::Never && wants(Phase::Response) {
        Some(match protocol {
            Protocol::Http => "response headers",
            Protocol::Tcp => "data",
        })
    } else if end == Need::Never && wants_ends(filter) {
        Some("the end of a stream")
    } else {
        None
    }
}

impl<F: Filter> Root<F> {
    /// Called only in a module with [`weir_model::Callbacks::finish`]. The host waits for what is still in flight.
    pub(crate) fn done(&self) -> bool {
        match self.core.as_ref().map(|core| core.try_borrow_mut()) {
            Some(Ok(mut core)) => core.finish(),
            _ => true,
        }
    }

    /// Returns whether the configuration is taken; if it is not, the one before stays.
    #[inline(never)]
    pub(crate) fn configure(&mut self) -> bool {
        match Self::compile(self.protocol) {
            Ok((filter, expressions)) => {
                for warning in filter.warnings() {
                    log::warn!("weir: {warning}");
                }
                let responses = self.protocol == Protocol::Http && !filter.demand(Phase::Response).idle;
                if responses && !abi::module_sees_responses() {
                    log::warn!("weir: {NO_RESPONSE_CALLBACK}");
                }
                self.retire();
                let of = (self.protocol, self.context);
                self.core = Some(Rc::new_cyclic(|me| RefCell::new(Core::new(filter, expressions, of, me.clone()))));
                self.go_on();
                true
            }
            Err(problems) => {
                for problem in &problems.0 {
                    log::error!("weir: configuration refused: {problem}");
                }
                false
            }
        }
    }

    /// Makes the core go on with the work that an earlier one has left.
    pub(crate) fn go_on(&self) {
        if let Some(Ok(mut core)) = self.core.as_ref().map(|core| core.try_borrow_mut()) {
            core.arm();
        }
    }

    pub(crate) fn tick(&self) {
        if let Some(Ok(mut core)) = self.core.as_ref().map(|core| core.try_borrow_mut()) {
            core.tick();
        }
    }
}
