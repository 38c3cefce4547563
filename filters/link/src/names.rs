//! Function names as people read them: a mangled name is several times as long as what it says, and the `name` section
//! is a tenth of a module.

use walrus::Module;

/// Longest name kept, in bytes; generic types make some of several hundred.
const LONGEST: usize = 96;

/// Demangles every name, without the hash, and cuts it to [`LONGEST`].
pub(crate) fn shorten(module: &mut Module) {
    for function in module.funcs.iter_mut() {
        if let Some(name) = &mut function.name {
            let readable = format!("{:#}", rustc_demangle::demangle(name));
            let end = readable.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= LONGEST);
            let end = end.last().unwrap_or(0);
            *name = readable.get(..end).unwrap_or_default().to_owned();
        }
    }
}
