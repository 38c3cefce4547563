//! Command operators of Envoy's log formats, and what of a request each says.

/// What an operator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Method,
    /// `:path` when the line is written.
    Path,
    /// `x-envoy-original-path`, which a rewriting route sets, or a client.
    OriginalPath,
    /// The second, and where it is absent the first.
    OriginalPathOrPath,
    Host,
    /// The first value of a header by its name in lower case.
    Header(Box<str>),
    /// All values of a header, joined by commas.
    JoinedHeader(Box<str>),
    RemoteAddress,
    DirectAddress,
    LocalAddress,
    LocalPort,
    ServerName,
    /// The server name with `_` for what no host name has.
    CleanServerName,
    UriSans,
    DnsSans,
    Subject,
    /// Istio's filter state.
    PeerPrincipal,
    TlsVersion,
    /// A claim by the names that lead to it; all claims without one.
    Claim(Box<[Box<str>]>),
    /// A value of a filter's dynamic metadata by the names that lead to it; all of it without one.
    Metadata(Box<str>, Box<[Box<str>]>),
    Code,
    Details,
    UpstreamHost,
    UpstreamCluster,
    Time,
    /// What Weir has decided, in words: of an audit record.
    Decision,
    /// Its mode, and why.
    Mode,
    Reason,
    /// The policy that decided, and the rule.
    Policy,
    Rule,
    /// Nothing that matters here.
    Other,
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) says: Says,
    /// How many bytes of the value are written at most.
    pub(crate) limit: Option<usize>,
}

impl Operator {
    pub(crate) fn of(says: Says) -> Self {
        Self { says, limit: None }
    }

    /// Reads what stands between two `%`.
    pub(crate) fn read(text: &str) -> Self {
        let (name, argument, rest) = match text.split_once('(') {
            None => {
                let (name, limit) = text.split_once(':').map_or((text, ""), |(name, limit)| (name, limit));
                (name, None, limit)
            }
            Some((name, rest)) => {
                let (argument, rest) = rest.rsplit_once(')').unwrap_or((rest, ""));
                (name, Some(argument), rest.trim_start_matches(':'))
            }
        };
        let says = match argument {
            None => plain(name),
            Some(argument) => with_argument(name, argument),
        };
        Self { says, limit: rest.parse().ok() }
    }
}

fn plain(name: &str) -> Says {
    match name {
        "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Says::RemoteAddress,
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => Says::DirectAddress,
        "DOWNSTREAM_LOCAL_ADDRESS" | "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Says::LocalAddress,
        "DOWNSTREAM_LOCAL_PORT" => Says::LocalPort,
        "REQUESTED_SERVER_NAME" => Says::CleanServerName,
        "DOWNSTREAM_PEER_URI_SAN" => Says::UriSans,
        "DOWNSTREAM_PEER_DNS_SAN" => Says::DnsSans,
        "DOWNSTREAM_PEER_SUBJECT" => Says::Subject,
        "DOWNSTREAM_TLS_VERSION" => Says::TlsVersion,
        "RESPONSE_CODE" => Says::Code,
        "RESPONSE_CODE_DETAILS" => Says::Details,
        "UPSTREAM_HOST" => Says::UpstreamHost,
        "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Says::UpstreamCluster,
        "START_TIME" => Says::Time,
        "PATH" => Says::OriginalPathOrPath,
        _ => Says::Other,
    }
}

fn with_argument(name: &str, argument: &str) -> Says {
    match name {
        "REQ" | "REQUEST_HEADER" | "REQ_WITHOUT_QUERY" => header(&argument.to_ascii_lowercase()),
        "START_TIME" => Says::Time,
        "PATH" => match argument.split_once(':').map_or("", |(_, of)| of) {
            "PATH" => Says::Path,
            "ORIG" => Says::OriginalPath,
            _ => Says::OriginalPathOrPath,
        },
        "FILTER_STATE" if argument == "io.istio.peer_principal:PLAIN" => Says::PeerPrincipal,
        "DYNAMIC_METADATA" => {
            let mut names = argument.split(':').map(Box::from);
            let filter: Box<str> = names.next().unwrap_or_default();
            let path: Box<[Box<str>]> = names.collect();
            match path.split_first() {
                Some((first, claims))
                    if &*filter == super::names::JWT_FILTER && &**first == super::names::JWT_PAYLOAD =>
                {
                    Says::Claim(claims.into())
                }
                _ => Says::Metadata(filter, path),
            }
        }
        "CEL" => expression(argument.trim()),
        _ => Says::Other,
    }
}

fn header(argument: &str) -> Says {
    match argument {
        ":method" => Says::Method,
        ":path" => Says::Path,
        "x-envoy-original-path" => Says::OriginalPath,
        "x-envoy-original-path?:path" => Says::OriginalPathOrPath,
        ":authority" | "host" => Says::Host,
        // Which of the two it is, the line does not say.
        name if name.contains('?') || name.starts_with(':') => Says::Other,
        name => Says::Header(name.into()),
    }
}

/// Those expressions that a format of ours has.
fn expression(text: &str) -> Says {
    if text == "connection.requested_server_name" {
        return Says::ServerName;
    }
    let name = text.strip_prefix("request.headers[").and_then(|rest| rest.strip_suffix(']')).map(str::trim);
    let unquoted = |name: &str, mark: char| name.strip_prefix(mark)?.strip_suffix(mark).map(str::to_owned);
    match name.and_then(|name| unquoted(name, '\'').or_else(|| unquoted(name, '"'))) {
        Some(name) if !name.contains(['\'', '"', '\\']) => Says::JoinedHeader(name.to_ascii_lowercase().into()),
        _ => Says::Other,
    }
}

#[cfg(test)]
mod tests;
