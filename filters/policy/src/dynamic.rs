//! How values of dynamic metadata are written so that one pattern over bytes says what Envoy's matchers say of them.
//!
//! A request principal is two claims, `iss` and `sub`, each with a matcher of its own. They are written with a separator
//! between them that also says which of the two is empty, since `*` asks for a claim that is not. Another filter's value is
//! written with a mark before it, since a pattern is either for a string or for the strings of a list.

use weir_config::Cursor;
use weir_matching::{Glob, Pattern};

/// The separators of a request principal, by whether issuer and subject are empty.
const BOTH: u8 = 0;
const NO_SUBJECT: u8 = 1;
const NO_ISSUER: u8 = 2;
const NEITHER: u8 = 3;

/// Principals with a control character are not compared: a separator could be one.
const FIRST_COMPARED: u8 = 0x20;

/// The marks before a string, one that is not empty first, and before a string in a list.
const TEXT: u8 = b's';
const EMPTY_TEXT: u8 = b'e';
const ITEM: u8 = b'i';
const EMPTY_ITEM: u8 = b'm';

/// Writes a request principal to `out`; `false` if it cannot be compared.
pub(crate) fn write_request_principal(issuer: &[u8], subject: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.extend_from_slice(issuer);
    out.push(separator(issuer, subject));
    out.extend_from_slice(subject);
    [issuer, subject].iter().all(|claim| claim.iter().all(|byte| *byte >= FIRST_COMPARED))
}

/// Takes a written request principal apart.
pub(crate) fn issuer_and_subject(written: &[u8]) -> (&[u8], &[u8]) {
    let at = written.iter().position(|byte| *byte < FIRST_COMPARED).unwrap_or(written.len());
    (written.get(..at).unwrap_or_default(), written.get(at + 1..).unwrap_or_default())
}

fn separator(issuer: &[u8], subject: &[u8]) -> u8 {
    match (issuer, subject) {
        ([], []) => NEITHER,
        ([], _) => NO_ISSUER,
        (_, []) => NO_SUBJECT,
        _ => BOTH,
    }
}

/// The pattern of a request principal, as Istio splits it: at the last `/` into matchers of `iss` and `sub`.
#[inline(never)]
pub(crate) fn request_principal(at: &Cursor<'_>, text: &str) -> Option<Pattern> {
    if text.bytes().any(|byte| byte < FIRST_COMPARED) {
        return at.problem("a request principal has no control characters");
    }
    let joined = |issuer: &[u8], subject: &[u8]| [issuer, &[separator(issuer, subject)], subject].concat().into();
    Some(match (text.rsplit_once('/'), text.strip_prefix('*'), text.strip_suffix('*')) {
        _ if text == "*" => Pattern::Glob(Glob::of_three(b"", &[BOTH], b"")),
        // `*` alone asks for an issuer, and not for which.
        (Some(("*", subject)), ..) => {
            let between = if subject.is_empty() { NO_SUBJECT } else { BOTH };
            Pattern::Suffix([&[between], subject.as_bytes()].concat().into())
        }
        (Some((issuer, subject)), Some(_), _) => {
            Pattern::Suffix(joined(issuer.strip_prefix('*').unwrap_or(issuer).as_bytes(), subject.as_bytes()))
        }
        (None, Some(subject), _) => Pattern::Glob(Glob::of_three(b"", &[BOTH], subject.as_bytes())),
        // What follows a `*` is not asked for: the subject is not empty.
        (Some((issuer, subject)), None, Some(_)) => {
            let subject = subject.strip_suffix('*').unwrap_or(subject);
            let between = if issuer.is_empty() { NO_ISSUER } else { BOTH };
            Pattern::Prefix([issuer.as_bytes(), &[between], subject.as_bytes()].concat().into())
        }
        (None, None, Some(issuer)) => Pattern::Glob(Glob::of_three(issuer.as_bytes(), &[BOTH], b"")),
        (Some((issuer, subject)), None, None) => Pattern::Exact(joined(issuer.as_bytes(), subject.as_bytes())),
        (None, None, None) => Pattern::Exact(joined(text.as_bytes(), b"")),
    })
}

/// Writes a string of another filter's metadata to `out`.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write(if text.is_empty() { EMPTY_TEXT } else { TEXT }, text, out);
}

/// Writes a string of a list there.
pub(crate) fn write_item(item: &[u8], out: &mut Vec<u8>) {
    write(if item.is_empty() { EMPTY_ITEM } else { ITEM }, item, out);
}

fn write(mark: u8, text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(mark);
    out.extend_from_slice(text);
}

/// The pattern of a value there: `[value]` is for the strings of a list, and another one for a string.
#[inline(never)]
pub(crate) fn metadata(text: &str) -> Pattern {
    let is_item = text.starts_with('[') && text.ends_with(']');
    let (mark, empty, text) =
        if is_item { (ITEM, EMPTY_ITEM, text.trim_matches(['[', ']'])) } else { (TEXT, EMPTY_TEXT, text) };
    let marked = |text: &[u8]| [&[mark], text].concat().into();
    match Pattern::parse(text) {
        Pattern::Present => Pattern::Prefix(marked(b"")),
        Pattern::Exact(text) if text.is_empty() => Pattern::Exact([empty].into()),
        Pattern::Exact(text) => Pattern::Exact(marked(&text)),
        Pattern::Prefix(text) => Pattern::Prefix(marked(&text)),
        Pattern::Suffix(text) => Pattern::Glob(Glob::of_three(&[mark], b"", &text)),
        other => other,
    }
}

#[cfg(test)]
mod tests;
