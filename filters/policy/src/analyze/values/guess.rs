//! Texts that a reader would expect, tried before any other. A guess that does not fit costs nothing else.

use super::super::space::{Place, Question, View};
use weir_matching::Pattern;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

/// How many patterns of a question are tried.
const TRIED: usize = 8;

/// Guesses for a text that must answer these questions with yes.
pub(super) fn guesses(place: &Place, musts: &[&Question]) -> Vec<String> {
    let mut guesses = Vec::new();
    for Question { view, patterns, .. } in musts {
        guesses.extend(patterns.iter().take(TRIED).filter_map(|pattern| guess(place, view, pattern)));
    }
    match place {
        Place::Method => guesses.extend(METHODS.map(str::to_owned)),
        Place::Host | Place::ServerName => guesses.push("host.example".to_owned()),
        Place::Peer => guesses.push("spiffe://cluster.local/ns/x/sa/x".to_owned()),
        Place::Path
        | Place::Header(_)
        | Place::DirectAddress
        | Place::RemoteAddress
        | Place::DestinationAddress
        | Place::DestinationPort
        | Place::Claims
        | Place::Metadata { .. }
        | Place::Expression(_) => {}
    }
    guesses
}

/// A text that most likely matches a pattern.
fn guess(place: &Place, view: &View, pattern: &Pattern) -> Option<String> {
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).ok();
    let plain = match pattern {
        Pattern::Exact(exact) => text(exact)?,
        Pattern::Prefix(prefix) => text(prefix)? + "x",
        Pattern::Suffix(suffix) if *place == Place::Path => format!("/x{}", text(suffix)?),
        Pattern::Suffix(suffix) => format!("x{}", text(suffix)?),
        Pattern::Present | Pattern::Any | Pattern::Template(_) | Pattern::Glob(_) | Pattern::Cidr(_) => return None,
    };
    Some(match view {
        View::Principal => format!("spiffe://{plain}"),
        View::Namespace => format!("spiffe://cluster.local/ns/{}/sa/x", plain.split('/').next()?),
        View::ServiceAccount => {
            let (namespace, account) = plain.split_once('/')?;
            format!("spiffe://cluster.local/ns/{namespace}/sa/{account}")
        }
        View::TrustDomain => format!("spiffe://{plain}/ns/x/sa/x"),
        View::Text | View::Lower | View::Path(_) | View::RequestPrincipal | View::Claim(_) => plain,
    })
}
