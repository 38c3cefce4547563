//! The rate-limit filter as a proxy-wasm module.

weir_host::module!(weir_rate_limit::RateLimit);
