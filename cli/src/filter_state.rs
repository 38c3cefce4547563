//! Who writes the filter state that a document reads. Envoy's `set_filter_state` filters do, and filters whose doing no
//! file shows, such as Lua, may.

use crate::field::field;
use crate::plugin::Plugin;
use serde_json::Value;

/// Filters that write filter state as their code tells them.
const PROGRAMS: [&str; 3] = [".lua.", ".golang.", ".dynamic_modules."];

/// Something that writes filter state, or may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    path: String,
    /// The key; `None` if it can be any.
    key: Option<String>,
    /// Whether connections to other listeners get it.
    is_shared: bool,
}

/// Whether a key is written before a plugin reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    /// No file shows it.
    Unseen,
    /// By no filter before this one; the path of the one that writes it too late.
    Unwritten(Option<String>),
}

impl Writer {
    /// The one that `value` is.
    pub(crate) fn of(value: &Value, path: &str) -> Option<Self> {
        let text = |name| field(value, name).and_then(Value::as_str);
        let key = text("object_key").map(str::to_owned);
        let is_program = || {
            let names = [value.get("@type").and_then(Value::as_str), text("type_url")];
            names.into_iter().flatten().any(|name| PROGRAMS.iter().any(|program| name.contains(program)))
        };
        let is_shared = text("shared_with_upstream").is_some_and(|shared| shared != "NONE");
        let is_writer = key.is_some() || field(value, "config_discovery").is_some() || is_program();
        is_writer.then(|| Self { path: path.to_owned(), key, is_shared })
    }

    /// Whether it surely writes `key`.
    pub(crate) fn writes(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }
}

/// What happens to `key` before `plugin` reads it, by the writers in its file.
pub(crate) fn fate(key: &str, plugin: &Plugin, writers: &[Writer]) -> Fate {
    let Some(manager) = plugin.manager.as_deref().filter(|_| plugin.has_whole_chain) else {
        return if writers.iter().any(|writer| writer.writes(key)) { Fate::Written } else { Fate::Unseen };
    };
    let own = position(&plugin.path, manager);
    let is_before = |writer: &&Writer| match position(&writer.path, manager) {
        Some(at) => own.is_none_or(|own| at <= own),
        None => writer.path.starts_with(&format!("{manager}.")) || writer.is_shared || is_below(&writer.path, manager),
    };
    let mut before = writers.iter().filter(is_before);
    if before.clone().any(|writer| writer.writes(key)) {
        return Fate::Written;
    }
    // Wasm filters write keys that begin so.
    if key.starts_with("wasm.") || before.any(|writer| writer.key.is_none()) {
        return Fate::Unseen;
    }
    let late = writers.iter().find(|writer| writer.writes(key) && position(&writer.path, manager).is_some());
    Fate::Unwritten(late.map(|writer| writer.path.clone()))
}

/// Which of the manager's HTTP filters a path is in.
fn position(path: &str, manager: &str) -> Option<usize> {
    let inner = path.strip_prefix(manager)?;
    let inner = inner.strip_prefix(".http_filters[").or_else(|| inner.strip_prefix(".httpFilters["))?;
    inner.split_once(']')?.0.parse().ok()
}

/// Whether a path is in a network filter of the manager's chain, or in a listener filter of its listener.
fn is_below(path: &str, manager: &str) -> bool {
    let before = |names: &[&str]| names.iter().filter_map(|name| manager.rfind(name)).max();
    let chain = before(&[".filters["]).and_then(|end| manager.get(..end));
    let listener = before(&[".filter_chains[", ".filterChains[", ".default_filter_chain.", ".defaultFilterChain."]);
    let listener = listener.and_then(|end| manager.get(..end));
    chain.is_some_and(|chain| path.starts_with(&format!("{chain}.filters[")))
        || listener.is_some_and(|listener| {
            [".listener_filters[", ".listenerFilters["]
                .iter()
                .any(|name| path.starts_with(&format!("{listener}{name}")))
        })
}
