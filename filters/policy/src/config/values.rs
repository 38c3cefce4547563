//! The values of a clause: text to patterns, by what the clause looks at.

use super::quarantine::OnInvalid;
use super::trust_domain::TrustDomains;
use crate::config::object::Field;
use crate::custom::check;
use crate::dynamic;
use weir_config::Cursor;
use weir_matching::{Cidr, Glob, Pattern, Template};

/// What values may refer to.
pub(super) struct Context<'a> {
    /// The policy's namespace, for service accounts without one.
    pub(super) namespace: &'a str,
    /// The trust domains that principals are expanded to.
    pub(super) trust: &'a TrustDomains,
    /// Namespace and name of the policy, for messages.
    pub(super) policy: &'a str,
    /// Whether the policy asks a provider.
    pub(super) custom: bool,
    /// Whether it refuses what it matches.
    pub(super) denies: bool,
    /// Which warning a clause on the direct peer's address deserves, if it cannot be had.
    pub(super) direct_address_unknown: Option<&'static str>,
    /// What happens to a rule with a problem.
    pub(super) on_invalid: OnInvalid,
}

/// The most service accounts in one list, and the most bytes of each (Istio's validation).
const SERVICE_ACCOUNTS: usize = 16;
const SERVICE_ACCOUNT_BYTES: usize = 320;

/// Reads a list of values. An empty one asks nothing, as if the field were not there (Istio's validation).
pub(super) fn read(at: &Cursor<'_>, field: &Field, context: &Context<'_>) -> Option<Box<[Pattern]>> {
    let mut items = at.items()?;
    if items.len() == 0 {
        return None;
    }
    if context.custom && !check::may_be_custom(field) {
        return at.problem("a CUSTOM policy asks before Istio knows who the peer is, so it cannot look at that");
    }
    if *field == Field::ServiceAccount && items.len() > SERVICE_ACCOUNTS {
        at.problem::<()>(format!("at most {SERVICE_ACCOUNTS} service accounts can be listed"));
    }
    if *field == Field::DirectAddress
        && let Some(id) = context.direct_address_unknown
    {
        let policy = context.policy;
        let message = format!(
            "policy `{policy}` asks for the address of the direct peer, which Envoy shows no Wasm filter: in a DENY policy \
             this holds for every request, in an ALLOW policy for none; give `workload.directAddress`, and let a \
             set_filter_state filter before this one write it"
        );
        at.warning(id, message);
    }
    let values: Vec<Pattern> = match items.len() {
        // Most lists, and without another one around it.
        1 => items.next().and_then(|only| value(&only, field, context)).unwrap_or_default(),
        _ => items.filter_map(|item| value(&item, field, context)).flatten().collect(),
    };
    Some(values.into())
}

/// The patterns of one value; a principal may be several.
#[inline(never)]
fn value(at: &Cursor<'_>, field: &Field, context: &Context<'_>) -> Option<Vec<Pattern>> {
    let text = at.text()?;
    let one = match field {
        Field::Path => path(at, text)?,
        Field::Host => Pattern::parse_lower(text).even_empty(),
        Field::Method | Field::Header(_) => Pattern::parse(text).even_empty(),
        Field::ServerName | Field::Claim(_) => Pattern::parse(text),
        Field::RequestPrincipal => dynamic::request_principal(at, text)?,
        Field::Metadata { .. } => dynamic::metadata(text),
        Field::Principal => {
            return Some(context.trust.expand(text).iter().map(|principal| Pattern::parse(principal)).collect());
        }
        // Compared with what follows `/ns/` in a peer's name.
        Field::Namespace if text.contains('*') => Pattern::Glob(Glob::parse(&format!("{text}/*"))),
        Field::Namespace => Pattern::Prefix(format!("{text}/").into_bytes().into()),
        Field::ServiceAccount => service_account(at, text, context.namespace)?,
        Field::TrustDomain => {
            let domain = trust_domain(at, text)?;
            return Some(
                context.trust.expand_domain(domain).map(|domain| Pattern::parse(domain).even_empty()).collect(),
            );
        }
        Field::DirectAddress | Field::RemoteAddress | Field::DestinationAddress => match Cidr::parse(text) {
            Some(cidr) => Pattern::Cidr(cidr),
            None => return at.problem(format!("`{text}` is not an address or a range such as `10.0.0.0/8`")),
        },
        Field::DestinationPort => match text.parse::<u16>() {
            Ok(port) if !text.starts_with('+') => Pattern::Exact(port.to_string().into_bytes().into()),
            _ => return at.problem(format!("`{text}` is not a port from 0 to 65535")),
        },
        // Its conditions are read on their own.
        Field::Cel(_) => Pattern::Any,
    };
    Some(vec![one])
}

#[inline(never)]
fn path(at: &Cursor<'_>, text: &str) -> Option<Pattern> {
    if Template::is_meant(text) {
        return match Template::parse(text) {
            Ok(template) => Some(Pattern::Template(template)),
            Err(error) => at.problem(format!("`{text}`: {error}")),
        };
    }
    if text.contains(['{', '}']) {
        return at.problem(format!("`{text}`: of templates only `{{*}}` and `{{**}}` are supported"));
    }
    Some(Pattern::parse(text))
}

#[inline(never)]
fn service_account(at: &Cursor<'_>, text: &str, namespace: &str) -> Option<Pattern> {
    if text.len() > SERVICE_ACCOUNT_BYTES {
        return at.problem(format!("a service account has at most {SERVICE_ACCOUNT_BYTES} bytes"));
    }
    let (namespace, account) = text.split_once('/').unwrap_or((namespace, text));
    if namespace.is_empty() || account.is_empty() || account.contains('/') || text.contains('*') {
        return at.problem(format!("`{text}` is not a service account; write `NAME` or `NAMESPACE/NAME`"));
    }
    Some(Pattern::Exact(format!("{namespace}/{account}").into_bytes().into()))
}

/// Checks a trust domain or the pattern of one.
fn trust_domain<'v>(at: &Cursor<'_>, text: &'v str) -> Option<&'v str> {
    let inner = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
    if inner.contains(['*', '/']) {
        return at.problem(format!("`{text}` is not a trust domain; one `*` may begin or end it"));
    }
    Some(text)
}
