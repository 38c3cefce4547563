//! What the host calls. Each callback says what it was given, runs the part, and returns what the plan says.

use crate::{abi, host, kept, parts, plan, report, start};
use std::cell::Cell;

#[cfg(target_family = "wasm")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

thread_local! {
    static TICKED: Cell<bool> = const { Cell::new(false) };
    static QUEUED: Cell<bool> = const { Cell::new(false) };
    /// The stream that is held until a callout's answer or a tick.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker's constructors are called once, before anything else.
    #[cfg(target_family = "wasm")]
    unsafe {
        __wasm_call_ctors();
    }
    start::run();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Hands the host a block of exactly `size` bytes; [`crate::host`] takes it back.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    if kept::take_allocation() {
        start::once(&plan::word("case"));
    }
    Box::leak(vec![0; size].into_boxed_slice()).as_mut_ptr()
}

/// Runs the part in a phase and returns what the plan wants returned.
fn run(context: u32, phase: &'static str, given: &str) -> u32 {
    report::enter(context, phase);
    report::line("enter", given);
    parts::run(phase);
    if plan::word("at") == phase { plan::count("return") } else { 0 }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    if parent != 0 {
        run(context, "create", &format!("parent={parent}"));
        return;
    }
    kept::set_root(context);
    report::enter(context, "create_root");
    plan::read();
    number_vm();
    report::line("enter", "");
    parts::run("create_root");
}

/// The VMs of a process number themselves through shared data, in the order of their starts.
fn number_vm() {
    let mut vm = 0;
    for _ in 0..100 {
        let (_, (value, cas)) = host::get_shared(b"weir-probe-vm");
        vm = value.first().copied().unwrap_or(0).saturating_add(1);
        if host::set_shared(b"weir-probe-vm", &[vm], cas) == 0 {
            break;
        }
    }
    report::number_vm(u32::from(vm));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(root: u32, size: usize) -> u32 {
    run(root, "vm_start", &format!("size={size}"));
    u32::from(plan::word("refuse") != "vm_start")
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    run(root, "configure", &format!("size={size}"));
    report::plain("set_tick_period(20)", abi::proxy_set_tick_period_milliseconds(20));
    u32::from(plan::word("refuse") != "configure")
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    if plan::word("resume") == "tick" && HELD.get() != 0 {
        run(root, "resume_tick", "");
        resume();
        return;
    }
    if !TICKED.replace(true) {
        run(root, "tick", "");
    }
    if plan::word("resume") != "tick" {
        report::enter(root, "tick_end");
        report::plain("set_tick_period(0)", abi::proxy_set_tick_period_milliseconds(0));
    }
}

fn hold(context: u32) -> u32 {
    HELD.set(context);
    1
}

/// Goes on with the held stream.
fn resume() {
    let held = HELD.replace(0);
    if held == 0 {
        return;
    }
    let root = report::scene().context;
    report::enter(root, "effective");
    report::plain("set_effective_context(held)", abi::proxy_set_effective_context(held));
    parts::run("effective");
    let stream = if plan::word("at").starts_with("response") { 1 } else { 0 };
    report::plain(&format!("continue_stream({stream})"), abi::proxy_continue_stream(stream));
    report::enter(root, "resumed");
    parts::run("resumed");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, count: usize, end: u32) -> u32 {
    kept::choose(context);
    let action = run(context, "request_headers", &format!("count={count} end={end}"));
    if !plan::word("callout").is_empty() && kept::is_chosen(context) && parts::call_out() {
        return hold(context);
    }
    stream_action(context, "request_headers", action)
}

fn stream_action(context: u32, phase: &str, action: u32) -> u32 {
    if action == 1 && plan::word("resume") == "tick" && plan::word("at") == phase { hold(context) } else { action }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    let action = run(context, "request_body", &format!("size={size} end={end}"));
    if end == 1 && plan::word("resume").is_empty() { 0 } else { stream_action(context, "request_body", action) }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, count: usize) -> u32 {
    let action = run(context, "request_trailers", &format!("count={count}"));
    stream_action(context, "request_trailers", action)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, count: usize, end: u32) -> u32 {
    let action = run(context, "response_headers", &format!("count={count} end={end}"));
    stream_action(context, "response_headers", action)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> u32 {
    let action = run(context, "response_body", &format!("size={size} end={end}"));
    if end == 1 && plan::word("resume").is_empty() { 0 } else { stream_action(context, "response_body", action) }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, count: usize) -> u32 {
    let action = run(context, "response_trailers", &format!("count={count}"));
    stream_action(context, "response_trailers", action)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    run(context, "log", "");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context: u32) -> u32 {
    run(context, "done", "");
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    run(context, "delete", "");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(root: u32, token: u32, headers: usize, body: usize, trailers: usize) {
    run(root, "http_answer", &format!("token={token} headers={headers} body={body} trailers={trailers}"));
    resume();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive_initial_metadata(root: u32, token: u32, count: usize) {
    run(root, "grpc_initial", &format!("token={token} count={count}"));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive(root: u32, token: u32, size: usize) {
    run(root, "grpc_receive", &format!("token={token} size={size}"));
    resume();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive_trailing_metadata(root: u32, token: u32, count: usize) {
    run(root, "grpc_trailing", &format!("token={token} count={count}"));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_close(root: u32, token: u32, status: u32) {
    run(root, "grpc_close", &format!("token={token} status={status}"));
    resume();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(root: u32, queue: u32) {
    // How many of these a VM gets depends on which VM was the last to register.
    if !QUEUED.replace(true) {
        run(root, "queue_ready", &format!("queue={queue}"));
    }
}
