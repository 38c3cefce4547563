//! What a provider answers: the request goes on with changes, is refused with the provider's own response, or the provider
//! has failed.
//!
//! Semantics: Envoy's `ext_authz_grpc_impl.cc`, `ext_authz_http_impl.cc` and the filter's `onComplete`.

use super::check::is_named;
use super::provider::{HttpProvider, Protocol};
use super::query;
use weir_model::{
    Answer, CallFailure, EditedHeaders, HeaderEdit, Headers, Kept, Reply, is_header_name, is_header_value,
};
use weir_proto::ext_authz::{CheckResponse, DeniedResponse, HeaderOption, NameValue, OkResponse};
use weir_proto::{StructMessage, decode};

/// The most changes that one answer may ask for. Envoy's header maps hold a hundred headers unless they are configured to
/// hold more.
const CHANGES: usize = 1024;

/// A refusal whose own status no answer can have.
const FORBIDDEN: u16 = 403;

/// What a provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consulted {
    /// The request goes on.
    Allowed(Box<Changes>),
    /// It is answered so.
    Refused(Box<Reply>),
    /// There is no answer to go by. A gRPC provider may say how a request is answered then.
    Failed(Failure, Option<Box<Reply>>),
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Envoy does not know the cluster.
    NoCluster,
    /// No host of the cluster can be asked.
    NoHost,
    /// The host would not send the check.
    NotSent,
    /// The answer did not come in time.
    Timeout,
    /// The connection could not be made, or broke.
    Unavailable,
    /// The provider answered with an error of its own.
    Error,
    /// It answered, and that cannot be read.
    BadAnswer,
    /// Too many requests wait already.
    Overload,
    /// The policies do not name one provider that is there.
    NoProvider,
    /// What it would change of the request cannot be sent: that refuses even with `failOpen`, as in Envoy.
    Invalid,
}

/// What happens to a request that is allowed, and to its response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    request: Vec<Change>,
    remove: Vec<Vec<u8>>,
    query_to_set: Vec<NameValue>,
    query_to_remove: Vec<String>,
    pub(crate) response: Vec<Change>,
}

/// A change of a header map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    how: How,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// How a header changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Add,
    AddIfAbsent,
    Set,
    SetIfPresent,
    /// To the first value, behind a comma.
    Append,
}

impl Consulted {
    /// The word for it in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "ok",
            Self::Refused(_) => "denied",
            Self::Failed(failure, _) => failure.word(),
        }
    }

    /// Reads the answer to a check that was sent `elapsed` nanoseconds ago, and its metadata.
    #[inline(never)]
    pub(crate) fn of(
        protocol: &Protocol,
        timeout_millis: u32,
        answer: Answer<'_>,
        elapsed: u64,
    ) -> (Self, Option<StructMessage>) {
        // Envoy's timers run from when its event loop began the turn, so they may fire early.
        let is_late = elapsed >= u64::from(timeout_millis).saturating_mul(900_000);
        let consulted = match (protocol, answer) {
            (Protocol::Grpc { .. }, Answer::Grpc { message }) => return of_grpc(message),
            (Protocol::Http(http), Answer::Http { headers, body }) => of_http(http, headers, body, is_late),
            // What refuses, refuses without its body too.
            (Protocol::Http(http), Answer::TooLarge { headers, .. }) => match of_http(http, headers, b"", is_late) {
                Self::Allowed(_) => Self::failed(Failure::BadAnswer),
                consulted => consulted,
            },
            (_, Answer::Failed(CallFailure::Reset | CallFailure::Status(14))) if is_late => {
                Self::failed(Failure::Timeout)
            }
            (_, Answer::Failed(failure)) => Self::failed(Failure::of(failure)),
            (_, Answer::Http { .. } | Answer::Grpc { .. } | Answer::TooLarge { .. }) => {
                Self::failed(Failure::BadAnswer)
            }
        };
        (consulted, None)
    }

    /// Why there is no answer to go by, if there is none.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Allowed(_) | Self::Refused(_) => None,
            Self::Failed(failure, _) => Some(failure.word()),
        }
    }

    /// Without a word of the provider about it.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self::Failed(failure, None)
    }
}

