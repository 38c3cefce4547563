//! Does to bodies what the request's header `x-body` asks for, in both directions: a filter on the plain SDK, for what ours
//! only let pass.
//!
//! `whole` holds a body until its end and puts it in capitals, `ends` writes a mark before its first and behind its last
//! piece as they pass, `drop` takes all of it away. Other requests pass as they are.
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
        Some(Box::new(Bodies::default()))
    }
}

#[derive(Clone, Copy, Default)]
enum Mode {
    #[default]
    Pass,
    Whole,
    Ends,
    Drop,
}

impl Mode {
    fn of(word: Option<&str>) -> Self {
        match word {
            Some("whole") => Self::Whole,
            Some("ends") => Self::Ends,
            Some("drop") => Self::Drop,
            _ => Self::Pass,
        }
    }
}

/// A change of the piece at hand: so many bytes from a place on are replaced.
struct Change {
    start: usize,
    size: usize,
    bytes: Vec<u8>,
}

/// What is done with a piece of a body, the whole of it where it was held.
fn changes(
    mode: Mode,
    first: bool,
    size: usize,
    end: bool,
    read: impl Fn(usize, usize) -> Option<Vec<u8>>,
) -> Vec<Change> {
    match mode {
        Mode::Pass => Vec::new(),
        Mode::Whole => {
            let within = read(1, 3).unwrap_or_default();
            log::info!("sdk-body holds {size} bytes, `{}` from the second on", String::from_utf8_lossy(&within));
            vec![Change { start: 0, size, bytes: read(0, size).unwrap_or_default().to_ascii_uppercase() }]
        }
        Mode::Ends => {
            let begin = first.then(|| Change { start: 0, size: 0, bytes: b"<".to_vec() });
            // Far behind the end is at the end.
            let finish = end.then(|| Change { start: size + 10, size: 0, bytes: b">".to_vec() });
            begin.into_iter().chain(finish).collect()
        }
        Mode::Drop => vec![Change { start: 0, size, bytes: Vec::new() }],
    }
}

#[derive(Default)]
struct Bodies {
    mode: Mode,
    /// A piece of the request's body has passed.
    request_begun: bool,
    /// A piece of the response's body has passed.
    response_begun: bool,
}

impl Context for Bodies {}

impl HttpContext for Bodies {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.mode = Mode::of(self.get_http_request_header("x-body").as_deref());
        if !matches!(self.mode, Mode::Pass) {
            // The length is another afterwards.
            self.set_http_request_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if matches!(self.mode, Mode::Whole) && !end {
            return Action::Pause;
        }
        let first = !std::mem::replace(&mut self.request_begun, true);
        let changes = changes(self.mode, first, size, end, |start, most| self.get_http_request_body(start, most));
        for Change { start, size, bytes } in changes {
            self.set_http_request_body(start, size, &bytes);
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        // Trailers end a body that nothing else has.
        if matches!(self.mode, Mode::Whole) {
            let held = self.get_http_request_body(0, usize::MAX).unwrap_or_default();
            self.set_http_request_body(0, usize::MAX, &held.to_ascii_uppercase());
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if !matches!(self.mode, Mode::Pass) {
            self.remove_http_response_header("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if matches!(self.mode, Mode::Whole) && !end {
            return Action::Pause;
        }
        let first = !std::mem::replace(&mut self.response_begun, true);
        let changes = changes(self.mode, first, size, end, |start, most| self.get_http_response_body(start, most));
        for Change { start, size, bytes } in changes {
            self.set_http_response_body(start, size, &bytes);
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if matches!(self.mode, Mode::Whole) {
            let held = self.get_http_response_body(0, usize::MAX).unwrap_or_default();
            self.set_http_response_body(0, usize::MAX, &held.to_ascii_uppercase());
        }
        Action::Continue
    }
}
