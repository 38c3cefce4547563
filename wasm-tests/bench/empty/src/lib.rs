//! A filter on the proxy-wasm SDK that does nothing: the baseline for what a filter costs.
#![expect(missing_docs, reason = "the entry point is the macro's")]

use weir_shell::sdk::proxy_wasm;
use weir_shell::sdk::proxy_wasm::traits::{Context, HttpContext, RootContext};
use weir_shell::sdk::proxy_wasm::types::{ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Empty));
}}

struct Empty;

impl Context for Empty {}

impl RootContext for Empty {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Empty))
    }
}

impl HttpContext for Empty {}
