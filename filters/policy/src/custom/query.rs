//! Query parameters as a provider edits them: Envoy takes the query apart, and writes it again, sorted by names.

use weir_model::SortedMap;
use weir_proto::ext_authz::NameValue;

/// The path with its query edited.
#[inline(never)]
pub(super) fn edit(path: &[u8], set: &[NameValue], remove: &[String]) -> Vec<u8> {
    let at = path.iter().position(|byte| *byte == b'?');
    let (before, query) = path.split_at_checked(at.unwrap_or(path.len())).unwrap_or((path, b""));
    let mut parameters: SortedMap<Vec<u8>, Vec<Vec<u8>>> = SortedMap::new();
    let query = query.strip_prefix(b"?").unwrap_or_default();
    for parameter in query.split(|byte| *byte == b'&').filter(|_| !query.is_empty()) {
        let end = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
        let (name, value) = parameter.split_at_checked(end).unwrap_or((parameter, b""));
        let value = value.strip_prefix(b"=").unwrap_or_default();
        match parameters.get_mut(name) {
            Some(values) => values.push(value.to_vec()),
            None => {
                parameters.insert(name.to_vec(), vec![value.to_vec()]);
            }
        }
    }
    for NameValue { key, value } in set {
        parameters.insert(key.clone().into_bytes(), vec![value.clone().into_bytes()]);
    }
    for name in remove {
        parameters.remove(name.as_bytes());
    }
    let mut edited = before.to_vec();
    let mut mark = b'?';
    for (name, values) in parameters.iter() {
        for value in values {
            edited.push(mark);
            edited.extend_from_slice(name);
            edited.push(b'=');
            edited.extend_from_slice(value);
            mark = b'&';
        }
    }
    edited
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    #[test]
    fn queries_are_written_as_envoy_writes_them() {
        let mut rows = Rows::default();
        for (path, set, remove, expected) in [
            ("/a", "", "", "/a"),
            ("/a", "x=1", "", "/a?x=1"),
            ("/a?z=1&b=2", "c=3", "", "/a?b=2&c=3&z=1"),
            ("/a?b=2&b=3&a", "", "c", "/a?a=&b=2&b=3"),
            ("/a?b=2&b=3", "b=4", "", "/a?b=4"),
            ("/a?b=2&c=3", "", "b", "/a?c=3"),
            ("/a?b=2", "", "b", "/a"),
            ("/a?b=2", "b=3", "b", "/a"),
            ("/a?b=c=d&&", "", "", "/a?=&=&b=c=d"),
        ] {
            let pair = |text: &str| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
            let set: Vec<NameValue> = pair(set).into_iter().map(|(key, value)| NameValue { key, value }).collect();
            let remove: Vec<String> =
                [remove].iter().filter(|name| !name.is_empty()).map(ToString::to_string).collect();
            let edited = edit(path.as_bytes(), &set, &remove);
            rows.check(
                format!("{path} {set:?} {remove:?}"),
                String::from_utf8_lossy(&edited).into_owned(),
                expected.to_owned(),
            );
        }
    }
}
