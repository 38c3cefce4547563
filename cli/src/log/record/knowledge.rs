//! How much a line says of what rules look at.

use super::Record;
use crate::log::header::Known;
use weir_policy::{Knowledge, RequestField};

impl Record<'_> {
    /// Whether the server name is as it was sent.
    pub(super) fn is_name_known(&self) -> bool {
        !(self.is_clean_name && matches!(&self.server_name, Known::Perhaps(name) if name.contains(&b'_')))
    }

    /// How much is known of what a rule looks at.
    pub(crate) fn knowledge(&self, field: &RequestField) -> Knowledge {
        let whole = |is_known: bool| if is_known { Knowledge::Whole } else { Knowledge::Nothing };
        match field {
            RequestField::Method => self.method.values().0,
            RequestField::Path => self.path.values().0,
            RequestField::Host => self.host.values().0,
            RequestField::Header(name) => {
                let header = self.headers.iter().find(|(known, _)| known == name);
                header.map_or(Knowledge::Nothing, |(name, header)| header.values(name).0)
            }
            RequestField::ServerName if self.is_name_known() => self.server_name.values().0,
            RequestField::ServerName => Knowledge::Nothing,
            RequestField::Principal => whole(self.is_peer_known()),
            RequestField::DirectAddress => whole(self.direct_address.is_some()),
            RequestField::RemoteAddress => whole(self.remote_address.is_some()),
            RequestField::DestinationAddress => whole(self.local_address.is_some()),
            RequestField::DestinationPort => whole(self.local_address.is_some_and(|(_, port)| port.is_some())),
            RequestField::Claims => whole(self.has_claim(&[])),
            RequestField::RequestPrincipal => whole(["iss", "sub"].iter().all(|name| self.has_claim(&[name]))),
            RequestField::Claim(path) => whole(self.has_claim(&path.iter().map(|name| &**name).collect::<Vec<_>>())),
            // What it answered is in no line, or only in part. What an expression comes to, Envoy alone can tell.
            RequestField::Provider(_) | RequestField::Expression(_) => Knowledge::Nothing,
            RequestField::Metadata(filter) => {
                whole(self.metadata.iter().any(|(known, path, _)| known == filter && path.is_empty()))
            }
            RequestField::MetadataValue { filter, key } => {
                let is_key = |path: &[Box<str>]| path.is_empty() || (path.len() == 1 && path.first() == Some(key));
                whole(self.metadata.iter().any(|(known, path, _)| known == filter && is_key(path)))
            }
        }
    }

    /// Whether the line has a claim, or says that there is none.
    fn has_claim(&self, names: &[&str]) -> bool {
        let leads_to =
            |path: &[String]| path.len() <= names.len() && path.iter().zip(names).all(|(known, name)| known == name);
        self.claims.iter().any(|(path, _)| leads_to(path))
    }

    /// Whether it is known who the peer is. Without a certificate it is filter state that says it, or nothing; a certificate
    /// without a URI may have other names.
    fn is_peer_known(&self) -> bool {
        let is_absent = |known: &Known<'_>| matches!(known, Known::Absent | Known::Perhaps(_));
        match (&self.peer_principal, &self.uri_sans) {
            (Known::Value(_), _) => true,
            (_, Known::Value(_)) => true,
            (state, names) if is_absent(state) && is_absent(names) => {
                let others = [&self.dns_sans, &self.subject];
                is_absent(&self.tls_version) || others.iter().all(|known| **known != Known::Unknown)
            }
            _ => false,
        }
    }

    /// What the line says of, for a request that is written field by field.
    pub(crate) fn fields(&self) -> Vec<RequestField> {
        let mut fields = vec![
            RequestField::Method,
            RequestField::Path,
            RequestField::Host,
            RequestField::ServerName,
            RequestField::DirectAddress,
            RequestField::RemoteAddress,
            RequestField::DestinationAddress,
            RequestField::DestinationPort,
            RequestField::Principal,
            RequestField::RequestPrincipal,
        ];
        fields.extend(self.headers.iter().map(|(name, _)| RequestField::Header(name.clone())));
        fields.extend(self.claims.iter().map(|(path, _)| match path.as_slice() {
            [] => RequestField::Claims,
            path => RequestField::Claim(path.iter().map(|name| name.as_str().into()).collect()),
        }));
        fields.extend(self.metadata.iter().filter_map(|(filter, path, _)| match &**path {
            [] => Some(RequestField::Metadata(filter.clone())),
            [key] => Some(RequestField::MetadataValue { filter: filter.clone(), key: key.clone() }),
            _ => None,
        }));
        fields
    }
}
