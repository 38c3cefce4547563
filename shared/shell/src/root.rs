//! The life of a plugin configuration: compiled once per VM, refused with all its problems, ticking while it has traffic.

use crate::abi::{self, Buffer};
use crate::cel::Compiled;
use crate::core::Core;
use crate::protocol::Protocol;
use std::cell::RefCell;
use std::rc::Rc;
use weir_model::{Callbacks, Filter, Need, Phase, Problems, TCP_ROOT_ID};

/// The warning for a configuration that has to do with response headers in a module without the callback for them.
const NO_RESPONSE_CALLBACK: &str = "this configuration reads or adds response headers, and this module is not called for them, so it does \
                     neither: load `telemetry-response.wasm`, `rate-limit.wasm` or `suite.wasm` instead";

/// The warning for a configuration that holds something back in a module without the callback for its end.
const NO_ORDERLY_END: &str = "this module is not called when a configuration ends, so what is held back then is lost, and counted as dropped: \
                              load `policy-audit.wasm` or `suite-audit.wasm` instead";

/// The root context. A new configuration usually makes a new one; streams in flight keep the core of theirs.
pub(crate) struct Root<F: Filter> {
    protocol: Protocol,
    core: Option<Rc<RefCell<Core<F>>>>,
}

impl<F: Filter> Drop for Root<F> {
    fn drop(&mut self) {
        self.retire();
    }
}

impl<F: Filter> Root<F> {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { protocol, core: None }
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

    #[inline(never)]
    fn compile(protocol: Protocol) -> Result<(F, Compiled), Problems> {
        let root_id = abi::property(b"plugin_root_id").unwrap_or_default();
        let is_ours = match protocol {
            Protocol::Http => matches!(&*root_id, b"" | b"weir"),
            Protocol::Tcp => *root_id == *TCP_ROOT_ID.as_bytes(),
        };
        if !is_ours {
            let found = String::from_utf8_lossy(&root_id).into_owned();
            let message = format!("root id `{found}` is unknown: use `weir`, or none, for the HTTP filter");
            return Err(Problems::one("root_id", message));
        }
        let document = abi::buffer(Buffer::PluginConfiguration, usize::MAX).map_err(|status| {
            Problems::one("$", format!("the host returned no configuration (status {})", status.0))
        })?;
        let node = abi::property(b"xds\0node").ok().and_then(|bytes| weir_proto::decode_node(&bytes));
        let filter = F::compile(&crate::document::json(document), &node.unwrap_or_default())?;
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

/// The callback that a filter wants to be called for and that the module does not export.
fn unserved<F: Filter>(filter: &F, protocol: Protocol) -> Option<&'static str> {
    let Callbacks { response, end, .. } = F::CALLBACKS;
    let wants = |phase| !filter.demand(phase).idle;
    if response == Need::Never && wants(Phase::Response) {
        Some(match protocol {
            Protocol::Http => "response headers",
            Protocol::Tcp => "data",
        })
    } else if end == Need::Never && (wants(Phase::End) || wants(Phase::EndUnseen)) {
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
                if filter.holds_back() && !abi::module_sees_end_of_configuration() {
                    log::warn!("weir: {NO_ORDERLY_END}");
                }
                self.retire();
                self.core =
                    Some(Rc::new_cyclic(|me| RefCell::new(Core::new(filter, expressions, self.protocol, me.clone()))));
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
