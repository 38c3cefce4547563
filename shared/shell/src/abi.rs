//! The hostcalls, with every status a value.
//!
//! What the host hands back lies in a block that it asked this module's allocator for; it is taken over as a `Box<[u8]>`
//! without copying. Lengths and pointers come from the host, which is trusted: a host that lies about them owns the
//! module's memory anyway.

/// A status other than `Ok`, as the host returned it. Numbers are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u32);

impl Status {
    pub(crate) const NOT_FOUND: Self = Self(1);
    pub(crate) const BAD_ARGUMENT: Self = Self(2);
    pub(crate) const CAS_MISMATCH: Self = Self(8);
    pub(crate) const INTERNAL_FAILURE: Self = Self(10);
}

/// Header maps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    RequestHeaders = 0,
    ResponseHeaders = 2,
    ResponseTrailers = 3,
    CalloutHeaders = 6,
}

/// Buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffer {
    DownstreamData = 2,
    UpstreamData = 3,
    CalloutBody = 4,
    GrpcMessage = 5,
    PluginConfiguration = 7,
}

macro_rules! imports {
    ($module:literal: $($(#[$native:meta])* fn $name:ident($($arg:ident: $ty:ty),*);)*) => {
        #[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            $(fn $name($($arg: $ty),*) -> u32;)*
        }
        // Elsewhere there is no host: every call says `Unimplemented`.
        $(
            #[cfg(not(target_arch = "wasm32"))]
            $(#[$native])*
            unsafe fn $name($($arg: $ty),*) -> u32 {
                $(let _ = $arg;)*
                12
            }
        )*
    };
}

imports! { "env":
    fn proxy_log(level: u32, text: *const u8, size: usize);
    fn proxy_get_current_time_nanoseconds(time: *mut u64);
    fn proxy_set_tick_period_milliseconds(period: u32);
    fn proxy_get_buffer_bytes(kind: u32, start: usize, size: usize, out: *mut *mut u8, len: *mut usize);
    fn proxy_get_header_map_pairs(kind: u32, out: *mut *mut u8, len: *mut usize);
    fn proxy_get_header_map_value(kind: u32, key: *const u8, key_len: usize, out: *mut *mut u8, len: *mut usize);
    fn proxy_add_header_map_value(kind: u32, key: *const u8, key_len: usize, value: *const u8, value_len: usize);
    fn proxy_replace_header_map_value(kind: u32, key: *const u8, key_len: usize, value: *const u8, value_len: usize);
    fn proxy_remove_header_map_value(kind: u32, key: *const u8, key_len: usize);
    fn proxy_get_property(path: *const u8, path_len: usize, out: *mut *mut u8, len: *mut usize);
    fn proxy_set_property(path: *const u8, path_len: usize, value: *const u8, value_len: usize);
    fn proxy_get_shared_data(key: *const u8, key_len: usize, out: *mut *mut u8, len: *mut usize, cas: *mut u32);
    fn proxy_set_shared_data(key: *const u8, key_len: usize, value: *const u8, value_len: usize, cas: u32);
    fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32);
    fn proxy_increment_metric(id: u32, by: i64);
    fn proxy_record_metric(id: u32, value: u64);
    fn proxy_continue_stream(kind: u32);
    fn proxy_close_stream(kind: u32);
    fn proxy_call_foreign_function(name: *const u8, name_len: usize, args: *const u8, args_len: usize, out: *mut *mut u8, len: *mut usize);
    fn proxy_set_effective_context(context: u32);
    fn proxy_done();
    #[expect(clippy::too_many_arguments, reason = "the ABI's own list")]
    fn proxy_http_call(cluster: *const u8, cluster_len: usize, headers: *const u8, headers_len: usize, body: *const u8, body_len: usize, trailers: *const u8, trailers_len: usize, timeout: u32, token: *mut u32);
    #[expect(clippy::too_many_arguments, reason = "the ABI's own list")]
    fn proxy_grpc_call(target: *const u8, target_len: usize, service: *const u8, service_len: usize, method: *const u8, method_len: usize, metadata: *const u8, metadata_len: usize, message: *const u8, message_len: usize, timeout: u32, token: *mut u32);
    fn proxy_grpc_cancel(token: u32);
    fn proxy_send_local_response(status: u32, details: *const u8, details_len: usize, body: *const u8, body_len: usize, headers: *const u8, headers_len: usize, grpc_status: i32);
}

imports! { "wasi_snapshot_preview1":
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64);
}

