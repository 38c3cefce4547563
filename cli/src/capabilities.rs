//! What each module asks of the proxy (its imports) and lets it call (its exports), as Envoy's `capability_restriction_config`
//! names it. `cli/tests/capabilities.rs` compares it with the built modules.

use crate::compile::Module;
use serde_json::{Map, Value, json};
use weir_policy::Protocol;

/// What every module needs to decide: Envoy answers nothing in the place of a callback or call that is not allowed.
const ESSENTIAL: [&str; 20] = [
    "clock_time_get",
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_tick",
    "proxy_on_vm_start",
    "proxy_record_metric",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_tick_period_milliseconds",
];

/// What every module has besides: header edits, what it does when it is loaded as a network filter, and what ends it when it
/// panics.
const BESIDES: [&str; 8] = [
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "proxy_close_stream",
    "proxy_on_new_connection",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
];

/// What decides requests.
const REQUESTS: [&str; 2] = ["proxy_on_request_headers", "proxy_send_local_response"];

/// What decides connections, besides what every module has.
const CONNECTIONS: [&str; 1] = ["proxy_on_downstream_data"];

/// Where limits keep their counts, and records get their numbers.
const SHARED: [&str; 2] = ["proxy_get_shared_data", "proxy_set_shared_data"];

/// The seed of limits' keys.
const SEED: [&str; 1] = ["random_get"];

/// Where streams are counted.
const ENDS: [&str; 1] = ["proxy_on_log"];

/// Where a service can be asked before a request goes on.
const CALLOUTS: [&str; 8] = [
    "proxy_continue_stream",
    "proxy_done",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_http_call",
    "proxy_on_grpc_close",
    "proxy_on_grpc_receive",
    "proxy_on_http_call_response",
];

/// What only some variants of a module have.
const RESPONSES: [&str; 1] = ["proxy_on_response_headers"];

/// What a module cannot do without, as a filter of requests or of connections.
pub(crate) fn essential(module: Module, protocol: Protocol) -> Vec<&'static str> {
    if protocol == Protocol::Tcp {
        let closes = ["proxy_close_stream", "proxy_on_new_connection"];
        return list(&ESSENTIAL, &[(true, &CONNECTIONS), (true, &closes)]);
    }
    let limits = matches!(module, Module::RateLimit | Module::Suite);
    let ends = matches!(module, Module::Telemetry | Module::Suite);
    list(&ESSENTIAL, &[(true, &REQUESTS), (limits, &SHARED), (limits, &SEED), (ends, &ENDS)])
}

/// Everything that a module, or a variant of it, imports or exports, in alphabetical order.
pub(crate) fn all(module: Module) -> Vec<&'static str> {
    let limits = matches!(module, Module::RateLimit | Module::Suite);
    // `policy-observe` sees them.
    let ends = module != Module::RateLimit;
    let responses = module != Module::Policy;
    let decides = matches!(module, Module::Policy | Module::Suite);
    let more: [(bool, &[&'static str]); 8] = [
        (true, &REQUESTS),
        (true, &BESIDES),
        (limits || decides, &SHARED),
        (limits, &SEED),
        (ends, &ENDS),
        (responses, &RESPONSES),
        (decides, &CONNECTIONS),
        (decides, &CALLOUTS),
    ];
    let mut all = list(&ESSENTIAL, &more);
    all.sort_unstable();
    all
}

/// Envoy's `CapabilityRestrictionConfig` with all of a module.
pub(crate) fn restriction(module: Module) -> Value {
    let allowed: Map<String, Value> = all(module).into_iter().map(|name| (name.to_owned(), json!({}))).collect();
    json!({"allowed_capabilities": allowed})
}

fn list(common: &[&'static str], more: &[(bool, &[&'static str])]) -> Vec<&'static str> {
    let more = more.iter().filter(|(has, _)| *has).flat_map(|(_, names)| names.iter());
    common.iter().chain(more).copied().collect()
}
