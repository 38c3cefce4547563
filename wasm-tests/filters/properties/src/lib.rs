//! Reads and writes what a stream has besides its message: a filter on the plain SDK with properties, shared data, local
//! replies and foreign functions.
//!
//! The configuration is a list of properties, `a.b.c` each: every request's are logged. Headers of a request ask for more:
//! `x-set` writes filter state that the access log shows, `x-count` counts in shared data, `x-reply`, `x-reply-grpc` and
//! `x-reset` end the stream, `x-path` sends it elsewhere, and `x-only` leaves the upstream nothing but
//! that header; where it says `alone`, not even what Envoy needs to find a route.
#![expect(missing_docs, reason = "the entry point is the macro's")]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, GrpcStatusCode, LogLevel, Status};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// Key of the count that all workers share.
const COUNT: &str = "sdk-properties/count";
/// How often a count that others change meanwhile is tried again.
const ATTEMPTS: u32 = 100;

#[derive(Default)]
struct Root {
    properties: Vec<String>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_vm_start(&mut self, size: usize) -> bool {
        let read = self.get_vm_configuration();
        let read = read.as_ref().map_or("none".into(), |bytes| String::from_utf8_lossy(bytes));
        log::info!("sdk-properties VM configuration: {size} bytes, read {read}");
        true
    }

    fn on_configure(&mut self, size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        let text = String::from_utf8_lossy(&configuration);
        self.properties = text.split_whitespace().map(str::to_owned).collect();
        let name = self.get_property(vec!["plugin_name"]).unwrap_or_default();
        let node = self.get_property(vec!["xds", "node", "id"]).unwrap_or_default();
        let (name, node) = (String::from_utf8_lossy(&name), String::from_utf8_lossy(&node));
        log::info!("sdk-properties plugin {name} of node {node}: {size} bytes, read {}", configuration.len());
        size == configuration.len()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { properties: self.properties.clone() }))
    }
}

struct Stream {
    properties: Vec<String>,
}

impl Stream {
    /// Adds one to the shared count, and shows that a stale number is refused.
    fn count(&self) -> String {
        for _ in 0..ATTEMPTS {
            let (value, cas) = self.get_shared_data(COUNT);
            let old: u64 = value.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok()).unwrap_or(0);
            let new = (old + 1).to_string();
            match self.set_shared_data(COUNT, Some(new.as_bytes()), cas) {
                Ok(()) => {
                    let stale = self.set_shared_data(COUNT, Some(b"stale"), Some(u32::MAX));
                    return format!("{new}, stale: {:?}", stale.err());
                }
                Err(Status::CasMismatch) => {}
                Err(status) => return format!("{status:?}"),
            }
        }
        "contended".to_owned()
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        for path in &self.properties {
            let value = self.get_property(path.split('.').collect());
            let value = value.map_or_else(|| "absent".to_owned(), |bytes| format!("`{}`", bytes.escape_ascii()));
            log::info!("sdk-properties {path} is {value}");
        }
        if let Some(value) = self.get_http_request_header("x-set") {
            self.set_property(vec!["weir.policy"], Some(value.as_bytes()));
            let own = self.get_property(vec!["weir.policy"]).unwrap_or_default();
            let whole = self.get_property(vec!["filter_state", "wasm.weir.policy"]).unwrap_or_default();
            log::info!("sdk-properties set and read: {}", own == value.as_bytes() && whole == value.as_bytes());
        }
        if self.get_http_request_header("x-count").is_some() {
            self.add_http_request_header("x-counted", &self.count());
        }
        if self.get_http_request_header("x-forget").is_some() {
            let forgotten = self.remove_shared_data(COUNT, None);
            log::info!("sdk-properties count forgotten: {forgotten:?}, then {:?}", self.get_shared_data(COUNT).0);
        }
        if let Some(path) = self.get_http_request_header("x-path") {
            self.set_http_request_header(":path", Some(&path));
            let cleared = self.call_foreign_function("clear_route_cache", None);
            let unknown = self.call_foreign_function("no_such_function", Some(b"x"));
            log::info!("sdk-properties route cache cleared: {cleared:?}, unknown: {unknown:?}");
        }
        if let Some(only) = self.get_http_request_header_bytes("x-only") {
            let all = self.get_http_request_headers_bytes();
            let needed = |name: &str| name.starts_with(':') || name == "x-forwarded-proto" && only != b"alone";
            let kept = all.iter().filter(|(name, _)| needed(name));
            let mut kept: Vec<(&str, &[u8])> = kept.map(|(name, value)| (name.as_str(), value.as_slice())).collect();
            kept.push(("x-only", &only));
            self.set_http_request_headers_bytes(kept);
        }
        if self.get_http_request_header("x-reset").is_some() {
            self.reset_http_request();
            return Action::Pause;
        }
        if let Some(code) = self.get_http_request_header("x-reply") {
            let headers = vec![("x-reason", "asked"), ("content-type", "text/x-reply")];
            self.send_http_response(code.parse().unwrap_or(500), headers, Some(b"as asked"));
            return Action::Pause;
        }
        if let Some(message) = self.get_http_request_header("x-reply-grpc") {
            let metadata = vec![("x-reason", &b"asked"[..])];
            self.send_grpc_response(GrpcStatusCode::Aborted, Some(&message), metadata);
            return Action::Pause;
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        // The request's headers are out of sight by now, and what is made from them.
        let path = self.get_property(vec!["request", "path"]);
        let code = self.get_property(vec!["response", "code"]).unwrap_or_default();
        let seen = format!("path {}, code in {} bytes", path.map_or("absent", |_| "present"), code.len());
        self.add_http_response_header("x-seen", &seen);
        Action::Continue
    }
}
