//! Function names as people read them: a mangled name is several times as long as what it says, and the `name` section
//! would be a tenth of a module.

use walrus::Module;

/// Longest name kept, in bytes; generic types make some of several hundred.
const LONGEST: usize = 80;

/// Demangles every name, without the hash, and shortens it.
pub(crate) fn shorten(module: &mut Module) {
    for function in module.funcs.iter_mut() {
        if let Some(name) = &mut function.name {
            *name = short(&readable(name));
        }
    }
}

/// The name demangled, without the hash; a name that is not mangled stays.
pub(crate) fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Cuts paths into other people's crates to what tells functions apart: a type by itself, a function with its module.
/// Paths into this workspace stay whole, and those about panics, which `--panics` looks for; the length is bounded.
fn short(name: &str) -> String {
    let mut short = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let end = rest.find(|char: char| !is_path(char)).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        short.push_str(cut(path));
        let between = after.find(is_path).unwrap_or(after.len());
        let (between, after) = after.split_at(between);
        short.push_str(between);
        rest = after;
    }
    let end = short.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= LONGEST).last();
    short.truncate(end.unwrap_or(0));
    short
}

fn is_path(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == ':'
}

fn cut(path: &str) -> &str {
    if path.starts_with("weir_") || path.starts_with(':') || path.contains("panicking") {
        return path;
    }
    // What generic arguments follow may end in a colon of its own: `parse::<u16>`.
    let Some((front, last)) = path.trim_end_matches(':').rsplit_once("::") else { return path };
    let is_type = last.starts_with(|char: char| char.is_uppercase());
    let cut = if is_type { front.len() + 2 } else { front.rfind("::").map_or(0, |at| at + 2) };
    path.get(cut..).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, readable, short};
    use weir_testing::Rows;

    #[test]
    fn names_say_the_same_in_fewer_bytes() {
        let mut rows = Rows::default();
        for (name, expected) in [
            ("weir_config::cursor::Cursor::each", "weir_config::cursor::Cursor::each"),
            ("core::fmt::write", "fmt::write"),
            ("main", "main"),
            ("alloc::collections::btree::map::BTreeMap<K,V,A>::insert", "BTreeMap<K,V,A>::insert"),
            (
                "<weir_shell::root::Root<F> as proxy_wasm::traits::RootContext>::on_configure",
                "<weir_shell::root::Root<F> as RootContext>::on_configure",
            ),
            ("core::ops::function::FnOnce::call_once{{vtable.shim}}", "FnOnce::call_once{{vtable.shim}}"),
            (
                "core::ptr::drop_in_place<core::option::Option<weir_policy::filter::Policy>>",
                "ptr::drop_in_place<Option<weir_policy::filter::Policy>>",
            ),
            ("core::num::imp::parse::<u16>", "imp::parse::<u16>"),
            (
                "core::panicking::panic_const::panic_const_div_by_zero",
                "core::panicking::panic_const::panic_const_div_by_zero",
            ),
        ] {
            rows.check(format!("{name:?}"), short(name), expected);
        }
    }

    #[test]
    fn names_are_demangled_and_bounded() {
        assert_eq!(readable("_ZN10weir_shell4root4Root17h0123456789abcdefE"), "weir_shell::root::Root");
        assert_eq!(short(&"é".repeat(100)), "é".repeat(LONGEST / 2));
    }
}
