//! The part of `:path` that policies and limits compare.

/// What is before the query and the fragment.
///
/// ```
/// assert_eq!(weir_matching::without_query(b"/a/b?c=/d"), b"/a/b");
/// ```
pub fn without_query(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
    path.get(..end).unwrap_or(path)
}

/// What follows the first `?`; `None` without one.
///
/// ```
/// assert_eq!(weir_matching::query(b"/a?b=1&c=?"), Some(b"b=1&c=?".as_slice()));
/// assert_eq!(weir_matching::query(b"/a"), None);
/// ```
pub fn query(path: &[u8]) -> Option<&[u8]> {
    let mark = path.iter().position(|byte| *byte == b'?')?;
    path.get(mark.checked_add(1)?..)
}

/// Writes `path` (without its query) to `out` without path parameters: of each segment, what precedes its first `;`. This is
/// what Envoy compares where the route configuration sets `ignore_path_parameters_in_path_matching` (its RBAC from 1.39.1).
///
/// ```
/// let mut out = Vec::new();
/// weir_matching::without_parameters(b"/admin;v=1/users;a=b;c", &mut out);
/// assert_eq!(out, b"/admin/users");
/// ```
pub fn without_parameters(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for (number, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            out.push(b'/');
        }
        out.extend_from_slice(segment.split(|byte| *byte == b';').next().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn parameters_go_from_every_segment() {
        let mut out = b"left over".to_vec();
        for (path, expected) in [
            ("/a", "/a"),
            ("/a;x", "/a"),
            ("/a;x=y/b", "/a/b"),
            ("/a/b;x;y=/c;", "/a/b/c"),
            (";x/a", "/a"),
            ("/;/a", "//a"),
            ("", ""),
            ("*", "*"),
        ] {
            without_parameters(path.as_bytes(), &mut out);
            assert_eq!(out, expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn query_and_fragment_are_cut() {
        for (path, expected) in [("/a", "/a"), ("/a?b", "/a"), ("/a#b?c", "/a"), ("?", ""), ("/a;b?c;d", "/a;b")] {
            assert_eq!(without_query(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }
}
