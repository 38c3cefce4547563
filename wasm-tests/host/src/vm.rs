//! What one VM holds on the host's side: its plugin and module, its contexts, and what it has asked for.

pub(crate) mod context;
pub(crate) mod module;
pub(crate) mod plugin;
pub(crate) mod state;
