use super::{Block, client_ip, masked};

#[test]
fn addresses_are_read_out_of_what_envoy_says() {
    let rows: &[(&str, Option<&str>)] = &[
        ("10.0.0.1:80", Some("10.0.0.1")),
        ("10.0.0.1", Some("10.0.0.1")),
        ("[2001:db8::1]:443", Some("2001:db8::1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("/tmp/pipe", None),
        ("pipe:1", None),
        ("[::1", None),
        ("", None),
        (":", None),
    ];
    for (peer, expected) in rows {
        assert_eq!(client_ip(peer.as_bytes()).map(|(_, text)| text), *expected, "{peer}");
    }
    assert_eq!(client_ip(b"\xff\xfe:1"), None);
}

#[test]
fn masks_keep_the_first_bits() {
    let rows = [
        ("10.1.2.3", 16, "10.1.0.0"),
        ("10.1.2.3", 0, "0.0.0.0"),
        ("10.1.2.3", 32, "10.1.2.3"),
        ("2001:abcd:ef01:2345:6789:abcd:ef01:234", 64, "2001:abcd:ef01:2345::"),
        ("2001:db8::1", 0, "::"),
        ("2001:db8::1", 128, "2001:db8::1"),
    ];
    for (ip, bits, expected) in rows {
        assert_eq!(masked(ip.parse().unwrap(), bits, bits).to_string(), expected);
    }
}

#[test]
fn blocks_hold_their_own_family_only() {
    let block = Block::new("10.0.0.0".parse().unwrap(), 8).unwrap();
    assert!(block.contains("10.9.9.9".parse().unwrap()));
    assert!(!block.contains("11.0.0.1".parse().unwrap()));
    assert!(!block.contains("::ffff:10.0.0.1".parse().unwrap()));
    assert_eq!(Block::new("10.0.0.0".parse().unwrap(), 33), None);
}
