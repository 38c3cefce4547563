//! Path templates: Istio's `{*}` and `{**}`, which are Envoy's URI template operators `*` and `**`.
//!
//! Envoy turns a template into a regular expression and asks for a full match; this does the same by segments, so that a
//! filter needs no regular expressions. Sources: Istio's `CheckValidPathTemplate`, Envoy's `uri_template_lib`.

use std::fmt;

/// One segment before `{**}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Segment {
    /// These bytes.
    Literal(Box<[u8]>),
    /// `{*}`: one or more segment characters.
    One,
}

/// A checked template.
///
/// `{*}` is one segment, which must not be empty:
///
/// ```
/// use weir_matching::Template;
///
/// let item = Template::parse("/items/{*}/reviews")?;
/// assert!(item.matches(b"/items/7/reviews"));
/// assert!(!item.matches(b"/items/7/8/reviews") && !item.matches(b"/items//reviews"));
/// # Ok::<(), weir_matching::TemplateError>(())
/// ```
///
/// `{**}` is any number of segments, even none, but the slash before it is there:
///
/// ```
/// use weir_matching::Template;
///
/// let below = Template::parse("/admin/{**}")?;
/// assert!(below.matches(b"/admin/") && below.matches(b"/admin/users/7"));
/// assert!(!below.matches(b"/admin"));
/// # Ok::<(), weir_matching::TemplateError>(())
/// ```
///
/// A literal may follow `{**}`, another operator may not, and an operator fills its segment:
///
/// ```
/// use weir_matching::{Template, TemplateError};
///
/// let logs = Template::parse("/{**}/log")?;
/// assert!(logs.matches(b"/a/b/log") && !logs.matches(b"/log"));
/// assert_eq!(Template::parse("/{**}/{*}"), Err(TemplateError::AfterRest));
/// assert_eq!(Template::parse("/files/{*}.txt"), Err(TemplateError::Brace));
/// # Ok::<(), TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Template {
    head: Box<[Segment]>,
    /// With `{**}`: the literal that follows it, its leading slash included, perhaps empty.
    tail: Option<Box<[u8]>>,
}

/// A piece of a template. What it stands for follows what the pieces before it stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePart<'t> {
    /// These bytes.
    Literal(&'t [u8]),
    /// `{*}`: one or more bytes of a segment.
    One,
    /// `{**}`: any number of bytes of segments, slashes between them included.
    Rest,
}

/// Why a path is not a template that Istio and Envoy accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A template must begin with `/`.
    NoSlash,
    /// A brace outside `{*}` and `{**}`, or an operator that does not fill its segment.
    Brace,
    /// A bare `*` beside an operator.
    Star,
    /// Another operator follows `{**}`.
    AfterRest,
    /// A literal with a character that no URL path has.
    Character,
    /// An empty segment before the last.
    Empty,
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "a path template begins with `/`",
            Self::Brace => "only `{*}` and `{**}` may be in braces, and each must fill its segment",
            Self::Star => "a bare `*` cannot be mixed with `{*}` and `{**}`",
            Self::AfterRest => "`{**}` must be the last operator",
            Self::Character => "a literal segment of a path template holds a character that no URL path has",
            Self::Empty => "a path template has an empty segment",
        })
    }
}

impl Template {
    /// Whether a policy path is meant as a template rather than as text.
    pub fn is_meant(text: &str) -> bool {
        text.contains('{') && (text.contains("{*}") || text.contains("{**}"))
    }

    /// Reads a template.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let inner = text.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let mut head = Vec::new();
        let mut tail: Option<Vec<u8>> = None;
        let mut segments = inner.split('/').peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "{*}" | "{**}" if tail.is_some() => return Err(TemplateError::AfterRest),
                "{**}" => tail = Some(Vec::new()),
                "{*}" => head.push(Segment::One),
                literal => {
                    check_literal(literal, segments.peek().is_none())?;
                    match &mut tail {
                        Some(tail) => {
                            tail.push(b'/');
                            tail.extend_from_slice(literal.as_bytes());
                        }
                        None => head.push(Segment::Literal(literal.as_bytes().into())),
                    }
                }
            }
        }
        Ok(Self { head: head.into(), tail: tail.map(Into::into) })
    }

    /// Whether the whole of `path` (without query) matches.
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut rest = path;
        for segment in &self.head {
            let Some(after) = rest.strip_prefix(b"/") else { return false };
            let end = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
            let Some((found, remaining)) = after.split_at_checked(end) else { return false };
            let fits = match segment {
                Segment::Literal(literal) => **literal == *found,
                Segment::One => !found.is_empty() && found.iter().all(|byte| is_segment_byte(*byte)),
            };
            if !fits {
                return false;
            }
            rest = remaining;
        }
        let Some(tail) = &self.tail else { return rest.is_empty() };
        let Some(middle) = rest.strip_prefix(b"/").and_then(|rest| rest.strip_suffix(&**tail)) else { return false };
        middle.iter().all(|byte| *byte == b'/' || is_segment_byte(*byte))
    }

    /// Its pieces, the slashes between segments included.
    ///
    /// ```
    /// use weir_matching::{Template, TemplatePart::{Literal, One, Rest}};
    ///
    /// let template = Template::parse("/a/{*}/{**}/z")?;
    /// let parts: Vec<_> = template.parts().collect();
    /// let slash = Literal(b"/");
    /// assert_eq!(parts, [slash, Literal(b"a"), slash, One, slash, Rest, Literal(b"/z")]);
    /// # Ok::<(), weir_matching::TemplateError>(())
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = TemplatePart<'_>> {
        let slash = TemplatePart::Literal(b"/");
        let head = self.head.iter().flat_map(move |segment| match segment {
            Segment::Literal(literal) => [slash, TemplatePart::Literal(literal)],
            Segment::One => [slash, TemplatePart::One],
        });
        let tail = self.tail.iter().flat_map(move |tail| [slash, TemplatePart::Rest, TemplatePart::Literal(tail)]);
        head.chain(tail)
    }

    pub(crate) fn head(&self) -> &[Segment] {
        &self.head
    }

    /// With `{**}`: the literal that follows it, perhaps empty.
    pub(crate) fn tail(&self) -> Option<&[u8]> {
        self.tail.as_deref()
    }
}

fn check_literal(literal: &str, last: bool) -> Result<(), TemplateError> {
    if literal.is_empty() {
        return if last { Ok(()) } else { Err(TemplateError::Empty) };
    }
    for byte in literal.bytes() {
        match byte {
            b'{' | b'}' => return Err(TemplateError::Brace),
            b'*' => return Err(TemplateError::Star),
            _ if is_segment_byte(byte) => {}
            _ => return Err(TemplateError::Character),
        }
    }
    Ok(())
}

/// What the operators match besides `/`.
pub fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=*".contains(&byte)
}

#[cfg(test)]
mod tests;
