//! Hostcalls with slices and owned results: every status is kept, nothing is interpreted.

use crate::abi;

/// A status and the value that the hostcall wrote, also if the status is an error.
pub(crate) type Answer<T> = (u32, T);

/// Turns a block that the host asked [`crate::exports::proxy_on_memory_allocate`] for into a vector.
fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: a non-null block comes from `proxy_on_memory_allocate`, which made it as a vector of exactly this capacity,
    // and the host hands each block over once.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Answer<Vec<u8>> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    let status = call(&raw mut data, &raw mut size);
    (status, take(data, size))
}

fn number<T: Default>(call: impl FnOnce(*mut T) -> u32) -> Answer<T> {
    let mut value = T::default();
    let status = call(&raw mut value);
    (status, value)
}

pub(crate) fn get_log_level() -> Answer<u32> {
    number(|v| abi::proxy_get_log_level(v))
}

pub(crate) fn now() -> Answer<u64> {
    number(|v| abi::proxy_get_current_time_nanoseconds(v))
}

pub(crate) fn status() -> Answer<(u32, Vec<u8>)> {
    let mut code = u32::MAX;
    let (status, text) = bytes(|v, n| abi::proxy_get_status(&raw mut code, v, n));
    (status, (code, text))
}

pub(crate) fn get_property(path: &[u8]) -> Answer<Vec<u8>> {
    bytes(|v, n| abi::proxy_get_property(path.as_ptr(), path.len(), v, n))
}

pub(crate) fn set_property(path: &[u8], value: &[u8]) -> u32 {
    abi::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len())
}

pub(crate) fn get_buffer(kind: u32, start: usize, length: usize) -> Answer<Vec<u8>> {
    bytes(|v, n| abi::proxy_get_buffer_bytes(kind, start, length, v, n))
}

pub(crate) fn buffer_status(kind: u32) -> Answer<(usize, u32)> {
    let (mut length, mut flags) = (usize::MAX, u32::MAX);
    let status = abi::proxy_get_buffer_status(kind, &raw mut length, &raw mut flags);
    (status, (length, flags))
}

pub(crate) fn set_buffer(kind: u32, start: usize, length: usize, value: &[u8]) -> u32 {
    abi::proxy_set_buffer_bytes(kind, start, length, value.as_ptr(), value.len())
}

pub(crate) fn get_pairs(map: u32) -> Answer<Vec<u8>> {
    bytes(|v, n| abi::proxy_get_header_map_pairs(map, v, n))
}

pub(crate) fn set_pairs(map: u32, pairs: &[u8]) -> u32 {
    abi::proxy_set_header_map_pairs(map, pairs.as_ptr(), pairs.len())
}

pub(crate) fn map_size(map: u32) -> Answer<usize> {
    number(|v| abi::proxy_get_header_map_size(map, v))
}

pub(crate) fn get_header(map: u32, name: &[u8]) -> Answer<Vec<u8>> {
    bytes(|v, n| abi::proxy_get_header_map_value(map, name.as_ptr(), name.len(), v, n))
}

pub(crate) fn add_header(map: u32, name: &[u8], value: &[u8]) -> u32 {
    abi::proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
}

pub(crate) fn replace_header(map: u32, name: &[u8], value: &[u8]) -> u32 {
    abi::proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
}

pub(crate) fn remove_header(map: u32, name: &[u8]) -> u32 {
    abi::proxy_remove_header_map_value(map, name.as_ptr(), name.len())
}

pub(crate) fn get_shared(key: &[u8]) -> Answer<(Vec<u8>, u32)> {
    let mut cas = 0;
    let (status, value) = bytes(|v, n| abi::proxy_get_shared_data(key.as_ptr(), key.len(), v, n, &raw mut cas));
    (status, (value, cas))
}

pub(crate) fn set_shared(key: &[u8], value: &[u8], cas: u32) -> u32 {
    abi::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
}

pub(crate) fn register_queue(name: &[u8]) -> Answer<u32> {
    number(|v| abi::proxy_register_shared_queue(name.as_ptr(), name.len(), v))
}

