//! Addresses outside the module's memory, for every kind of argument.

use crate::abi::*;
use crate::report::plain;
use std::ptr::{null, null_mut, without_provenance, without_provenance_mut};

pub(crate) fn run() {
    let bad = without_provenance::<u8>(0xffff_ff00);
    let bad_out = without_provenance_mut::<*mut u8>(0xffff_ff00);
    let bad_size = without_provenance_mut::<usize>(0xffff_ff00);
    let bad_number = without_provenance_mut::<u32>(0xffff_ff00);
    let bad_long = without_provenance_mut::<u64>(0xffff_ff00);
    let (mut data, mut size, mut number) = (null_mut(), 0usize, 0u32);
    let (data, size, number) = (&raw mut data, &raw mut size, &raw mut number);
    let (x, n) = (b"x".as_ptr(), 1);

    plain("log(bad text)", proxy_log(2, bad, 5));
    plain("get_log_level(bad)", proxy_get_log_level(bad_number));
    plain("get_current_time(bad)", proxy_get_current_time_nanoseconds(bad_long));
    plain("get_property(bad path)", proxy_get_property(bad, 5, data, size));
    plain("get_property(bad output)", proxy_get_property(b"plugin_name".as_ptr(), 11, bad_out, size));
    plain("get_property(bad size)", proxy_get_property(b"plugin_name".as_ptr(), 11, data, bad_size));
    plain("set_property(bad path)", proxy_set_property(bad, 5, x, n));
    plain("set_property(bad value)", proxy_set_property(x, n, bad, 5));
    plain("get_header_map_value(bad name)", proxy_get_header_map_value(0, bad, 5, data, size));
    plain("get_header_map_pairs(bad output)", proxy_get_header_map_pairs(0, bad_out, size));
    plain("get_header_map_size(bad)", proxy_get_header_map_size(0, bad_size));
    plain("add_header_map_value(bad name)", proxy_add_header_map_value(0, bad, 5, x, n));
    plain("replace_header_map_value(bad value)", proxy_replace_header_map_value(0, x, n, bad, 5));
    plain("remove_header_map_value(bad name)", proxy_remove_header_map_value(0, bad, 5));
    plain("set_header_map_pairs(bad)", proxy_set_header_map_pairs(0, bad, 5));
    plain("get_buffer_bytes(bad output)", proxy_get_buffer_bytes(6, 0, 5, bad_out, size));
    plain("get_buffer_status(bad)", proxy_get_buffer_status(6, bad_size, number));
    plain("set_buffer_bytes(bad)", proxy_set_buffer_bytes(0, 0, 0, bad, 5));
    plain("get_shared_data(bad key)", proxy_get_shared_data(bad, 5, data, size, number));
    plain("set_shared_data(bad value)", proxy_set_shared_data(x, n, bad, 5, 0));
    plain("register_shared_queue(bad name)", proxy_register_shared_queue(bad, 5, number));
    plain("define_metric(bad name)", proxy_define_metric(0, bad, 5, number));
    plain("define_metric(bad id)", proxy_define_metric(0, x, n, bad_number));
    plain("get_metric(bad value)", proxy_get_metric(0, bad_long));
    plain("send_local_response(bad body)", proxy_send_local_response(418, x, n, bad, 5, null(), 0, -1));
    plain("http_call(bad name)", proxy_http_call(bad, 5, x, 0, x, 0, x, 0, 100, number));
    plain("http_call(bad token)", proxy_http_call(x, n, x, 0, x, 0, x, 0, 100, bad_number));
    plain("grpc_call(bad name)", proxy_grpc_call(bad, 5, x, n, x, n, x, 0, x, 0, 100, number));
    plain("grpc_send(bad message)", proxy_grpc_send(1, bad, 5, 0));
    plain("call_foreign_function(bad name)", proxy_call_foreign_function(bad, 5, x, 0, data, size));
    plain("call_foreign_function(bad arguments)", proxy_call_foreign_function(x, n, bad, 5, data, size));
    plain("get_status(bad code)", proxy_get_status(bad_number, data, size));
    plain("resolve_shared_queue(bad)", proxy_resolve_shared_queue(bad, 5, x, n, number));
    plain("enqueue_shared_queue(bad)", proxy_enqueue_shared_queue(1, bad, 5));
    plain("log(huge size)", proxy_log(2, x, 0xffff_fff0));
}
