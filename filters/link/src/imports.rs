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

/// Refuses a module that some supported Envoy could not link.
pub(crate) fn check(module: &Module) -> Result<(), String> {
    for import in module.imports.iter() {
        let offered = match import.module.as_str() {
            "env" => import.name.starts_with("proxy_"),
            "wasi_snapshot_preview1" => WASI.contains(&import.name.as_str()),
            _ => false,
        };
        if !offered {
            return Err(format!("it imports `{}.{}`, which not every Envoy offers", import.module, import.name));
        }
    }
    Ok(())
}
