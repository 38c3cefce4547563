//! Logs how streams and configurations end: a filter on the plain SDK with `on_log`, `on_done`, metrics and a shared queue.
//!
//! Every stream ends with a line in the log, in metrics and in the queue, whose reader logs it again. A configuration that is
//! replaced asks for time (`on_done` is false), and is done at its next tick.
#![expect(missing_docs, reason = "the entry point is the macro's")]

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel, MetricType};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// Name of the queue.
const QUEUE: &str = "sdk-log";
/// How long after its end a configuration is done.
const LAST_TICK: Duration = Duration::from_millis(50);

/// Numbers of metrics.
#[derive(Clone, Copy, Default)]
struct Metrics {
    streams: u32,
    open: u32,
    bytes: u32,
}

impl Metrics {
    fn define() -> Option<Self> {
        let define = |kind, name| hostcalls::define_metric(kind, name).ok();
        Some(Self {
            streams: define(MetricType::Counter, "sdk_streams_total")?,
            open: define(MetricType::Gauge, "sdk_open_streams")?,
            bytes: define(MetricType::Histogram, "sdk_response_bytes")?,
        })
    }
}

#[derive(Default)]
struct Root {
    name: String,
    metrics: Metrics,
    queue: u32,
    ending: bool,
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        log::info!("sdk-log {}: asks for time", self.name);
        self.ending = true;
        self.set_tick_period(LAST_TICK);
        false
    }
}

impl RootContext for Root {
    fn on_vm_start(&mut self, _: usize) -> bool {
        self.queue = self.register_shared_queue(QUEUE);
        true
    }

    fn on_configure(&mut self, _: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        self.name = String::from_utf8_lossy(&configuration).into_owned();
        match Metrics::define() {
            Some(metrics) => self.metrics = metrics,
            None => return false,
        }
        true
    }

    fn on_tick(&mut self) {
        if self.ending {
            log::info!("sdk-log {}: done", self.name);
            self.set_tick_period(Duration::ZERO);
            self.done();
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        // One arrival may find what another has left, or nothing more.
        while let Ok(Some(line)) = self.dequeue_shared_queue(queue) {
            log::info!("sdk-log from the queue: {}", String::from_utf8_lossy(&line));
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        // A stream is not refused because a count fails.
        let _ = hostcalls::increment_metric(self.metrics.open, 1);
        Some(Box::new(Ending { name: self.name.clone(), metrics: self.metrics, logged: false }))
    }
}

struct Ending {
    name: String,
    metrics: Metrics,
    logged: bool,
}

impl Ending {
    /// A number that Envoy gives in eight bytes; `-` where it has none.
    fn number(&self, path: &[&str]) -> String {
        let bytes = self.get_property(path.to_vec());
        let number = bytes.and_then(|bytes| Some(i64::from_le_bytes(bytes.try_into().ok()?)));
        number.map_or_else(|| "-".to_owned(), |number| number.to_string())
    }

    fn text(&self, path: &[&str]) -> String {
        let bytes = self.get_property(path.to_vec());
        bytes.map_or_else(|| "-".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Context for Ending {
    fn on_done(&mut self) -> bool {
        log::info!("sdk-log {}: stream done, logged before: {}", self.name, self.logged);
        let _ = hostcalls::increment_metric(self.metrics.open, -1);
        true
    }
}

impl HttpContext for Ending {
    fn on_log(&mut self) {
        self.logged = true;
        let code = self.number(&["response", "code"]);
        let size = self.number(&["response", "size"]);
        let (path, details) = (self.text(&["request", "path"]), self.text(&["response", "code_details"]));
        let route = self.text(&["xds", "route_name"]);
        let agent = self.get_http_request_header("user-agent").unwrap_or_default();
        let kind = self.get_http_response_header("content-type").unwrap_or_default();
        let line =
            format!("{} {path} {code} {details} {size} bytes by route {route} for [{agent}] as [{kind}]", self.name);
        log::info!("sdk-log {line}");
        let _ = hostcalls::increment_metric(self.metrics.streams, 1);
        let _ = hostcalls::record_metric(self.metrics.bytes, size.parse().unwrap_or(0));
        let count = hostcalls::get_metric(self.metrics.streams).unwrap_or(0);
        if let Some(queue) = self.resolve_shared_queue("", QUEUE)
            && let Err(status) =
                self.enqueue_shared_queue(queue, Some(format!("{code} {path}, some so far: {}", count > 0).as_bytes()))
        {
            log::info!("sdk-log cannot enqueue: {status:?}");
        }
    }
}
