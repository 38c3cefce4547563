use super::*;

#[test]
fn log_lines_lose_time_thread_and_place() {
    let lines = [
        "[2026-11-22 23:47:26.062][28191][error][wasm] [source/x/context.cc:1405] wasm log a b: two",
        "lines",
        "[2026-11-22 23:47:26.063][28191][critical][wasm] [source/x/wasm_vm.cc:44] Function: proxy_on_log failed: Uncaught",
    ];
    let lines = log_lines(lines.map(str::to_owned).to_vec());
    let table = [("error", "wasm log a b: two\nlines"), ("critical", "Function: proxy_on_log failed: Uncaught")];
    let expected = table.map(|(level, text)| LogLine { level: level.to_owned(), text: text.to_owned() });
    assert_eq!(lines, expected);
    assert_eq!(traps(&lines), 1);
}

#[test]
fn vm_statistics_are_summed_over_plugins() {
    let text = r#"{"stats":[{"name":"wasm.envoy.wasm.runtime.v8.created","value":4},
        {"name":"wasm.envoy.wasm.runtime.v8.active","value":3},{"name":"wasm.policy-0.vm_reload_success","value":1},
        {"name":"wasm.suite-1.vm_reload","value":2},{"histograms":{}}]}"#;
    let stats = VmStats::of(&parse(text).unwrap());
    assert_eq!(stats, VmStats { created: 4, active: 3, reloads: 3 });
}
