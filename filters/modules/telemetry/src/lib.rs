//! The telemetry filter as a proxy-wasm module.

weir_host::module!(weir_telemetry::Telemetry);
