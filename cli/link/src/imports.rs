//! The imports that a module may have: hostcalls of ABI 0.2.1, and the part of WASI that every supported Envoy offers.

use walrus::Module;

/// WASI functions that Envoy has had since before its oldest supported line; it added more of them, inert, in 2026.
const WASI: [&str; 18] = [
    "fd_write",
    "environ_sizes_get",
    "environ_get",
    "clock_time_get",
    "random_get",
    "proc_exit",
    "args_sizes_get",
    "args_get",
    "sched_yield",
    "poll_oneoff",
    "fd_close",
    "fd_seek",
    "fd_read",
    "fd_fdstat_get",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "path_open",
    "path_filestat_get",
];

/// Hostcalls of ABI 0.2.1, all of which every supported Envoy has.
const HOSTCALLS: [&str; 39] = [
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_status",
    "proxy_set_effective_context",
    "proxy_done",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_call_foreign_function",
    "proxy_get_header_map_value",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_set_header_map_pairs",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_set_buffer_bytes",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
    "proxy_send_local_response",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_http_call",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
];

/// Refuses a module that a supported Envoy cannot link.
pub(crate) fn check(module: &Module) -> Result<(), String> {
    for import in module.imports.iter() {
        let offered = match import.module.as_str() {
            "env" => HOSTCALLS.contains(&import.name.as_str()),
            "wasi_snapshot_preview1" => WASI.contains(&import.name.as_str()),
            _ => false,
        };
        if !offered {
            return Err(format!("it imports `{}.{}`, which not every Envoy offers", import.module, import.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use walrus::Module;
    use weir_testing::Rows;

    #[test]
    fn only_what_every_envoy_offers_may_be_imported() {
        let mut rows = Rows::default();
        for (from, name, offered) in [
            ("env", "proxy_log", true),
            ("wasi_snapshot_preview1", "clock_time_get", true),
            ("env", "proxy_clear_route_cache", false),
            ("env", "proxy_of_tomorrow", false),
            ("env", "memcpy", false),
            ("wasi_snapshot_preview1", "sock_accept", false),
            ("proxy", "proxy_log", false),
        ] {
            let mut module = Module::default();
            let none = module.types.add(&[], &[]);
            module.add_import_func(from, name, none);
            rows.check(format!("{from}.{name}"), check(&module).is_ok(), offered);
        }
    }
}
