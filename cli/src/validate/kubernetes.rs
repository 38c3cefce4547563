//! Whether the API server takes the objects that load plugins of Weir.

use crate::diagnostic::Diagnostic;
use crate::documents::{Contents, EXTENSIONS};
use crate::input::Source;
use crate::manifest;
use crate::render::schema;
use crate::render::schema::structural::Difference;
use std::collections::BTreeSet;

/// What the schemas of their kinds have against the objects of a file with a plugin of Weir.
pub(super) fn differences<'a>(source: &'a Source, contents: &'a Contents) -> impl Iterator<Item = Diagnostic> + 'a {
    let plugins = contents.found.iter().filter(|found| found.plugin.is_some());
    let roots = plugins.filter_map(|found| contents.object_of(&found.path).map(|(root, _)| root));
    let roots: BTreeSet<&str> = roots.chain(contents.unconfigured.iter().map(String::as_str)).collect();
    let objects = contents.objects.iter().filter(move |(root, object)| {
        roots.contains(root.as_str()) && EXTENSIONS.iter().any(|(kind, _)| object.kind == *kind)
    });
    objects.filter_map(|(root, _)| Some(schema::differences(source.value(root)?, root))).flatten().map(diagnostic)
}

/// What is said of the objects of a file with a plugin of Weir, beside the plugin.
pub(super) fn manifests<'a>(source: &'a Source, contents: &'a Contents) -> impl Iterator<Item = Diagnostic> + 'a {
    contents
        .with_plugins()
        .filter_map(|(root, plugins)| {
            Some(manifest::check(source.value(root)?, root, &plugins, manifest::Known::default()))
        })
        .flatten()
}

/// An unknown field is pruned by the API server. kubectl asks it to refuse the object instead, which other clients do not.
fn diagnostic(difference: Difference) -> Diagnostic {
    let Difference { path, message, is_unknown } = difference;
    if is_unknown {
        let message =
            format!("{message}: `kubectl apply` refuses it, and of other clients the API server drops it in silence");
        return Diagnostic::warning("unknown-field", path, message);
    }
    Diagnostic::error(path, message)
}
