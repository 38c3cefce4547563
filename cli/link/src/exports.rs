//! Which exports each module keeps, and what the module is told of them.

use walrus::Module;

/// What every module needs: memory, the allocator, the ABI marker, start, configuration, and the life of contexts.
/// `proxy_on_done` is not among them: Envoy takes its absence for yes, and no core has anything to finish.
/// A new connection comes only where the module is loaded as a network filter by mistake; the shell closes it.
const ALWAYS: [&str; 9] = [
    "memory",
    "proxy_on_memory_allocate",
    "proxy_abi_version_0_2_1",
    "_initialize",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    NEW_CONNECTION,
];

const NEW_CONNECTION: &str = "proxy_on_new_connection";
/// What the shell exports begins with this; the rest is the name of the callback that it stands for.
const OWN: &str = "weir_";

const REQUEST: &str = "proxy_on_request_headers";
const RESPONSE: &str = "proxy_on_response_headers";
const END: &str = "proxy_on_log";
/// The import by which the shell asks whether `RESPONSE` is kept.
const ASKS: (&str, &str) = ("weir", "sees_responses");
const CALLOUTS: [&str; 3] = ["proxy_on_http_call_response", "proxy_on_grpc_receive", "proxy_on_grpc_close"];
const TICK: &str = "proxy_on_tick";

/// The exports that `module` keeps; `None` for a module that is not one of ours.
pub(crate) fn of(module: &str) -> Option<Vec<&'static str>> {
    let mut keep = ALWAYS.to_vec();
    match module {
        // Decides on request headers and needs nothing later.
        "policy" => keep.push(REQUEST),
        // Adds its headers to the response.
        "rate-limit" => keep.extend([REQUEST, RESPONSE]),
        // Remembers what only the request shows, counts at the end, and defines series while time passes.
        "telemetry" => keep.extend([REQUEST, END, TICK]),
        // The same build, for configurations that read a response while it passes: the callback costs every stream.
        "telemetry-response" => keep.extend([REQUEST, RESPONSE, END, TICK]),
        "suite" => keep.extend([REQUEST, RESPONSE, END, TICK]),
        // The yardstick of the benchmark: the SDK and nothing else.
        "empty" => {
            keep.retain(|name| *name != NEW_CONNECTION);
            keep.push(REQUEST);
        }
        // The module that tries the shell's callouts.
        "shell-probe" => {
            keep.extend(CALLOUTS);
            keep.extend([REQUEST, RESPONSE, END, TICK]);
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

/// Lets the module know whether it sees responses: a function that says so takes the place of the import that asks.
///
/// # Errors
/// An import of that name that is no function.
pub(crate) fn tell(module: &mut Module, keep: &[&str]) -> Result<(), String> {
    let Some(asks) = module.imports.get_func(ASKS.0, ASKS.1).ok() else { return Ok(()) };
    let answer = i32::from(keep.contains(&RESPONSE));
    let told = module.replace_imported_func(asks, |(body, _)| {
        body.i32_const(answer);
    });
    told.map(drop).map_err(|error| format!("the import `{}.{}` cannot be answered: {error}", ASKS.0, ASKS.1))
}

/// Drops every export that is not kept.
///
/// # Errors
/// A kept export that the module does not have.
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
    use super::{ASKS, RESPONSE, of, tell};
    use walrus::{FunctionKind, Module, ValType, ir::Instr, ir::Value};

    #[test]
    fn a_module_knows_whether_it_sees_responses() {
        for (name, sees) in [
            ("policy", 0),
            ("rate-limit", 1),
            ("telemetry", 0),
            ("telemetry-response", 1),
            ("suite", 1),
            ("shell-probe", 1),
        ] {
            let keep = of(name).unwrap();
            assert_eq!(keep.contains(&RESPONSE), sees == 1, "{name}");
            let mut module = Module::default();
            let number = module.types.add(&[], &[ValType::I32]);
            let (asks, _) = module.add_import_func(ASKS.0, ASKS.1, number);
            tell(&mut module, &keep).unwrap();
            assert_eq!(module.imports.iter().count(), 0, "{name}");
            let FunctionKind::Local(function) = &module.funcs.get(asks).kind else { panic!("{name}: still an import") };
            let (said, _) = &function.block(function.entry_block()).instrs[0];
            let Instr::Const(said) = said else { panic!("{name}: {said:?}") };
            assert!(matches!(said.value, Value::I32(answer) if answer == sees), "{name}: {said:?}");
        }
    }

    #[test]
    fn a_module_that_does_not_ask_is_left_alone() {
        let mut module = Module::default();
        tell(&mut module, &of("empty").unwrap()).unwrap();
        assert_eq!(module.funcs.iter().count(), 0);
    }
}