impl Failure {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoCluster => "no_cluster",
            Self::NoHost => "no_host",
            Self::NotSent => "not_sent",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Error => "error",
            Self::BadAnswer | Self::Invalid => "bad_answer",
            Self::Overload => "overload",
            Self::NoProvider => "no_provider",
        }
    }

    fn of(failure: CallFailure) -> Self {
        match failure {
            CallFailure::NoCluster => Self::NoCluster,
            CallFailure::NoHost => Self::NoHost,
            CallFailure::NotSent => Self::NotSent,
            // `UNAVAILABLE`: Envoy says so of timeouts and broken connections. `INTERNAL`: of what it could not read.
            CallFailure::Reset | CallFailure::Status(14) => Self::Unavailable,
            CallFailure::Unreadable | CallFailure::Status(13) => Self::BadAnswer,
            CallFailure::Status(_) => Self::Error,
        }
    }
}

/// What a 5xx says. Envoy answers itself where there is no answer, and says why in the body; not if it was asked by HEAD.
fn of_5xx(status: u16, headers: Headers<'_>, body: &[u8], is_late: bool) -> Failure {
    let is_unavailable =
        |text: &[u8]| text.starts_with(b"upstream connect error") || text.starts_with(b"no healthy upstream");
    // Envoy's own answer has a status, a length and a type.
    let is_bare = body.is_empty() && headers.len() <= 3;
    match status {
        503 if is_unavailable(body) || is_bare => Failure::Unavailable,
        504 if body.starts_with(b"upstream request timeout") || (is_bare && is_late) => Failure::Timeout,
        _ => Failure::Error,
    }
}

/// What a status of gRPC says. Envoy answers so itself where there is no answer to a check that looks like a gRPC call, which
/// is up to the client if the check has its content type.
fn of_grpc_status(status: &[u8], headers: Headers<'_>, is_late: bool) -> Failure {
    let message = headers.first(b"grpc-message").unwrap_or_default();
    match status {
        b"14" if is_late || message.starts_with(b"upstream request timeout") => Failure::Timeout,
        b"14" => Failure::Unavailable,
        _ => Failure::Error,
    }
}

#[inline(never)]
fn of_http(http: &HttpProvider, headers: Headers<'_>, body: &[u8], is_late: bool) -> Consulted {
    let of_grpc = headers.first(b"grpc-status").filter(|status| *status != b"0");
    let status = headers.first(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse::<u16>().ok());
    let pairs =
        headers.iter().filter(|(name, _)| !name.starts_with(b":") && *name != b"x-envoy-auth-headers-to-remove");
    match status {
        Some(200) if of_grpc.is_some() => {
            Consulted::failed(of_grpc_status(of_grpc.unwrap_or_default(), headers, is_late))
        }
        Some(200) => {
            let mut changes = Changes::default();
            for (name, value) in pairs {
                let change = |how, name: &[u8]| Change { how, name: name.to_vec(), value: value.to_vec() };
                let of_request = is_named(&http.to_upstream, name).then(|| change(How::Set, of_request(name)));
                changes.request.extend(of_request);
                changes.response.extend(is_named(&http.on_allow, name).then(|| change(How::Add, name)));
            }
            let removed =
                headers.all(b"x-envoy-auth-headers-to-remove").flat_map(|list| list.split(|byte| *byte == b','));
            let removed = removed.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
            changes.remove.extend(removed.map(<[u8]>::to_ascii_lowercase));
            changes.bounded()
        }
        Some(status @ 500..600) => Consulted::failed(of_5xx(status, headers, body, is_late)),
        Some(status) => {
            let is_passed = |name: &[u8]| {
                http.on_deny.is_empty()
                    || is_named(&http.on_deny, name)
                    || matches!(name, b"content-length" | b"www-authenticate" | b"location")
            };
            let passed = pairs.filter(|(name, _)| is_passed(name));
            let headers = passed.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            let status = if is_status(status) { status } else { FORBIDDEN };
            Consulted::Refused(Box::new(reply("ext_authz_denied", status, headers, body.to_vec())))
        }
        None => Consulted::failed(Failure::BadAnswer),
    }
}

