//! The names of fields in lines of JSON whose format is not given: Istio's, those of the format that `weir replay` prints, and
//! those of audit records.

use super::operator::Says;

/// Where Envoy's JWT filter leaves claims, as Istio configures it.
pub(crate) const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";
pub(crate) const JWT_PAYLOAD: &str = "payload";

/// Objects whose fields are named after what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// The first value of each header.
    Headers,
    /// All values of each, joined by commas.
    JoinedHeaders,
    Claims,
    /// By filter.
    Metadata,
}

/// A field of a line whose format is not given.
pub(crate) fn of(name: &[u8]) -> Option<Result<Says, Group>> {
    Some(Ok(match name {
        b"method" => Says::Method,
        b"path" => Says::OriginalPathOrPath,
        b"original_path" => Says::OriginalPath,
        b"authority" | b"host" => Says::Host,
        b"x_forwarded_for" => Says::Header("x-forwarded-for".into()),
        b"user_agent" => Says::Header("user-agent".into()),
        b"request_id" => Says::Header("x-request-id".into()),
        b"downstream_remote_address" => Says::RemoteAddress,
        b"downstream_direct_remote_address" => Says::DirectAddress,
        b"downstream_local_address" => Says::LocalAddress,
        b"requested_server_name" => Says::CleanServerName,
        b"server_name" => Says::ServerName,
        b"downstream_peer_uri_san" => Says::UriSans,
        b"downstream_peer_dns_san" => Says::DnsSans,
        b"downstream_peer_subject" => Says::Subject,
        b"peer_principal" => Says::PeerPrincipal,
        b"downstream_tls_version" => Says::TlsVersion,
        b"response_code" => Says::Code,
        b"response_code_details" => Says::Details,
        b"upstream_host" => Says::UpstreamHost,
        b"upstream_cluster" => Says::UpstreamCluster,
        b"start_time" => Says::Time,
        b"jwt_payload" => Says::Claim(Box::default()),
        b"headers" => return Some(Err(Group::Headers)),
        b"joined_headers" => return Some(Err(Group::JoinedHeaders)),
        b"claims" => return Some(Err(Group::Claims)),
        b"metadata" => return Some(Err(Group::Metadata)),
        _ => return None,
    }))
}
