//! Which texts a request can have in a place, as Envoy lets them through.
//!
//! Sources: Envoy's connection manager (`ActiveStream::decodeHeaders`: a path begins with `/`, and only CONNECT has none; a
//! host is there), `HeaderUtility::authorityIsValid`, `ConnectionSocketImpl::setRequestedServerName` (lower case), the
//! filter's own reading of names and claims.

/// Where a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Domain {
    /// A path with its query. What the connection manager has normalised is not left out.
    Path,
    /// The same, without a `/` behind a `;`, where the filter could not read it.
    ReadablePath,
    /// A host that is not empty.
    Host,
    /// Nothing but the empty text.
    Empty,
    Method,
    /// The value of a header.
    Header,
    /// A name of the peer.
    Name,
    /// One of several names of the peer, which are handed over joined by commas.
    NameOfSeveral,
    ServerName,
    /// `iss` and `sub`, a separator between them.
    RequestPrincipal,
    /// A string in a claim.
    Claim,
    /// One in a claim that is taken apart at spaces.
    ClaimWord,
    /// A string of another filter's metadata, behind its mark.
    MetadataText,
    /// A string of a list there.
    MetadataItem,
}

/// The separators of a request principal and the marks of metadata (`crate::dynamic`), and what must follow.
const START: u8 = 0;
const NON_EMPTY: u8 = 1;
const NEEDS_MORE: u8 = 2;
const DONE: u8 = 3;
const PARAMETERS: u8 = 4;
const QUERY: u8 = 5;

impl Domain {
    /// The state before the first character.
    pub(super) fn start(self) -> u8 {
        START
    }

    /// The state after another character; `None` if that cannot be.
    pub(super) fn next(self, state: u8, char: char) -> Option<u8> {
        let may = |may: bool| may.then_some(NON_EMPTY);
        match self {
            Self::Path | Self::ReadablePath if state == START => may(char == '/'),
            Self::Path => may(is_path(char)),
            Self::ReadablePath => match (state, char) {
                (QUERY, char) => is_path(char).then_some(QUERY),
                (_, '?') => Some(QUERY),
                (_, ';') => Some(PARAMETERS),
                (PARAMETERS, '/') => None,
                (state, char) => is_path(char).then_some(state),
            },
            Self::Host => may(is_authority(char)),
            Self::Empty => None,
            Self::Method => may(char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)),
            Self::Header => may(char == '\t' || char >= ' ' && char != '\u{7f}'),
            Self::Name => may(matches!(char, ' '..='~')),
            Self::NameOfSeveral => may(matches!(char, ' '..='~') && char != ','),
            Self::ServerName => may(matches!(char, '!'..='~') && !char.is_ascii_uppercase()),
            Self::RequestPrincipal => next_of_principal(state, char),
            Self::Claim => may(char != '\n'),
            Self::ClaimWord => may(!matches!(char, '\n' | ' ')),
            Self::MetadataText => next_of_metadata(state, char, ('s', 'e')),
            Self::MetadataItem => next_of_metadata(state, char, ('i', 'm')),
        }
    }

    /// Whether a text may end in that state.
    pub(super) fn may_end(self, state: u8) -> bool {
        match self {
            Self::Empty | Self::Header | Self::Claim => true,
            Self::Path
            | Self::ReadablePath
            | Self::Host
            | Self::Method
            | Self::Name
            | Self::NameOfSeveral
            | Self::ServerName => state != START,
            // No word is empty.
            Self::ClaimWord => state != START,
            Self::RequestPrincipal | Self::MetadataText | Self::MetadataItem => state == DONE || state == PARAMETERS,
        }
    }

    /// Characters that change the state otherwise than others do.
    pub(super) fn special(self) -> &'static str {
        match self {
            Self::Path | Self::Name | Self::NameOfSeveral => "/",
            Self::ReadablePath => "/;?",
            Self::RequestPrincipal => "\u{0}\u{1}\u{2}\u{3}",
            Self::MetadataText => "se",
            Self::MetadataItem => "im",
            Self::Host
            | Self::Empty
            | Self::Method
            | Self::Header
            | Self::ServerName
            | Self::Claim
            | Self::ClaimWord => "",
        }
    }
}

/// Envoy refuses a fragment, or Istio has it taken off.
fn is_path(char: char) -> bool {
    char > ' ' && char != '\u{7f}' && char != '#'
}

fn is_authority(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!$%&'()*+,-.:;=@[]_~".contains(char)
}

/// An issuer, a separator that says which of the two is empty, a subject.
fn next_of_principal(state: u8, char: char) -> Option<u8> {
    match (state, char) {
        (NON_EMPTY, '\u{0}') | (START, '\u{2}') => Some(NEEDS_MORE),
        (NON_EMPTY, '\u{1}') | (START, '\u{3}') => Some(DONE),
        (_, ..' ') => None,
        (START | NON_EMPTY, _) => Some(NON_EMPTY),
        // A subject that has begun.
        (NEEDS_MORE | PARAMETERS, _) => Some(PARAMETERS),
        _ => None,
    }
}

/// A mark for a text that is not empty, which follows, or one for an empty one.
fn next_of_metadata(state: u8, char: char, (full, empty): (char, char)) -> Option<u8> {
    match (state, char) {
        (START, char) if char == full => Some(NEEDS_MORE),
        (START, char) if char == empty => Some(DONE),
        (NEEDS_MORE | PARAMETERS, char) => (char != '\n').then_some(PARAMETERS),
        _ => None,
    }
}
