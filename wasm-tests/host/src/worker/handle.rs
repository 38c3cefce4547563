//! A plugin as it runs on one worker.

use crate::vm::plugin::PluginSpec;
use crate::worker::instance::Vm;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// A VM that plugins share.
pub(crate) type SharedVm = Rc<RefCell<Vm>>;

/// A plugin on this worker. Streams keep the one they began with.
pub(crate) struct Handle {
    pub(crate) plugin: Arc<PluginSpec>,
    /// `None` where the plugin could not be started.
    pub(crate) vm: Option<SharedVm>,
    pub(crate) root: u32,
    /// When it was last started, or was to be, for the back-off of `FAIL_RELOAD`.
    pub(crate) tried: Cell<u64>,
}

impl Handle {
    /// Whether it has no running VM.
    pub(crate) fn is_dead(&self) -> bool {
        self.vm.as_ref().is_none_or(|vm| vm.borrow().dead)
    }
}
