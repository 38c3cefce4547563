//! Targets of gRPC callouts: a cluster's name, or a serialised `envoy.config.core.v3.GrpcService`.

/// A length-delimited field of a message; all numbers and sizes here are small.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let size = u8::try_from(content.len()).unwrap_or(u8::MAX);
    [&[number << 3 | 2, size], content].concat()
}

/// `initial_metadata` with one `HeaderValue`.
fn metadata(key: &str, value: &str) -> Vec<u8> {
    field(5, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
}

/// The target of that case for a cluster; its name where there is no case.
pub(crate) fn bytes(case: &str, cluster: &str) -> Vec<u8> {
    let name = field(1, cluster.as_bytes());
    // `timeout` of one second, which a callout of a module does not heed.
    let timeout = field(3, b"\x08\x01");
    match case {
        "message" => field(1, &name),
        "authority" => field(1, &[name, field(2, b"limits.example")].concat()),
        "long" => field(1, &[name, field(2, &[b'a'; 90])].concat()),
        "timeout" => [field(1, &name), timeout].concat(),
        "metadata" => [field(1, &name), metadata("x-target", "1")].concat(),
        "bad-metadata" => [field(1, &name), metadata("x-target", "a\nb")].concat(),
        "unknown-field" => [field(1, &name), field(15, b"later")].concat(),
        "last-wins" => [field(1, &field(1, b"nowhere")), field(1, &name)].concat(),
        "nameless" => field(1, b""),
        "google" => field(2, &[field(1, b"127.0.0.1:1"), field(4, b"x")].concat()),
        "broken-google" => field(2, &field(3, b"x")),
        "broken-metadata" => [field(1, &name), field(5, b"x")].concat(),
        "not-utf8" => field(1, &field(1, b"\xff")),
        "number" => [field(1, &name), vec![1 << 3, 1]].concat(),
        "merged" => [field(1, &name), field(1, &field(2, b"limits.example"))].concat(),
        "both" => [field(2, &field(1, b"127.0.0.1:1")), field(1, &name)].concat(),
        "no-target" => timeout,
        // A text that reads as a message: field 12, four bytes.
        "empty-word" => b"empty".to_vec(),
        "nothing" => Vec::new(),
        _ => cluster.as_bytes().to_vec(),
    }
}