imports! { "weir":
    fn sees_responses();
    fn sees_ends();
}

fn check(status: u32) -> Result<(), Status> {
    if status == 0 { Ok(()) } else { Err(Status(status)) }
}

/// Takes over what a hostcall handed back.
fn take(status: u32, data: *mut u8, len: usize) -> Result<Box<[u8]>, Status> {
    check(status)?;
    if data.is_null() || len == 0 {
        return Ok(Box::default());
    }
    // SAFETY: on `Ok` the host has put `len` bytes into a block that `proxy_on_memory_allocate` of this module returned
    // for exactly that length; the block is a leaked boxed slice, and it has no other owner.
    Ok(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, len)) })
}

macro_rules! call {
    ($name:ident($($arg:expr),*)) => {
        // SAFETY: pointers and lengths come from borrowed slices or locals that outlive the call.
        unsafe { $name($($arg),*) }
    };
}

macro_rules! fetch {
    ($name:ident($($arg:expr),*)) => {{
        let (mut data, mut len) = (std::ptr::null_mut(), 0usize);
        let status = call!($name($($arg,)* &raw mut data, &raw mut len));
        take(status, data, len)
    }};
}

/// Logs a line: 1 debug, 2 info, 3 warn, 4 error.
pub(crate) fn log(level: u32, text: &str) {
    // A failure to log cannot be logged.
    let _ = call!(proxy_log(level, text.as_ptr(), text.len()));
}

/// Wall clock in nanoseconds since the epoch; 0 where the host has none.
pub(crate) fn wall_nanos() -> u64 {
    let mut time = 0;
    let status = call!(proxy_get_current_time_nanoseconds(&raw mut time));
    if status == 0 { time } else { 0 }
}

/// Monotonic clock in nanoseconds; 0 where the host has none.
pub(crate) fn mono_nanos() -> u64 {
    let mut time = 0;
    let status = call!(clock_time_get(1, 1, &raw mut time));
    if status == 0 { time } else { 0 }
}

pub(crate) fn set_tick_period(millis: u32) -> Result<(), Status> {
    check(call!(proxy_set_tick_period_milliseconds(millis)))
}

pub(crate) fn buffer(buffer: Buffer, size: usize) -> Result<Box<[u8]>, Status> {
    fetch!(proxy_get_buffer_bytes(buffer as u32, 0, size))
}

/// A whole header map in the pairs encoding.
pub(crate) fn header_map(map: Map) -> Result<Box<[u8]>, Status> {
    fetch!(proxy_get_header_map_pairs(map as u32))
}

/// The first value of a header; `NotFound` where there is none.
pub(crate) fn header(map: Map, key: &[u8]) -> Result<Box<[u8]>, Status> {
    fetch!(proxy_get_header_map_value(map as u32, key.as_ptr(), key.len()))
}

pub(crate) fn add_header(map: Map, key: &[u8], value: &[u8]) -> Result<(), Status> {
    check(call!(proxy_add_header_map_value(map as u32, key.as_ptr(), key.len(), value.as_ptr(), value.len())))
}

pub(crate) fn replace_header(map: Map, key: &[u8], value: &[u8]) -> Result<(), Status> {
    check(call!(proxy_replace_header_map_value(map as u32, key.as_ptr(), key.len(), value.as_ptr(), value.len())))
}

pub(crate) fn remove_header(map: Map, key: &[u8]) -> Result<(), Status> {
    check(call!(proxy_remove_header_map_value(map as u32, key.as_ptr(), key.len())))
}

/// A property; `path` is its elements joined by NUL.
pub(crate) fn property(path: &[u8]) -> Result<Box<[u8]>, Status> {
    fetch!(proxy_get_property(path.as_ptr(), path.len()))
}

/// Sets filter state `wasm.NAME`.
pub(crate) fn set_filter_state(name: &str, value: &[u8]) -> Result<(), Status> {
    check(call!(proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len())))
}

/// A shared value and its version.
pub(crate) fn shared_data(key: &str) -> Result<(Box<[u8]>, u32), Status> {
    let (mut data, mut len, mut cas) = (std::ptr::null_mut(), 0usize, 0u32);
    let status = call!(proxy_get_shared_data(key.as_ptr(), key.len(), &raw mut data, &raw mut len, &raw mut cas));
    Ok((take(status, data, len)?, cas))
}

pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
    check(call!(proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)))
}

/// Defines a metric: 0 counter, 1 gauge, 2 histogram.
pub(crate) fn define_metric(kind: u32, name: &str) -> Result<u32, Status> {
    let mut id = 0;
    check(call!(proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id)))?;
    Ok(id)
}

pub(crate) fn increment_metric(id: u32, by: i64) -> Result<(), Status> {
    check(call!(proxy_increment_metric(id, by)))
}

pub(crate) fn record_metric(id: u32, value: u64) -> Result<(), Status> {
    check(call!(proxy_record_metric(id, value)))
}

/// Lets a held request go on.
pub(crate) fn continue_request() -> Result<(), Status> {
    check(call!(proxy_continue_stream(0)))
}

/// Lets a held connection of a network filter go on.
pub(crate) fn continue_downstream() -> Result<(), Status> {
    check(call!(proxy_continue_stream(2)))
}

/// Makes the hostcalls that follow in this callback those of a stream, or of the root again.
pub(crate) fn set_effective_context(context: u32) -> Result<(), Status> {
    check(call!(proxy_set_effective_context(context)))
}

/// Lets the host delete a root context whose `on_done` said that there was more to do.
pub(crate) fn done() -> Result<(), Status> {
    check(call!(proxy_done()))
}

/// Sends an HTTP request and returns its token. `headers` are in the pairs encoding.
pub(crate) fn http_call(cluster: &str, headers: &[u8], body: &[u8], timeout_millis: u32) -> Result<u32, Status> {
    let mut token = 0;
    check(call!(proxy_http_call(
        cluster.as_ptr(),
        cluster.len(),
        headers.as_ptr(),
        headers.len(),
        body.as_ptr(),
        body.len(),
        std::ptr::null(),
        0,
        timeout_millis,
        &raw mut token
    )))?;
    Ok(token)
}

/// Sends a unary gRPC call and returns its token. `target` is a serialised `GrpcService`, `metadata` in the pairs encoding.
pub(crate) fn grpc_call(
    target: &[u8],
    service: &str,
    method: &str,
    metadata: &[u8],
    message: &[u8],
    timeout_millis: u32,
) -> Result<u32, Status> {
    let mut token = 0;
    check(call!(proxy_grpc_call(
        target.as_ptr(),
        target.len(),
        service.as_ptr(),
        service.len(),
        method.as_ptr(),
        method.len(),
        metadata.as_ptr(),
        metadata.len(),
        message.as_ptr(),
        message.len(),
        timeout_millis,
        &raw mut token
    )))?;
    Ok(token)
}

/// Ends a gRPC call, without an answer.
pub(crate) fn grpc_cancel(token: u32) -> Result<(), Status> {
    check(call!(proxy_grpc_cancel(token)))
}

/// Closes the connection of a network filter to the client.
pub(crate) fn close_downstream() -> Result<(), Status> {
    check(call!(proxy_close_stream(2)))
}

pub(crate) fn foreign_function(name: &str, arguments: &[u8]) -> Result<Box<[u8]>, Status> {
    fetch!(proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len()))
}

/// Answers the request here. `headers` are in the pairs encoding; a `grpc_status` of -1 means no status.
pub(crate) fn local_reply(
    status: u32,
    details: &str,
    body: &[u8],
    headers: &[u8],
    grpc_status: i32,
) -> Result<(), Status> {
    check(call!(proxy_send_local_response(
        status,
        details.as_ptr(),
        details.len(),
        body.as_ptr(),
        body.len(),
        headers.as_ptr(),
        headers.len(),
        grpc_status
    )))
}

/// Whether this module has a callback for response headers. One build is linked with it and without: the link step puts
/// the answer in place of this import.
pub(crate) fn module_sees_responses() -> bool {
    // SAFETY: it takes nothing and gives a number.
    unsafe { sees_responses() != 0 }
}

/// Whether this module has a callback for the end of a stream, likewise.
pub(crate) fn module_sees_ends() -> bool {
    // SAFETY: it takes nothing and gives a number.
    unsafe { sees_ends() != 0 }
}