/// Details are those of Envoy's filter.
fn reply(details: &str, status: u16, headers: Vec<(Vec<u8>, Vec<u8>)>, body: Vec<u8>) -> Reply {
    // Envoy writes the length of what it sends.
    let headers = headers.into_iter().filter(|(name, _)| name != b"content-length").collect();
    Reply { status, details: details.to_owned(), body, headers, grpc_status: None }
}

/// Whether an answer can have that status.
fn is_status(status: u16) -> bool {
    matches!(status, 200..1000)
}

/// The name that Envoy has for a header of a request.
fn of_request(name: &[u8]) -> &[u8] {
    if name == b"host" { b":authority" } else { name }
}

/// What a gRPC provider wants a client to get. The status is 0 if it says none that an answer can have.
fn local_reply(details: &str, response: DeniedResponse) -> Reply {
    let DeniedResponse { status, headers, body } = response;
    let status = u16::try_from(status.unwrap_or_default().code).ok().filter(|status| is_status(*status));
    // Envoy leaves out what is to be appended.
    let headers = headers.into_iter().filter(|option| !option.append.is_some_and(|append| append.value));
    let changes = headers.filter_map(|option| Change::of(option, true)).filter(|change| !change.name.starts_with(b":"));
    let headers = changes.take(CHANGES).map(|change| (change.name, change.value)).collect();
    reply(details, status.unwrap_or(0), headers, body.into_bytes())
}

#[inline(never)]
fn of_grpc(message: &[u8]) -> (Consulted, Option<StructMessage>) {
    let Some(mut response) = decode::<CheckResponse>(message) else {
        return (Consulted::failed(Failure::BadAnswer), None);
    };
    let older = response.ok.as_mut().and_then(|ok| ok.dynamic_metadata.take());
    let fields = [older, response.dynamic_metadata.take()].into_iter().flatten();
    let fields = fields.into_iter().find(|fields| !fields.fields.is_empty());
    (of_response(response), fields)
}

#[inline(never)]
fn of_response(response: CheckResponse) -> Consulted {
    let CheckResponse { status, denied: refusal, ok, error, .. } = response;
    if status.unwrap_or_default().code == 0 {
        let OkResponse { headers, headers_to_remove, response_headers, query_to_set, query_to_remove, .. } =
            ok.unwrap_or_default();
        let changes = Changes {
            request: headers.into_iter().filter_map(|option| Change::of(option, false)).collect(),
            remove: headers_to_remove.into_iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect(),
            query_to_set,
            query_to_remove,
            response: response_headers.into_iter().filter_map(|option| Change::of(option, true)).collect(),
        };
        return changes.bounded();
    }
    if let Some(response) = error {
        return Consulted::Failed(Failure::Error, Some(Box::new(local_reply("ext_authz_error", response))));
    }
    let mut reply = local_reply("ext_authz_denied", refusal.unwrap_or_default());
    if reply.status == 0 {
        reply.status = FORBIDDEN;
    }
    Consulted::Refused(Box::new(reply))
}

