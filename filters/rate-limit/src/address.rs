//! Client addresses: out of Envoy's `ip:port`, and under a mask.

use std::net::IpAddr;

/// The address in `ip:port` or `[ip]:port` and its text; `None` for a pipe or anything else.
pub(crate) fn client_ip(peer: &[u8]) -> Option<(IpAddr, &str)> {
    let text = std::str::from_utf8(peer).ok()?;
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map_or(text, |(host, _)| host),
    };
    Some((host.parse().ok()?, host))
}

/// `ip` with only its first bits kept: `v4` of 32 or `v6` of 128.
pub(crate) fn masked(ip: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(v4)).unwrap_or(0);
            IpAddr::V4((u32::from(ip) & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(v6)).unwrap_or(0);
            IpAddr::V6((u128::from(ip) & mask).into())
        }
    }
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    prefix: IpAddr,
    bits: u32,
}

impl Block {
    /// The block of the first `bits` of `ip`; `None` if `ip` has fewer.
    pub(crate) fn new(ip: IpAddr, bits: u32) -> Option<Self> {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        (bits <= most).then(|| Self { prefix: masked(ip, bits, bits), bits })
    }

    /// Whether `ip` is inside. The two families never meet.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.prefix.is_ipv4() && masked(ip, self.bits, self.bits) == self.prefix
    }
}

#[cfg(test)]
mod tests;
