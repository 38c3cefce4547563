//! Policy, rate limit and telemetry composed in one module.
