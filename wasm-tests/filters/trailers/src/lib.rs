//! Reads, changes, makes and refuses trailers in both directions: a filter on the plain SDK, for what ours only let pass.
//!
//! Trailers that come get `x-count` with their number, `x-name` in capitals where they have it, and lose `x-drop`. A request
//! with the header `x-make` gets trailers of the filter's own in both directions where there are none; a request trailer
//! `x-refuse` is answered with 422, and a response trailer `x-swap` makes all of them new.
#![expect(missing_docs, reason = "the entry point is the macro's")]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Trailers::default()))
    }
}

#[derive(Default)]
struct Trailers {
    /// What trailers that the filter makes say.
    make: Option<String>,
    /// Whether trailers came by themselves.
    came: bool,
}

/// Names and values in one line.
fn shown(trailers: &[(String, String)]) -> String {
    let pairs: Vec<String> = trailers.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

impl Context for Trailers {}

impl HttpContext for Trailers {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.make = self.get_http_request_header("x-make");
        Action::Continue
    }

    fn on_http_request_body(&mut self, _: usize, end: bool) -> Action {
        if let Some(text) = self.make.as_deref().filter(|_| end) {
            self.add_http_request_trailer("x-made", text);
            log::info!("sdk-trailers made for the request: {}", shown(&self.get_http_request_trailers()));
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        if let Some(why) = self.get_http_request_trailer("x-refuse") {
            self.send_http_response(422, vec![("x-why", &why)], Some(b"refused by its trailers"));
            return Action::Pause;
        }
        log::info!("sdk-trailers of the request: {}", shown(&self.get_http_request_trailers()));
        if let Some(name) = self.get_http_request_trailer_bytes("x-name") {
            self.set_http_request_trailer_bytes("x-name", Some(&name.to_ascii_uppercase()));
        }
        self.add_http_request_trailer("x-count", &count.to_string());
        self.remove_http_request_trailer("x-drop");
        Action::Continue
    }

    fn on_http_response_body(&mut self, _: usize, end: bool) -> Action {
        if let Some(text) = self.make.as_deref().filter(|_| end && !self.came) {
            self.add_http_response_trailer("x-made", text);
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.came = true;
        if let Some(new) = self.get_http_response_trailer("x-swap") {
            self.set_http_response_trailers(vec![("x-swapped", &new), ("x-again", "1"), ("x-again", "2")]);
            return Action::Continue;
        }
        log::info!("sdk-trailers of the response: {}", shown(&self.get_http_response_trailers()));
        if let Some(name) = self.get_http_response_trailer_bytes("x-name") {
            self.set_http_response_trailer_bytes("x-name", Some(&name.to_ascii_uppercase()));
        }
        self.add_http_response_trailer("x-count", &count.to_string());
        self.set_http_response_trailer("x-drop", None);
        Action::Continue
    }
}
