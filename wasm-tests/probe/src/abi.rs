//! The hostcalls of proxy-wasm ABI 0.2.1 as the host links them.
//!
//! They are declared safe because the host checks every address against the module's memory, and because the only
//! addresses that it writes through come from [`crate::host`], which owns what is there.

unsafe extern "C" {
    pub(crate) safe fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    pub(crate) safe fn proxy_get_log_level(level: *mut u32) -> u32;
    pub(crate) safe fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    pub(crate) safe fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    pub(crate) safe fn proxy_get_status(code: *mut u32, text: *mut *mut u8, size: *mut usize) -> u32;
    pub(crate) safe fn proxy_set_effective_context(context: u32) -> u32;
    pub(crate) safe fn proxy_done() -> u32;

    pub(crate) safe fn proxy_get_property(p: *const u8, n: usize, v: *mut *mut u8, vn: *mut usize) -> u32;
    pub(crate) safe fn proxy_set_property(p: *const u8, n: usize, v: *const u8, vn: usize) -> u32;

    pub(crate) safe fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        length: usize,
        v: *mut *mut u8,
        vn: *mut usize,
    ) -> u32;
    pub(crate) safe fn proxy_get_buffer_status(kind: u32, length: *mut usize, flags: *mut u32) -> u32;
    pub(crate) safe fn proxy_set_buffer_bytes(kind: u32, start: usize, length: usize, v: *const u8, vn: usize) -> u32;

    pub(crate) safe fn proxy_get_header_map_pairs(map: u32, v: *mut *mut u8, vn: *mut usize) -> u32;
    pub(crate) safe fn proxy_set_header_map_pairs(map: u32, v: *const u8, vn: usize) -> u32;
    pub(crate) safe fn proxy_get_header_map_size(map: u32, size: *mut usize) -> u32;
    pub(crate) safe fn proxy_get_header_map_value(
        map: u32,
        k: *const u8,
        kn: usize,
        v: *mut *mut u8,
        vn: *mut usize,
    ) -> u32;
    pub(crate) safe fn proxy_add_header_map_value(map: u32, k: *const u8, kn: usize, v: *const u8, vn: usize) -> u32;
    pub(crate) safe fn proxy_replace_header_map_value(
        map: u32,
        k: *const u8,
        kn: usize,
        v: *const u8,
        vn: usize,
    ) -> u32;
    pub(crate) safe fn proxy_remove_header_map_value(map: u32, k: *const u8, kn: usize) -> u32;

    pub(crate) safe fn proxy_get_shared_data(
        k: *const u8,
        kn: usize,
        v: *mut *mut u8,
        vn: *mut usize,
        cas: *mut u32,
    ) -> u32;
    pub(crate) safe fn proxy_set_shared_data(k: *const u8, kn: usize, v: *const u8, vn: usize, cas: u32) -> u32;
    pub(crate) safe fn proxy_register_shared_queue(name: *const u8, n: usize, id: *mut u32) -> u32;
    pub(crate) safe fn proxy_resolve_shared_queue(
        vm: *const u8,
        vmn: usize,
        name: *const u8,
        n: usize,
        id: *mut u32,
    ) -> u32;
    pub(crate) safe fn proxy_enqueue_shared_queue(id: u32, v: *const u8, vn: usize) -> u32;
    pub(crate) safe fn proxy_dequeue_shared_queue(id: u32, v: *mut *mut u8, vn: *mut usize) -> u32;

    pub(crate) safe fn proxy_define_metric(kind: u32, name: *const u8, n: usize, id: *mut u32) -> u32;
    pub(crate) safe fn proxy_increment_metric(id: u32, by: i64) -> u32;
    pub(crate) safe fn proxy_record_metric(id: u32, value: u64) -> u32;
    pub(crate) safe fn proxy_get_metric(id: u32, value: *mut u64) -> u32;

    pub(crate) safe fn proxy_continue_stream(stream: u32) -> u32;
    pub(crate) safe fn proxy_close_stream(stream: u32) -> u32;
    pub(crate) safe fn proxy_send_local_response(
        code: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;

    pub(crate) safe fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    pub(crate) safe fn proxy_grpc_call(
        upstream: *const u8,
        upstream_size: usize,
        service: *const u8,
        service_size: usize,
        method: *const u8,
        method_size: usize,
        metadata: *const u8,
        metadata_size: usize,
        message: *const u8,
        message_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    pub(crate) safe fn proxy_grpc_stream(
        upstream: *const u8,
        upstream_size: usize,
        service: *const u8,
        service_size: usize,
        method: *const u8,
        method_size: usize,
        metadata: *const u8,
        metadata_size: usize,
        token: *mut u32,
    ) -> u32;
    pub(crate) safe fn proxy_grpc_send(token: u32, message: *const u8, size: usize, end: u32) -> u32;
    pub(crate) safe fn proxy_grpc_cancel(token: u32) -> u32;
    pub(crate) safe fn proxy_grpc_close(token: u32) -> u32;

    pub(crate) safe fn proxy_call_foreign_function(
        name: *const u8,
        n: usize,
        args: *const u8,
        args_size: usize,
        v: *mut *mut u8,
        vn: *mut usize,
    ) -> u32;
}