impl Change {
    /// What a gRPC provider asks for; `None` for what no header can be.
    fn of(option: HeaderOption, of_response: bool) -> Option<Self> {
        let HeaderOption { header, append, append_action } = option;
        let NameValue { key, value } = header?;
        let name = key.to_ascii_lowercase().into_bytes();
        // Up to 1.40 Envoy looks at the action for responses only.
        let how = match (append.map(|append| append.value), append_action) {
            (Some(true), _) if of_response => How::Add,
            (Some(true), _) => How::Append,
            (None, 0) if of_response => How::Add,
            (None, 1) if of_response => How::AddIfAbsent,
            (None, 3) if of_response => How::SetIfPresent,
            (Some(false) | None, _) => How::Set,
        };
        let name = if of_response { name } else { of_request(&name).to_vec() };
        is_header_name(&name).then(|| Self { how, name, value: value.into_bytes() })
    }

    /// The edit that makes this change of a header map.
    fn edit(self, headers: &EditedHeaders<'_>) -> Vec<HeaderEdit> {
        let Self { how, name, value } = self;
        let first = headers.first(&name);
        match (how, first) {
            (How::Add, _) | (How::AddIfAbsent, None) => vec![HeaderEdit::Add(name, value)],
            (How::Set, _) | (How::SetIfPresent, Some(_)) => vec![HeaderEdit::Replace(name, value)],
            (How::AddIfAbsent, Some(_)) | (How::SetIfPresent | How::Append, None) => Vec::new(),
            (How::Append, Some(first)) => {
                let mark: &[u8] = if name == b"cookie" { b"; " } else { b"," };
                let rest: Vec<HeaderEdit> =
                    headers.all(&name).skip(1).map(|other| HeaderEdit::Add(name.clone(), other.to_vec())).collect();
                let joined = HeaderEdit::Replace(name.clone(), [first, mark, &value].concat());
                std::iter::once(joined).chain(rest).collect()
            }
        }
    }
}

/// The edits that make these changes of a header map.
pub(crate) fn edits(changes: Vec<Change>, headers: Headers<'_>) -> Vec<HeaderEdit> {
    if changes.is_empty() {
        return Vec::new();
    }
    let mut edited = EditedHeaders::new(headers);
    let mut edits = Vec::with_capacity(changes.len());
    for change in changes {
        for edit in change.edit(&edited) {
            edited.apply(&edit);
            edits.push(edit);
        }
    }
    edits
}

impl Changes {
    fn bounded(self) -> Consulted {
        let Self { request, remove, query_to_set, query_to_remove, response } = &self;
        let count = request.len() + remove.len() + query_to_set.len() + query_to_remove.len() + response.len();
        // What is decided on is what is sent, and such bytes are not.
        let is_sent =
            |NameValue { key, value }: &NameValue| [key, value].iter().all(|text| is_header_value(text.as_bytes()));
        if count > CHANGES {
            return Consulted::failed(Failure::BadAnswer);
        }
        let can_be_made =
            request.iter().all(|change| is_header_value(&change.value)) && query_to_set.iter().all(is_sent);
        if can_be_made { Consulted::Allowed(Box::new(self)) } else { Consulted::failed(Failure::Invalid) }
    }

    /// The edits of the request's headers. They are made in `kept` too. What is left is for the response.
    pub(crate) fn edit_request(&mut self, kept: &mut Kept) -> Vec<HeaderEdit> {
        let Self { request, remove, query_to_set, query_to_remove, response: _ } = self;
        let mut all = edits(std::mem::take(request), kept.facts().request_headers);
        // What makes a request cannot be removed.
        let removable = |name: &Vec<u8>| is_header_name(name) && !name.starts_with(b":") && name != b"host";
        all.extend(std::mem::take(remove).into_iter().filter(removable).map(HeaderEdit::Remove));
        kept.edit(&all);
        if !query_to_set.is_empty() || !query_to_remove.is_empty() {
            // CONNECT may have none.
            let path = kept.facts().request_headers.first(b":path");
            let path = path.map(|path| query::edit(path, query_to_set, query_to_remove));
            let path = path.map(|path| HeaderEdit::Replace(b":path".to_vec(), path));
            kept.edit(path.as_slice());
            all.extend(path);
        }
        all
    }
}

#[cfg(test)]
mod tests;
