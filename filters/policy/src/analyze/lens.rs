//! What of a text a clause compares: all of it, or a part.

use weir_matching::PathParameters;

/// A part of a text, read from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lens {
    Whole,
    /// ASCII letters in lower case.
    Lower,
    /// A path without its query.
    BeforeQuery,
    /// The same without the parameters of each segment.
    WithoutParameters,
    /// What is before the first parameter.
    BeforeParameters,
    /// What is before the separator of a request principal.
    Issuer,
    /// What is behind it.
    Subject,
}

const READS: u8 = 0;
const ENDED: u8 = 1;
const SKIPS: u8 = 2;

impl Lens {
    /// What of a path is compared.
    pub(super) fn of_path(parameters: PathParameters) -> Self {
        match parameters {
            PathParameters::Compared => Self::BeforeQuery,
            PathParameters::LeftOut => Self::WithoutParameters,
            // Of a path that can be read both are the same.
            PathParameters::EndPath | PathParameters::Unclear => Self::BeforeParameters,
        }
    }

    /// The state before the first character.
    pub(super) fn start(self) -> u8 {
        if self == Self::Subject { SKIPS } else { READS }
    }

    /// The state after another character, and the character that is compared, if it is.
    pub(super) fn next(self, state: u8, char: char) -> (u8, Option<char>) {
        let is_separator = char < ' ';
        match (self, state) {
            (Self::Whole, _) => (READS, Some(char)),
            (Self::Lower, _) => (READS, Some(char.to_ascii_lowercase())),
            (_, ENDED) => (ENDED, None),
            (Self::BeforeQuery | Self::WithoutParameters | Self::BeforeParameters, _) if char == '?' => (ENDED, None),
            (Self::BeforeParameters, _) if char == ';' => (ENDED, None),
            (Self::WithoutParameters, _) if char == ';' => (SKIPS, None),
            (Self::WithoutParameters, SKIPS) if char != '/' => (SKIPS, None),
            (Self::Issuer, _) if is_separator => (ENDED, None),
            (Self::Subject, SKIPS) => (if is_separator { READS } else { SKIPS }, None),
            _ => (READS, Some(char)),
        }
    }

    /// Characters that change the state.
    pub(super) fn special(self) -> &'static str {
        match self {
            Self::Whole | Self::Lower => "",
            Self::BeforeQuery => "?",
            Self::WithoutParameters => "?;/",
            Self::BeforeParameters => "?;",
            // Those of the domain.
            Self::Issuer | Self::Subject => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    fn through(lens: Lens, text: &str) -> String {
        let mut state = lens.start();
        let mut read = |char| {
            let (next, compared) = lens.next(state, char);
            state = next;
            compared
        };
        text.chars().filter_map(&mut read).collect()
    }

    #[test]
    fn a_lens_reads_what_the_filter_compares() {
        let mut rows = Rows::default();
        let paths = ["/a", "/a?b", "/a;x", "/a;x/b;y?c;d/e", "/;?", "/a?;/b"];
        for path in paths {
            let without = weir_matching::without_query(path.as_bytes());
            for parameters in [PathParameters::Compared, PathParameters::LeftOut, PathParameters::EndPath] {
                let mut out = Vec::new();
                let compared =
                    parameters.compared(without, &mut out).map(|path| String::from_utf8_lossy(path).into_owned());
                rows.check(format!("{path} {parameters:?}"), Some(through(Lens::of_path(parameters), path)), compared);
            }
        }
        for (lens, text, expected) in [
            (Lens::Whole, "Ab?;", "Ab?;"),
            (Lens::Lower, "AbÄ", "abÄ"),
            (Lens::Issuer, "i\u{0}s", "i"),
            (Lens::Subject, "i\u{0}s", "s"),
            (Lens::Subject, "i\u{1}", ""),
            (Lens::Issuer, "\u{2}s", ""),
        ] {
            rows.check(format!("{lens:?} {text:?}"), through(lens, text), expected.to_owned());
        }
    }
}
