//! Scenario types, loader, the Gateway trait and the runner.
