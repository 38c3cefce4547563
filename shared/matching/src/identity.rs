//! What a SPIFFE identity says: trust domain, namespaces and service accounts, as Istio's policies read them.
//!
//! Istio asks with regular expressions that are not as narrow as `TD/ns/NS/sa/SA`: a namespace may follow any `/ns/`,
//! and other segments may stand between namespace and service account. So both are lists here.

/// The most bytes of a SPIFFE ID, its scheme included (SPIFFE-ID, section 2.3).
pub const SPIFFE_ID_BYTES: usize = 2048;

/// How many `/ns/` and how many `/sa/` a name may have: of all pairs of them each is looked up.
const MARKS: usize = 8;

/// Whether a name can be taken apart at a bounded cost. SPIFFE IDs of Kubernetes have one of each mark.
///
/// ```
/// assert!(weir_matching::has_few_marks(b"spiffe://cluster.local/ns/shop/sa/cart"));
/// assert!(!weir_matching::has_few_marks("/ns/a".repeat(9).as_bytes()));
/// ```
pub fn has_few_marks(name: &[u8]) -> bool {
    [b"/ns/", b"/sa/"].into_iter().all(|mark| after(name, mark).count() <= MARKS)
}

/// The trust domain of `TD/...`.
pub fn trust_domain(id: &[u8]) -> Option<&[u8]> {
    let end = id.iter().position(|byte| *byte == b'/')?;
    id.get(..end)
}

/// What follows each `/ns/`, usually one place. The identity is of namespace NS if one of them begins with `NS/` (Istio:
/// `.*/ns/NS/.*`).
///
/// ```
/// let mut found = weir_matching::after_namespace_marks(b"cluster.local/ns/shop/sa/cart");
/// assert_eq!(found.next(), Some(b"shop/sa/cart".as_slice()));
/// ```
pub fn after_namespace_marks(id: &[u8]) -> impl Iterator<Item = &[u8]> {
    after(id, b"/ns/")
}

/// Every pair of namespace and service account (Istio: `spiffe://.+/ns/NS/(.+/)?sa/SA(/.+)?`); usually one.
pub fn service_accounts(id: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    // `.+` before `/ns/` is at least one byte.
    let from_second = id.get(1..).unwrap_or_default();
    after(from_second, b"/ns/")
        .filter_map(split)
        .flat_map(|(namespace, rest)| accounts(rest).map(move |account| (namespace, account)))
}

/// The service accounts in what follows `/ns/NS/`.
fn accounts(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let direct = rest.strip_prefix(b"sa/");
    let later = after(rest.get(1..).unwrap_or_default(), b"/sa/");
    direct.into_iter().chain(later).filter_map(|account| match split(account) {
        Some((_, [])) => None,
        Some((name, _)) => Some(name),
        None => Some(account),
    })
}

/// What is before and after the first slash.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b'/')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What follows each occurrence of `mark`.
fn after<'v>(text: &'v [u8], mark: &'static [u8]) -> impl Iterator<Item = &'v [u8]> {
    let ends = text.windows(mark.len()).enumerate().filter(move |(_, window)| *window == mark);
    ends.filter_map(move |(at, _)| text.get(at + mark.len()..))
}

#[cfg(test)]
mod tests;
