use super::*;
use weir_testing::Rows;

#[test]
fn the_status_is_read_in_every_form_it_comes_in() {
    let table: [(&[u8], Option<u16>); 7] = [
        (&[0x88], Some(200)),
        (&[0x20, 0x8c], Some(400)),
        (&[0x08, 0x03, b'4', b'2', b'9'], Some(429)),
        // RFC 7541 C.6: `302` and `307` Huffman-coded
        (&[0x48, 0x82, 0x64, 0x02], Some(302)),
        (&[0x48, 0x83, 0x64, 0x0e, 0xff], Some(307)),
        (&[0x40], None),
        (&[], None),
    ];
    let mut rows = Rows::default();
    for (block, expected) in table {
        rows.check(format!("{block:x?}"), status(block), expected);
    }
}

#[test]
fn lengths_have_as_many_bytes_as_they_need() {
    let table: [(usize, &[u8]); 5] =
        [(0, &[0]), (126, &[126]), (127, &[127, 0]), (1337 + 127 - 31, &[127, 154, 10]), (255, &[127, 128, 1])];
    let mut rows = Rows::default();
    for (length, expected) in table {
        let mut out = Vec::new();
        string(&mut out, &vec![b'x'; length]);
        rows.check(length, out.split_at(expected.len()).0, expected);
        rows.check(format!("{length:?}"), out.len(), expected.len() + length);
    }
}
