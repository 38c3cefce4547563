//! Finding an address that is in some ranges and in none of others.

use std::net::IpAddr;
use weir_matching::{Cidr, Pattern};

/// An address and how many of its bits count.
type Range = (IpAddr, u8);

/// Addresses of documentation (RFC 5737), where no range asks for another.
const PLAIN: &str = "192.0.2.1";

/// An address that is in a range of each of `musts` and in none of `nevers`.
pub(super) fn find<'p>(musts: &[&'p [Pattern]], nevers: impl Iterator<Item = &'p Pattern>) -> Option<IpAddr> {
    let ranges = |patterns: &mut dyn Iterator<Item = &'p Pattern>| -> Vec<Range> {
        let range = |pattern: &Pattern| match pattern {
            Pattern::Cidr(cidr) => Some((cidr.address(), cidr.bits())),
            _ => None,
        };
        patterns.filter_map(range).collect()
    };
    let mut nevers = nevers;
    let nevers = ranges(&mut nevers);
    let all = ["0.0.0.0/0", "::/0"].into_iter().filter_map(Cidr::parse).map(|cidr| (cidr.address(), cidr.bits()));
    let mut within: Vec<Range> = all.collect();
    for must in musts {
        let ranges = ranges(&mut must.iter());
        within = within.iter().flat_map(|one| ranges.iter().filter_map(|other| intersection(*one, *other))).collect();
    }
    within.into_iter().find_map(|range| outside(range, &nevers))
}

/// The smaller of two ranges, if it is in the other.
fn intersection(one: Range, other: Range) -> Option<Range> {
    let (wide, narrow) = if one.1 <= other.1 { (one, other) } else { (other, one) };
    contains(wide, narrow).then_some(narrow)
}

fn contains(wide: Range, narrow: Range) -> bool {
    wide.1 <= narrow.1 && wide.0.is_ipv4() == narrow.0.is_ipv4() && Cidr::masked(narrow.0, wide.1) == wide.0
}

/// An address of a range that is in none of the others: the range is halved until its half is out of all, or in one.
fn outside(range: Range, nevers: &[Range]) -> Option<IpAddr> {
    if nevers.iter().any(|never| contains(*never, range)) {
        return None;
    }
    let within: Vec<Range> = nevers.iter().copied().filter(|never| contains(range, *never)).collect();
    if within.is_empty() {
        return Some(plain(range));
    }
    halves(range).into_iter().find_map(|half| outside(half, &within))
}

/// An address in a range as people write them.
fn plain((address, bits): Range) -> IpAddr {
    if let Ok(plain) = PLAIN.parse::<IpAddr>()
        && contains((address, bits), (plain, 32))
    {
        return plain;
    }
    match address {
        IpAddr::V4(v4) if bits < 32 => IpAddr::V4((v4.to_bits() | 1).into()),
        IpAddr::V6(v6) if bits < 128 => IpAddr::V6((v6.to_bits() | 1).into()),
        address => address,
    }
}

fn halves((address, bits): Range) -> [Range; 2] {
    let next = bits.saturating_add(1);
    let upper = match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() | 1u32.checked_shl(32 - u32::from(next)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | 1u128.checked_shl(128 - u32::from(next)).unwrap_or(0)).into()),
    };
    [(address, next), (upper, next)]
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    fn patterns(texts: &str) -> Vec<Pattern> {
        texts.split_whitespace().map(|text| Pattern::Cidr(Cidr::parse(text).unwrap())).collect()
    }

    #[test]
    fn an_address_is_found_where_there_is_one() {
        let mut rows = Rows::default();
        for (musts, nevers, expected) in [
            (&[][..], "", Some("192.0.2.1")),
            (&["10.0.0.0/8"][..], "", Some("10.0.0.1")),
            (&["10.0.0.0/8"], "10.0.0.0/9", Some("10.128.0.1")),
            (&["10.0.0.0/8"], "10.0.0.0/9 10.128.0.0/9", None),
            (&["10.0.0.0/8", "10.1.0.0/16"], "10.1.0.0/17", Some("10.1.128.1")),
            (&["10.0.0.0/8", "11.0.0.0/8"], "", None),
            (&["10.0.0.0/8 fd00::/8"], "10.0.0.0/8", Some("fd00::1")),
            (&["10.0.0.0/8 11.0.0.0/8", "11.2.0.0/16"], "", Some("11.2.0.1")),
            (&[], "0.0.0.0/0", Some("::1")),
            (&[], "0.0.0.0/0 ::/0", None),
            (&[], "0.0.0.0/0 ::/1 8000::/1", None),
            (&["10.1.2.3"], "10.1.2.2", Some("10.1.2.3")),
            (&["10.1.2.2/31"], "10.1.2.3", Some("10.1.2.2")),
            (&["10.1.2.2/31"], "10.1.2.2 10.1.2.3", None),
        ] {
            let written: Vec<Vec<Pattern>> = musts.iter().map(|texts| patterns(texts)).collect();
            let musts: Vec<&[Pattern]> = written.iter().map(Vec::as_slice).collect();
            let found = find(&musts, patterns(nevers).iter()).map(|address| address.to_string());
            rows.check(format!("{musts:?} without {nevers}"), found.as_deref(), expected);
        }
    }
}