pub(crate) fn resolve_queue(vm: &[u8], name: &[u8]) -> Answer<u32> {
    number(|v| abi::proxy_resolve_shared_queue(vm.as_ptr(), vm.len(), name.as_ptr(), name.len(), v))
}

pub(crate) fn enqueue(id: u32, value: &[u8]) -> u32 {
    abi::proxy_enqueue_shared_queue(id, value.as_ptr(), value.len())
}

pub(crate) fn dequeue(id: u32) -> Answer<Vec<u8>> {
    bytes(|v, n| abi::proxy_dequeue_shared_queue(id, v, n))
}

pub(crate) fn define_metric(kind: u32, name: &[u8]) -> Answer<u32> {
    number(|v| abi::proxy_define_metric(kind, name.as_ptr(), name.len(), v))
}

pub(crate) fn get_metric(id: u32) -> Answer<u64> {
    number(|v| abi::proxy_get_metric(id, v))
}

pub(crate) fn local_response(code: u32, details: &[u8], body: &[u8], headers: &[u8], grpc: i32) -> u32 {
    let (d, b, h) = (details, body, headers);
    abi::proxy_send_local_response(code, d.as_ptr(), d.len(), b.as_ptr(), b.len(), h.as_ptr(), h.len(), grpc)
}

/// Tokens start as a value that no host gives out, so that a host that does not write shows.
pub(crate) const UNWRITTEN: u32 = 0xdead_beef;

pub(crate) fn http_call(cluster: &[u8], headers: &[u8], body: &[u8], timeout: u32) -> Answer<u32> {
    let (c, h, b) = (cluster, headers, body);
    let none = std::ptr::null();
    let mut token = UNWRITTEN;
    let to = &raw mut token;
    let (cp, hp, bp) = (c.as_ptr(), h.as_ptr(), b.as_ptr());
    let status = abi::proxy_http_call(cp, c.len(), hp, h.len(), bp, b.len(), none, 0, timeout, to);
    (status, token)
}

pub(crate) fn grpc_call(cluster: &[u8], method: &[u8], metadata: &[u8], message: &[u8], timeout: u32) -> Answer<u32> {
    let (c, m, d, g) = (cluster, method, metadata, message);
    let service = b"weir.Probe";
    let mut token = UNWRITTEN;
    let status = abi::proxy_grpc_call(
        c.as_ptr(),
        c.len(),
        service.as_ptr(),
        service.len(),
        m.as_ptr(),
        m.len(),
        d.as_ptr(),
        d.len(),
        g.as_ptr(),
        g.len(),
        timeout,
        &raw mut token,
    );
    (status, token)
}

pub(crate) fn grpc_stream(cluster: &[u8], method: &[u8], metadata: &[u8]) -> Answer<u32> {
    let (c, m, d) = (cluster, method, metadata);
    let service = b"weir.Probe";
    let mut token = UNWRITTEN;
    let status = abi::proxy_grpc_stream(
        c.as_ptr(),
        c.len(),
        service.as_ptr(),
        service.len(),
        m.as_ptr(),
        m.len(),
        d.as_ptr(),
        d.len(),
        &raw mut token,
    );
    (status, token)
}

pub(crate) fn grpc_send(token: u32, message: &[u8], end: bool) -> u32 {
    abi::proxy_grpc_send(token, message.as_ptr(), message.len(), u32::from(end))
}

pub(crate) fn foreign(name: &[u8], arguments: &[u8]) -> Answer<Vec<u8>> {
    bytes(|v, n| abi::proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len(), v, n))
}

/// The wire form of header pairs: count, sizes, then names and values each ended by a NUL.
pub(crate) fn pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(list: &[(N, V)]) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = word(list.len()).to_vec();
    for (name, value) in list {
        out.extend(word(name.as_ref().len()));
        out.extend(word(value.as_ref().len()));
    }
    for (name, value) in list {
        out.extend_from_slice(name.as_ref());
        out.push(0);
        out.extend_from_slice(value.as_ref());
        out.push(0);
    }
    out
}
