use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

const FRONT: &[u8] = b"spiffe://td/ns/web/sa/front";

fn peer(namespace: &[u8], identity: &[u8]) -> Peer {
    Peer { namespace: namespace.to_vec(), identity: identity.to_vec(), ..Peer::default() }
}

#[test]
fn a_description_agrees_in_namespace_and_identity() {
    let mut rows = Rows::default();
    for (san, namespace, identity, expected) in [
        (FRONT, b"web".as_slice(), b"".as_slice(), true),
        (FRONT, b"web", FRONT, true),
        (FRONT, b"web", b"spiffe://td/ns/web/sa/back", false),
        (FRONT, b"bank", b"", false),
        (FRONT, b"bank", FRONT, false),
        (FRONT, b"", b"", false),
        (b"spiffe://td/front", b"", b"", false),
        (b"spiffe://td/ns//sa/front", b"", b"", false),
        (b"", b"", b"", false),
        (b"", b"web", b"", false),
    ] {
        let mut vouched = Vouched::new(10);
        let admitted = vouched.admit(&Identity { number: 2, san }, 2, &peer(namespace, identity));
        rows.check(format!("{} {}", san.escape_ascii(), namespace.escape_ascii()), admitted, expected);
    }
}

#[test]
fn each_principal_has_a_quarter_of_the_room() {
    let (web, identity) = (peer(b"web", b""), |number| Identity { number, san: FRONT });
    let mut vouched = Vouched::new(18);
    let admitted: Vec<usize> = (1..=5)
        .map(|principal| (0..100).filter(|number| vouched.admit(&identity(principal), *number, &web)).count())
        .collect();
    assert_eq!(admitted, [5, 5, 5, 3, 0], "a quarter each, and no more than there is room for");
    assert!(vouched.admit(&identity(1), 3, &web), "what was vouched for stays so");
}
