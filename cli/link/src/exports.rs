//! Which exports each module keeps, and what its code learns of them.
//!
//! A filter says which callbacks it needs ([`Callbacks`]), and its module carries that in a custom section. A module that
//! lacked one would hold requests for ever or count nothing; a module with one too many costs every stream 1,500 to 1,900
//! instructions. So both are refused.

use walrus::Module;
use weir_model::{Callbacks, Need, TcpCallbacks};

/// What every module needs: memory, the allocator, the ABI marker, start, configuration, the life of contexts, and time,
/// since what is counted goes to Envoy as sums.
/// `proxy_on_done` is not among them: without it, Envoy takes the context as done.
/// A new connection comes only where the module is loaded as a network filter; one without a TCP filter closes it.
const ALWAYS: [&str; 10] = [
    "memory",
    "proxy_on_memory_allocate",
    "proxy_abi_version_0_2_1",
    "_initialize",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    TICK,
    NEW_CONNECTION,
];

const NEW_CONNECTION: &str = "proxy_on_new_connection";
/// What the shell exports begins with this; the rest is the name of the callback that it stands for.
const OWN: &str = "weir_";

const REQUEST: &str = "proxy_on_request_headers";
const RESPONSE: &str = "proxy_on_response_headers";
const END: &str = "proxy_on_log";
/// The imports by which the shell asks whether a callback is kept.
const ASKED: [(&str, &str); 2] = [("sees_responses", RESPONSE), ("sees_ends", END)];
const ASKS: &str = "weir";
const CALLOUTS: [&str; 3] = ["proxy_on_http_call_response", "proxy_on_grpc_receive", "proxy_on_grpc_close"];
const DOWNSTREAM_DATA: &str = "proxy_on_downstream_data";
/// What only a TCP filter has: data of either side, and the close of either side.
const TCP: [&str; 4] = [
    DOWNSTREAM_DATA,
    "proxy_on_upstream_data",
    "proxy_on_downstream_connection_close",
    "proxy_on_upstream_connection_close",
];
const TICK: &str = "proxy_on_tick";
/// Envoy calls it for each stream too.
const DONE: &str = "proxy_on_done";

/// The exports that `module` keeps; `None` for a module that is not one of ours.
pub(crate) fn of(module: &str) -> Option<Vec<&'static str>> {
    let mut keep = ALWAYS.to_vec();
    match module {
        // Decides on request headers and needs nothing later; of connections it decides on the first data. What is a
        // connection's is never called for a request.
        "policy" => {
            keep.extend([REQUEST, DOWNSTREAM_DATA]);
            keep.extend(CALLOUTS);
        }
        // The same build, for mode `observe`, which compares at the end.
        "policy-observe" => {
            keep.extend([REQUEST, DOWNSTREAM_DATA, END]);
            keep.extend(CALLOUTS);
        }
        // Adds its headers to the response.
        "rate-limit" => keep.extend([REQUEST, RESPONSE]),
        // The same build, for configurations that add none: the callback costs every stream.
        "rate-limit-lean" => keep.push(REQUEST),
        // Remembers what only the request shows, and counts at the end.
        "telemetry" => keep.extend([REQUEST, END]),
        "suite-lean" => {
            keep.extend([REQUEST, END, DOWNSTREAM_DATA]);
            keep.extend(CALLOUTS);
        }
        // The same build, for configurations that read a response while it passes: the callback costs every stream.
        "telemetry-response" => keep.extend([REQUEST, RESPONSE, END]),
        "suite" => {
            keep.extend([REQUEST, RESPONSE, END, DOWNSTREAM_DATA]);
            keep.extend(CALLOUTS);
        }
        // The baseline of the benchmark: the SDK and nothing else.
        "empty" => {
            keep.retain(|name| ![NEW_CONNECTION, TICK].contains(name));
            keep.push(REQUEST);
        }
        // The module that tries the shell: callouts and connections, too.
        "shell-probe" => {
            keep.extend(CALLOUTS);
            keep.extend(TCP);
            keep.extend([REQUEST, RESPONSE, END, DONE]);
        }
        _ => return None,
    }
    Some(keep)
}

