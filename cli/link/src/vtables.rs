//! Drops the hostcall methods that the SDK's traits carry in their vtables.
//!
//! A context is called through a `dyn` trait of the SDK. Those traits also offer every hostcall as a method with a body,
//! and each stands in the vtable of every context, so that neither the compiler nor the linker may drop it. But the
//! only caller through these vtables is the SDK's dispatcher, and it calls callbacks alone.

use walrus::{ElementItems, FunctionBuilder, FunctionId, Module};

const TRAITS: &str = "proxy_wasm::traits::";

/// The name of the function that replaces the others.
pub(crate) const NEVER_CALLED: &str = "weir_link::never_called";

/// What the dispatcher (`dispatcher.rs` of proxy-wasm 0.2.5) calls besides the methods that begin with `on_`.
const CALLED: [&str; 3] = ["create_http_context", "create_stream_context", "get_type"];

/// Replaces every method of the SDK's traits that the dispatcher does not call by a function that traps.
///
/// # Errors
/// If the module has vtables of the SDK's traits and none of those methods: then this file looks for outdated names.
pub(crate) fn prune(module: &mut Module) -> Result<(), String> {
    let named = |function: &walrus::Function, test: fn(&str) -> bool| {
        function.name.as_ref().is_some_and(|name| test(&super::names::readable(name)))
    };
    let unused: Vec<FunctionId> =
        module.funcs.iter().filter(|function| named(function, is_unused)).map(|function| function.id()).collect();
    if unused.is_empty() {
        return match module.funcs.iter().any(|function| named(function, |name| name.contains(TRAITS))) {
            true => Err("no method of the SDK's traits has a name that can be read".to_owned()),
            false => Ok(()),
        };
    }
    let mut trap = FunctionBuilder::new(&mut module.types, &[], &[]);
    trap.name(NEVER_CALLED.to_owned()).func_body().unreachable();
    let trap = trap.finish(Vec::new(), &mut module.funcs);
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            functions.iter_mut().filter(|function| unused.contains(function)).for_each(|function| *function = trap);
        }
    }
    Ok(())
}

/// Whether `name` is a method of one of the SDK's traits that is never called through a vtable. Legacy mangling names a
/// default body `proxy_wasm::traits::Context::done`, v0 mangling `<T as proxy_wasm::traits::Context>::done`.
fn is_unused(name: &str) -> bool {
    let default = name.strip_prefix(TRAITS).and_then(|path| path.split_once("::"));
    let of_type = || name.strip_prefix('<')?.rsplit_once(" as ")?.1.strip_prefix(TRAITS)?.split_once(">::");
    let method = default.or_else(of_type).map(|(_, method)| method);
    method.is_some_and(|method| !method.contains("::") && !method.starts_with("on_") && !CALLED.contains(&method))
}

#[cfg(test)]
mod tests {
    use super::is_unused;
    use weir_testing::Rows;

    #[test]
    fn the_dispatcher_is_the_one_that_was_read() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(
            lock.contains("name = \"proxy-wasm\"\nversion = \"0.2.5\"\n"),
            "another version of proxy-wasm: see which methods its dispatcher.rs calls, and bring `CALLED` up to date"
        );
    }

    #[test]
    fn only_conveniences_of_the_sdk_go() {
        let mut rows = Rows::default();
        for name in ["HttpContext::get_http_request_headers", "Context::done", "RootContext::set_tick_period"] {
            rows.check(name, is_unused(&format!("proxy_wasm::traits::{name}")), true);
            let (of, method) = name.split_once("::").unwrap();
            rows.check(name, is_unused(&format!("<a::Stream<(A, B)> as proxy_wasm::traits::{of}>::{method}")), true);
        }
        for name in [
            "proxy_wasm::traits::Context::on_done",
            "proxy_wasm::traits::RootContext::get_type",
            "proxy_wasm::traits::RootContext::create_http_context",
            "<weir_shell::stream::Stream<F> as proxy_wasm::traits::HttpContext>::on_log",
            "<weir_shell::root::Root<F> as proxy_wasm::traits::RootContext>::get_type",
            "proxy_wasm::hostcalls::get_map",
            "weir_shell::stream::send",
        ] {
            rows.check(name, is_unused(name), false);
        }
    }
}
