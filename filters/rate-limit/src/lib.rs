//! Rate limits: Envoy actions to descriptors to windows in a bounded shared table.
