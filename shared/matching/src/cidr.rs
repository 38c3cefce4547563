//! Address ranges, and addresses as Envoy writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of IPv4 or IPv6 addresses. An IPv4 range holds no IPv6 address, mapped ones included, and the reverse.
///
/// Bits behind the length do not count, so both of these are the 65,536 addresses that begin with `10.1`:
///
/// ```
/// use weir_matching::Cidr;
///
/// assert_eq!(Cidr::parse("10.1.2.3/16"), Cidr::parse("10.1.0.0/16"));
/// assert!(Cidr::parse("10.1.2.3/16").is_some_and(|range| range.contains([10, 1, 255, 255].into())));
/// assert!(Cidr::parse("10.1.2.3/16").is_some_and(|range| !range.contains([10, 2, 0, 0].into())));
/// ```
///
/// An address without a length is a range of one:
///
/// ```
/// use weir_matching::Cidr;
///
/// assert_eq!(Cidr::parse("fd00::7"), Cidr::parse("fd00::7/128"));
/// assert_eq!(Cidr::parse("10.1.2.3/33"), None);
/// ```
///
/// All of IPv4 holds no IPv6 address:
///
/// ```
/// use std::net::{IpAddr, Ipv6Addr};
/// use weir_matching::Cidr;
///
/// let mapped = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0a01, 0x0203));
/// assert!(Cidr::parse("0.0.0.0/0").is_some_and(|range| !range.contains(mapped)));
/// assert!(Cidr::parse("::/0").is_some_and(|range| range.contains(mapped)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `10.1.2.3`, `10.0.0.0/8`, `fd00::1` or `fd00::/8`. Host bits are ignored, as in Envoy.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (bits <= most).then(|| Self { address: Self::masked(address, bits), bits })
    }

    /// Whether the range holds `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && Self::masked(address, self.bits) == self.address
    }

    /// `address` with only its first `bits` bits kept; all of them if it has no more.
    ///
    /// ```
    /// use weir_matching::Cidr;
    ///
    /// assert_eq!(Cidr::masked("10.1.2.3".parse()?, 16), "10.1.0.0".parse::<std::net::IpAddr>()?);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn masked(address: IpAddr, bits: u8) -> IpAddr {
        match address {
            IpAddr::V4(v4) => {
                let keep = u32::MAX.checked_shl(32u32.saturating_sub(bits.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & keep))
            }
            IpAddr::V6(v6) => {
                let keep = u128::MAX.checked_shl(128u32.saturating_sub(bits.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & keep))
            }
        }
    }

    /// The length of the prefix in bits.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The lowest address.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

/// Takes apart `10.0.0.1:80`, `[fd00::1]:80` or an address without a port; the port stays text. The zone of a link-local
/// address (`fe80::1%2`) is left out: ranges are about the address alone.
pub fn socket_address(text: &[u8]) -> Option<(IpAddr, Option<&[u8]>)> {
    if let Some(inner) = text.strip_prefix(b"[") {
        let end = inner.iter().position(|byte| *byte == b']')?;
        let (address, rest) = inner.split_at_checked(end)?;
        let address = without_zone(std::str::from_utf8(address).ok()?);
        return Some((IpAddr::V6(address.parse().ok()?), rest.strip_prefix(b"]:")));
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Some((address, port)) = text.split_once(':')
        && let Ok(address) = address.parse::<Ipv4Addr>()
    {
        return Some((IpAddr::V4(address), Some(port.as_bytes())));
    }
    match text.parse() {
        Ok(address) => Some((IpAddr::V4(address), None)),
        Err(_) => Some((IpAddr::V6(without_zone(text).parse().ok()?), None)),
    }
}

fn without_zone(address: &str) -> &str {
    address.split_once('%').map_or(address, |(address, _)| address)
}

#[cfg(test)]
mod tests;
