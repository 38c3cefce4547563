//! Which patterns of a question matter, if others are answered with yes: most of thousands begin or end otherwise.

use super::super::space::{Question, View};
use weir_matching::{Pattern, TemplatePart};

/// What texts that answer some questions with yes have in common with the patterns of another.
pub(super) enum Overlap {
    /// All of them match.
    All,
    /// Any pattern may match.
    Some,
    /// Only these may.
    Few(Vec<Pattern>),
    /// None matches.
    None,
}

/// What is known of all texts that a pattern matches.
struct Fixed {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl Fixed {
    fn of(pattern: &Pattern) -> Self {
        let fixed = |start: &[u8], end: &[u8]| Self { start: start.to_vec(), end: end.to_vec() };
        match pattern {
            Pattern::Exact(text) => fixed(text, text),
            Pattern::Prefix(text) => fixed(text, b""),
            Pattern::Suffix(text) => fixed(b"", text),
            Pattern::Glob(glob) => {
                let parts: Vec<&[u8]> = glob.parts().collect();
                fixed(parts.first().copied().unwrap_or_default(), parts.last().copied().unwrap_or_default())
            }
            Pattern::Template(template) => {
                let parts: Vec<TemplatePart<'_>> = template.parts().collect();
                let literal = |part: &TemplatePart<'_>| match part {
                    TemplatePart::Literal(text) => Some(text.to_vec()),
                    TemplatePart::One | TemplatePart::Rest => None,
                };
                let end: Vec<Vec<u8>> = parts.iter().rev().map_while(literal).collect();
                let end: Vec<u8> = end.into_iter().rev().flatten().collect();
                Self { start: parts.iter().map_while(literal).flatten().collect(), end }
            }
            Pattern::Present | Pattern::Any | Pattern::Cidr(_) => fixed(b"", b""),
        }
    }

    /// Whether a text may have both beginnings and both ends.
    fn may_meet(&self, other: &Self) -> bool {
        let starts = self.start.starts_with(&other.start) || other.start.starts_with(&self.start);
        starts && (self.end.ends_with(&other.end) || other.end.ends_with(&self.end))
    }
}

/// Whether every text of a pattern is one of another. `false` if that is not plain to see.
fn is_within(inner: &Fixed, exact: Option<&[u8]>, outer: &Pattern) -> bool {
    match (outer, exact) {
        (outer, Some(text)) => outer.matches(text),
        (Pattern::Prefix(prefix), None) => inner.start.starts_with(prefix),
        (Pattern::Suffix(suffix), None) => inner.end.ends_with(suffix),
        (Pattern::Any, None) => true,
        _ => false,
    }
}

/// What texts that answer `musts` with yes have in common with the patterns of `never`.
pub(super) fn with(never: &Question, musts: &[&Question]) -> Overlap {
    // Only of those that look at a place in the same way, and compare its text itself, it can be said.
    let is_text =
        |view: &View| matches!(view, View::Text | View::Lower | View::Path(_) | View::Principal | View::TrustDomain);
    let alike: Vec<&&Question> = musts.iter().filter(|must| must.view == never.view && is_text(&must.view)).collect();
    if alike.is_empty() {
        return Overlap::Some;
    }
    let mut may_match: Vec<bool> = vec![true; never.patterns.len()];
    for must in alike {
        // Any name matches `*`, and not by its parts.
        if must.view == View::Principal
            && (must.patterns.contains(&Pattern::Present) || never.patterns.contains(&Pattern::Present))
        {
            continue;
        }
        let fixed: Vec<(Fixed, &Pattern)> = must.patterns.iter().map(|pattern| (Fixed::of(pattern), pattern)).collect();
        let is_covered = |(fixed, pattern): &(Fixed, &Pattern)| {
            let exact = match pattern {
                Pattern::Exact(text) => Some(&**text),
                _ => None,
            };
            never.patterns.iter().any(|outer| is_within(fixed, exact, outer))
        };
        if fixed.iter().all(is_covered) {
            return Overlap::All;
        }
        for (may, pattern) in may_match.iter_mut().zip(never.patterns.iter()) {
            let own = Fixed::of(pattern);
            *may = *may && fixed.iter().any(|(fixed, _)| fixed.may_meet(&own));
        }
    }
    match may_match.iter().filter(|may| **may).count() {
        0 => Overlap::None,
        count if count == never.patterns.len() => Overlap::Some,
        _ => {
            let kept = never.patterns.iter().zip(may_match).filter(|(_, may)| *may).map(|(pattern, _)| pattern.clone());
            Overlap::Few(kept.collect())
        }
    }
}
