//! The host of a request as policies and limits compare it.

/// Writes `host` to `out` as it is compared: without regard to case, the port kept. Only ASCII is folded.
///
/// ```
/// let mut out = Vec::new();
/// weir_matching::normalized_host(b"Shop.Example:8080", &mut out);
/// assert_eq!(out, b"shop.example:8080");
/// ```
pub fn normalized_host(host: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend(host.iter().map(u8::to_ascii_lowercase));
}
