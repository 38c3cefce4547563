use super::{Pairs, read, write};
use weir_testing::Rows;

#[test]
fn what_is_written_is_read() {
    let pairs: Pairs = vec![(b"a".to_vec(), b"".to_vec()), (b"".to_vec(), b"\xff\0x".to_vec())];
    assert_eq!(read(&write(&pairs)), pairs);
}

#[test]
fn what_is_wrong_reads_as_nothing() {
    let good = write(&[("name", "value")]);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let many: Vec<(&str, &str)> = vec![("a", "b"); 1025];
    let table = [
        ("trailing byte", with(&|b| b.push(0))),
        ("cut short", with(&|b| b.truncate(b.len() - 1))),
        ("no NUL after the name", with(&|b| b[16] = b'x')),
        ("no NUL after the value", with(&|b| *b.last_mut().unwrap() = b'x')),
        ("count beyond the sizes", with(&|b| b[0] = 9)),
        ("more than 1,024", write(&many)),
        ("more than 1 MiB", write(&[("a", vec![b'x'; 1 << 20])])),
        ("nothing", Vec::new()),
    ];
    let mut rows = Rows::default();
    for (rule, bytes) in table {
        rows.check(rule, read(&bytes).is_empty(), true);
    }
    assert_eq!(read(&write(&many[..1024])).len(), 1024);
}