/// Exports the shell's own callbacks in place of the SDK's of the same name.
pub(crate) fn replace(module: &mut Module) {
    let own: Vec<_> = module
        .exports
        .iter()
        .filter_map(|export| Some((export.id(), format!("proxy_{}", export.name.strip_prefix(OWN)?))))
        .collect();
    for (id, name) in own {
        let sdk = module.exports.iter().find(|export| export.name == name).map(|export| export.id());
        if let Some(sdk) = sdk {
            module.exports.delete(sdk);
        }
        module.exports.get_mut(id).name = name;
    }
}

/// Refuses a module whose exports are not what its filters need. The sections go: Envoy has no use for them.
///
/// # Errors
/// If a callback is needed and not exported, or exported and not needed, or if the module has no section of its filter.
pub(crate) fn check(module: &mut Module, keep: &[&str]) -> Result<(), String> {
    let tcp = match module.customs.remove_raw(TcpCallbacks::SECTION) {
        None => TcpCallbacks::NONE,
        Some(section) => TcpCallbacks::decode(&section.data)
            .ok_or_else(|| format!("its section `{}` cannot be read: {:?}", TcpCallbacks::SECTION, section.data))?,
    };
    let Some(section) = module.customs.remove_raw(Callbacks::SECTION) else {
        // The module of a filter always has the shell's own callback of this name.
        return match keep.contains(&NEW_CONNECTION) {
            true => Err(format!("it has no section `{}`, which says which callbacks it needs", Callbacks::SECTION)),
            false => Ok(()),
        };
    };
    let callbacks = Callbacks::decode(&section.data)
        .ok_or_else(|| format!("its section `{}` cannot be read: {:?}", Callbacks::SECTION, section.data))?;
    let Callbacks { response, end, calls, finish } = callbacks;
    let TcpCallbacks { downstream_data, upstream_data, close, .. } = tcp;
    let needs = [(RESPONSE, response), (END, end), (DONE, finish)];
    let of_tcp = TCP.into_iter().zip([downstream_data, upstream_data, close, close]);
    for (export, need) in needs.into_iter().chain(CALLOUTS.map(|callout| (callout, calls))).chain(of_tcp) {
        match (need, keep.contains(&export)) {
            (Need::Always, false) => return Err(format!("its filter needs the export `{export}`, and it has none")),
            (Need::Never, true) => return Err(format!("it exports `{export}`, which its filter does not need")),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the module know whether it sees responses, and the ends of streams: constant functions replace the imports that ask.
///
/// # Errors
/// If an import of that name is not a function.
pub(crate) fn answer_imports(module: &mut Module, keep: &[&str]) -> Result<(), String> {
    for (name, export) in ASKED {
        let Some(asks) = module.imports.get_func(ASKS, name).ok() else { continue };
        let answer = i32::from(keep.contains(&export));
        let replaced = module.replace_imported_func(asks, |(body, _)| {
            body.i32_const(answer);
        });
        replaced.map_err(|error| format!("the import `{ASKS}.{name}` cannot be answered: {error}"))?;
    }
    Ok(())
}

/// Drops every export that is not kept.
///
/// # Errors
/// If the module lacks an export to keep.
pub(crate) fn strip(module: &mut Module, keep: &[&str]) -> Result<(), String> {
    for name in keep {
        if !module.exports.iter().any(|export| export.name == *name) {
            return Err(format!("the export `{name}` is missing"));
        }
    }
    let dropped: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !keep.contains(&export.name.as_str()))
        .map(|export| export.id())
        .collect();
    for export in dropped {
        module.exports.delete(export);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ASKED, ASKS, CALLOUTS, DONE, END, RESPONSE, TCP, answer_imports, check, of};
    use walrus::{FunctionKind, Module, RawCustomSection, ValType, ir::Instr, ir::Value};
    use weir_model::{Callbacks, TcpCallbacks};
    use weir_testing::Rows;

    #[test]
    fn a_module_knows_what_it_sees() {
        let mut rows = Rows::default();
        for (name, responses, ends) in [
            ("policy", 0, 0),
            ("policy-observe", 0, 1),
            ("rate-limit", 1, 0),
            ("rate-limit-lean", 0, 0),
            ("suite-lean", 0, 1),
            ("telemetry", 0, 1),
            ("telemetry-response", 1, 1),
            ("suite", 1, 1),
            ("shell-probe", 1, 1),
        ] {
            let keep = of(name).unwrap();
            rows.check(name, [RESPONSE, END].map(|export| keep.contains(&export)), [responses == 1, ends == 1]);
            let mut module = Module::default();
            let number = module.types.add(&[], &[ValType::I32]);
            let asks = ASKED.map(|(asked, _)| module.add_import_func(ASKS, asked, number).0);
            answer_imports(&mut module, &keep).unwrap();
            rows.check(name, module.imports.iter().count(), 0);
            for (asks, sees) in asks.into_iter().zip([responses, ends]) {
                let constant = match &module.funcs.get(asks).kind {
                    FunctionKind::Local(function) => match &function.block(function.entry_block()).instrs[0].0 {
                        Instr::Const(constant) => Some(constant.value),
                        _ => None,
                    },
                    _ => None,
                };
                rows.check(name, matches!(constant, Some(Value::I32(answer)) if answer == sees), true);
            }
        }
    }

    #[test]
    fn exports_are_those_that_the_filter_needs() {
        let base = of("rate-limit-lean").unwrap();
        let with = |exports: &[&'static str]| [base.as_slice(), exports].concat();
        let [http, grpc, close] = CALLOUTS;
        let mut rows = Rows::default();
        for (section, exports, sound) in [
            (Some("----"), vec![], true),
            (Some("+---"), vec![], false),
            (Some("+---"), vec![RESPONSE], true),
            (Some("?---"), vec![], true),
            (Some("?---"), vec![RESPONSE], true),
            (Some("----"), vec![RESPONSE], false),
            (Some("-+--"), vec![], false),
            (Some("-+--"), vec![END], true),
            (Some("--+-"), vec![http, grpc], false),
            (Some("--+-"), vec![http, grpc, close], true),
            (Some("---+"), vec![DONE], true),
            (Some("----"), vec![DONE], false),
            (Some("---"), vec![], false),
            (None, vec![], false),
        ] {
            let mut module = Module::default();
            if let Some(section) = section {
                let name = Callbacks::SECTION.to_owned();
                module.customs.add(RawCustomSection { name, data: section.into() });
            }
            let checked = check(&mut module, &with(&exports));
            rows.check(format!("{section:?} {exports:?}: {checked:?}"), checked.is_ok(), sound);
            rows.check(format!("sections of {section:?}, {exports:?}"), module.customs.iter().count(), 0);
        }
        assert!(check(&mut Module::default(), &of("empty").unwrap()).is_ok(), "no filter of ours");
    }

    #[test]
    fn exports_for_connections_are_those_that_the_tcp_filter_needs() {
        let base = of("rate-limit-lean").unwrap();
        let [down, up, closed, closes] = TCP;
        let mut rows = Rows::default();
        for (section, exports, sound) in [
            (None, vec![], true),
            (None, vec![down], false),
            (Some("+--"), vec![], false),
            (Some("+--"), vec![down], true),
            (Some("+--"), vec![down, up], false),
            (Some("--+"), vec![closed], false),
            (Some("--+"), vec![closed, closes], true),
            (Some("??-"), vec![up], true),
            (Some("--"), vec![], false),
        ] {
            let mut module = Module::default();
            let mut add = |name: &str, data: &str| {
                module.customs.add(RawCustomSection { name: name.to_owned(), data: data.into() });
            };
            add(Callbacks::SECTION, "----");
            if let Some(section) = section {
                add(TcpCallbacks::SECTION, section);
            }
            let checked = check(&mut module, &[base.as_slice(), &exports].concat());
            rows.check(format!("{section:?} {exports:?}: {checked:?}"), checked.is_ok(), sound);
            rows.check(
                format!("{section:?}, {exports:?}"),
                module.customs.iter().all(|(_, section)| section.name() != TcpCallbacks::SECTION),
                true,
            );
        }
    }

    #[test]
    fn a_module_that_does_not_ask_is_left_alone() {
        let mut module = Module::default();
        answer_imports(&mut module, &of("empty").unwrap()).unwrap();
        assert_eq!(module.funcs.iter().count(), 0);
    }
}
