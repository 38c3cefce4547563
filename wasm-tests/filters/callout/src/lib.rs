//! Asks other services, for a stream that waits and for none: a filter on the plain SDK with callouts of every kind.
//!
//! The configuration is `PERIOD CLUSTER`: every so many milliseconds the root context asks that cluster, three times in all.
//! A request says in its headers what is asked for it:
//!
//! | header | asks |
//! | --- | --- |
//! | `x-call: CLUSTER MILLISECONDS` | over HTTP before the request goes on; the answer is in `x-answer` of the request |
//! | `x-call-back: CLUSTER MILLISECONDS` | over HTTP before the response goes on; in `x-answer` of the response |
//! | `x-call-deny: CLUSTER MILLISECONDS` | over HTTP, and answers the client with what came |
//! | `x-grpc: CLUSTER` | over gRPC, one message |
//! | `x-grpc-stream: CLUSTER` | over a gRPC stream |
#![expect(missing_docs, reason = "the entry point is the macro's")]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, Bytes, ContextType, LogLevel, Status};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// How long a gRPC callout may take.
const GRPC_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the root context asks.
const TICKS: u32 = 3;

#[derive(Default)]
struct Root {
    cluster: String,
    ticks: u32,
}

impl Context for Root {
    fn on_http_call_response(&mut self, _: u32, headers: usize, body: usize, trailers: usize) {
        log::info!("sdk-callout tick answered: {}", answer(self, headers, body, trailers));
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        let text = String::from_utf8_lossy(&configuration);
        let Some((period, cluster)) = text.split_once(' ') else { return text.is_empty() };
        let Ok(period) = period.parse() else { return false };
        cluster.clone_into(&mut self.cluster);
        self.set_tick_period(Duration::from_millis(period));
        true
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        if self.ticks == TICKS {
            self.set_tick_period(Duration::ZERO);
        }
        let path = format!("/tick/{}", self.ticks);
        if let Err(status) = ask(self, &self.cluster, &path, Duration::from_secs(5)) {
            log::info!("sdk-callout tick could not ask: {status:?}");
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Asking::default()))
    }
}

/// Asks a cluster over HTTP.
fn ask(context: &dyn Context, cluster: &str, path: &str, timeout: Duration) -> Result<u32, Status> {
    let headers =
        vec![(":method", "POST"), (":path", path), (":authority", "asked.example"), ("x-from", "sdk-callout")];
    context.dispatch_http_call(cluster, headers, Some(b"question"), vec![("x-end", "asked")], timeout)
}

/// The outcome of an HTTP callout, in one line.
fn answer(context: &dyn Context, headers: usize, body: usize, trailers: usize) -> String {
    if headers == 0 {
        return "nothing".to_owned();
    }
    let status = context.get_http_call_response_header(":status").unwrap_or_default();
    let text = context.get_http_call_response_body(0, body.min(40)).unwrap_or_default();
    let end = context.get_http_call_response_trailers();
    let end: Vec<&str> = end.iter().map(|(name, _)| name.as_str()).collect();
    format!("{status} with {}, {trailers} trailers [{}]", String::from_utf8_lossy(&text), end.join(" "))
}

/// What waits for an answer.
#[derive(Clone, Copy, Default)]
enum Waiting {
    #[default]
    Nothing,
    Request,
    Response,
    Reply,
}

#[derive(Default)]
struct Asking {
    waiting: Waiting,
    back: Option<String>,
}

impl Asking {
    /// Asks as a header says; whether the stream has to wait.
    fn begin(&mut self, written: &str, waiting: Waiting) -> Result<(), Status> {
        let (cluster, millis) = written.split_once(' ').unwrap_or((written, "5000"));
        ask(self, cluster, "/stream", Duration::from_millis(millis.parse().unwrap_or(0)))?;
        self.waiting = waiting;
        Ok(())
    }

    /// A gRPC callout has ended.
    fn grpc_ended(&mut self, how: &str) {
        let (code, message) = self.get_grpc_status();
        log::info!("sdk-callout grpc status at the end: {code} {}", message.unwrap_or_default());
        self.waiting = Waiting::Nothing;
        self.set_http_request_header("x-answer", Some(how));
        self.resume_http_request();
    }
}

impl Context for Asking {
    fn on_http_call_response(&mut self, _: u32, headers: usize, body: usize, trailers: usize) {
        let answer = answer(self, headers, body, trailers);
        match std::mem::take(&mut self.waiting) {
            Waiting::Nothing => log::info!("sdk-callout unexpected answer: {answer}"),
            Waiting::Request => {
                self.set_http_request_header("x-answer", Some(&answer));
                self.resume_http_request();
            }
            Waiting::Response => {
                self.set_http_response_header("x-answer", Some(&answer));
                self.resume_http_response();
            }
            Waiting::Reply => self.send_http_response(403, vec![("x-by", "callout")], Some(answer.as_bytes())),
        }
    }

    fn on_grpc_call_response(&mut self, _: u32, status: u32, size: usize) {
        let message: Option<Bytes> = self.get_grpc_call_response_body(0, size);
        self.grpc_ended(&format!("grpc {status} with {:?}", message.unwrap_or_default()));
    }

    fn on_grpc_stream_initial_metadata(&mut self, _: u32, _: u32) {
        let kind = self.get_grpc_stream_initial_metadata_value("content-type").unwrap_or_default();
        log::info!("sdk-callout stream begins: {}", String::from_utf8_lossy(&kind));
    }

    fn on_grpc_stream_message(&mut self, _: u32, size: usize) {
        let message = self.get_grpc_stream_message(0, size).unwrap_or_default();
        log::info!("sdk-callout stream message: {message:?}");
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _: u32, _: u32) {
        let status = self.get_grpc_stream_trailing_metadata_value("grpc-status").unwrap_or_default();
        log::info!("sdk-callout stream trailers: {}", String::from_utf8_lossy(&status));
    }

    fn on_grpc_stream_close(&mut self, _: u32, status: u32) {
        self.grpc_ended(&format!("stream closed with {status}"));
    }
}

impl HttpContext for Asking {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.back = self.get_http_request_header("x-call-back");
        let held = [("x-call", Waiting::Request), ("x-call-deny", Waiting::Reply)];
        let header = |name| self.get_http_request_header(name);
        let asked = held.into_iter().find_map(|(name, waiting)| Some((header(name)?, waiting)));
        let done = if let Some((written, waiting)) = asked {
            self.begin(&written, waiting)
        } else if let Some(cluster) = header("x-grpc") {
            let metadata = vec![("x-from", &b"sdk-callout"[..])];
            self.dispatch_grpc_call(&cluster, "shop.Cart", "Ask", metadata, Some(&[8, 1]), GRPC_TIMEOUT).map(drop)
        } else if let Some(cluster) = header("x-grpc-stream") {
            self.open_grpc_stream(&cluster, "shop.Cart", "Watch", Vec::new())
                .map(|token| self.send_grpc_stream_message(token, Some(&[8, 2]), true))
        } else {
            return Action::Continue;
        };
        match done {
            Ok(()) => Action::Pause,
            Err(status) => {
                self.set_http_request_header("x-answer", Some(&format!("not asked: {status:?}")));
                Action::Continue
            }
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let Some(written) = self.back.take() else { return Action::Continue };
        match self.begin(&written, Waiting::Response) {
            Ok(()) => Action::Pause,
            Err(status) => {
                self.set_http_response_header("x-answer", Some(&format!("not asked: {status:?}")));
                Action::Continue
            }
        }
    }
}
