//! The part of `:path` that policies and limits compare.

use weir_model::EnvoyVersion;

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

/// What Envoy does with path parameters, such as `;a=b`, before it compares a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PathParameters {
    /// They are a part of the path.
    #[default]
    Compared,
    /// `ignore_path_parameters_in_path_matching`, as routes have it from 1.36.10, 1.37.6, 1.38.4, 1.39.1 and 1.40 on: of each
    /// segment what precedes its first `;` is compared.
    LeftOut,
    /// What precedes the first `;` of the whole path is compared. Routes had the option so before (CVE-2026-73511), while
    /// Envoy's own RBAC compared the whole path.
    EndPath,
    /// The option is set, and it is not known what is compared or, before those releases, no one thing is.
    Unclear,
}

/// The first release of each line that leaves parameters out of each segment.
const BY_SEGMENT: [(u32, u32); 4] = [(36, 10), (37, 6), (38, 4), (39, 1)];

impl PathParameters {
    /// What the option, if it is set, means to that Envoy.
    #[must_use]
    pub fn of(is_set: bool, envoy: Option<EnvoyVersion>) -> Self {
        let Some(EnvoyVersion { major: 1, minor, patch, is_release }) = envoy.filter(|_| is_set) else {
            return if is_set { Self::Unclear } else { Self::Compared };
        };
        match BY_SEGMENT.into_iter().find(|(line, _)| *line == minor) {
            Some((_, first)) if patch > first || patch == first && is_release => Self::LeftOut,
            // Before it, or on the way to it.
            Some(_) => Self::Unclear,
            None if minor < 36 => Self::Unclear,
            None => Self::LeftOut,
        }
    }

    /// What is compared of `path`, which has no query; `None` if that is not known. `out` is overwritten.
    ///
    /// ```
    /// use weir_matching::PathParameters;
    /// let (path, mut out) = (b"/admin;v=1/users;a=b".as_slice(), Vec::new());
    /// assert_eq!(PathParameters::Compared.compared(path, &mut out), Some(path));
    /// assert_eq!(PathParameters::LeftOut.compared(path, &mut out), Some(b"/admin/users".as_slice()));
    /// assert_eq!(PathParameters::EndPath.compared(path, &mut out), Some(b"/admin".as_slice()));
    /// assert_eq!(PathParameters::Unclear.compared(path, &mut out), None);
    /// assert_eq!(PathParameters::Unclear.compared(b"/users;a=b", &mut out), Some(b"/users".as_slice()));
    /// ```
    #[must_use]
    pub fn compared<'p>(self, path: &'p [u8], out: &'p mut Vec<u8>) -> Option<&'p [u8]> {
        match self {
            Self::Compared => Some(path),
            Self::EndPath => Some(before_parameters(path)),
            Self::LeftOut => Some(without_parameters(path, out)),
            Self::Unclear => {
                let without = without_parameters(path, out);
                (without == before_parameters(path)).then_some(without)
            }
        }
    }
}

fn before_parameters(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b';').next().unwrap_or_default()
}

fn without_parameters<'o>(path: &[u8], out: &'o mut Vec<u8>) -> &'o [u8] {
    out.clear();
    for (number, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            out.push(b'/');
        }
        out.extend_from_slice(before_parameters(segment));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    #[test]
    fn parameters_go_from_every_segment() {
        let mut out = b"left over".to_vec();
        let mut rows = Rows::default();
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
            rows.check(path, without_parameters(path.as_bytes(), &mut out), expected.as_bytes());
        }
    }

    #[test]
    fn what_the_option_means_depends_on_envoy() {
        use PathParameters::{Compared, LeftOut, Unclear};
        let version = |minor, patch, is_release| Some(EnvoyVersion { major: 1, minor, patch, is_release });
        let mut rows = Rows::default();
        for (envoy, expected) in [
            (None, Unclear),
            (version(35, 20, true), Unclear),
            (version(36, 4, true), Unclear),
            (version(36, 10, true), LeftOut),
            (version(37, 6, false), Unclear),
            (version(37, 7, false), LeftOut),
            (version(38, 3, false), Unclear),
            (version(38, 4, true), LeftOut),
            (version(39, 0, true), Unclear),
            (version(39, 3, true), LeftOut),
            (version(40, 0, true), LeftOut),
            (version(41, 0, false), LeftOut),
            (Some(EnvoyVersion { major: 2, minor: 0, patch: 0, is_release: true }), Unclear),
        ] {
            rows.check(format!("{envoy:?}"), PathParameters::of(true, envoy), expected);
            rows.check(format!("{envoy:?}"), PathParameters::of(false, envoy), Compared);
        }
        let mut out = Vec::new();
        for (path, known) in [("/a", true), ("/a;x", true), ("/a/b;x;y", true), ("/a;x/b", false), ("/a;/", false)] {
            rows.check(path, Unclear.compared(path.as_bytes(), &mut out).is_some(), known);
        }
    }

    #[test]
    fn query_and_fragment_are_cut() {
        let mut rows = Rows::default();
        for (path, expected) in [("/a", "/a"), ("/a?b", "/a"), ("/a#b?c", "/a"), ("?", ""), ("/a;b?c;d", "/a;b")] {
            rows.check(path, without_query(path.as_bytes()), expected.as_bytes());
        }
    }
}
