//! Labels of Kubernetes objects and pods: a map from strings to strings.

use weir_config::Cursor;
use weir_model::SortedMap;

/// Reads a map of labels. A value that is not a string is a problem, and left out.
pub(super) fn read(at: &Cursor<'_>) -> SortedMap<String, String> {
    let entries = at.map().unwrap_or_default().into_iter();
    entries.filter_map(|(key, value)| Some((key.to_owned(), value.string()?.to_owned()))).collect()
}
