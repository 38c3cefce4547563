//! What crosses between a module and its host, byte by byte. Nothing here knows of streams or VMs.

pub(crate) mod pairs;
pub(crate) mod proto;
pub(crate) mod status;
pub(crate) mod value;
