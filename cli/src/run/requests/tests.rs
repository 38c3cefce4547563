use super::{Planned, read};
use crate::Failure;
use weir_testing::Rows;

#[test]
fn a_request_is_what_its_fields_say() {
    let text = "# why\n- {say: a read, method: GET, path: /, headers: {x-user: ann, x-role: ''}, principal: spiffe://a.b/ns/c/sa/d}\n";
    let Ok(requests) = read("r.yaml", text) else { panic!("cannot be read") };
    let headers = [("x-user", "ann"), ("x-role", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut found = requests.clone();
    found.iter_mut().for_each(|request| request.headers.sort());
    let mut headers = headers.to_vec();
    headers.sort();
    let expected = Planned {
        say: "a read".to_owned(),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        headers,
        principal: Some("a.b/ns/c/sa/d".to_owned()),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn what_is_wrong_is_named_with_line_and_field() {
    let mut rows = Rows::default();
    for (text, expected) in [
        (
            "- say: a\n  method: GET\n  path: /\n  header: {}\n",
            "r.yaml:4:3: error: $[0].header: unknown field; did you mean `headers`?",
        ),
        ("- say: a\n  path: /\n", "r.yaml:1:3: error: $[0]: `method` is missing"),
        (
            "- {say: a, method: GET, path: items}\n",
            "r.yaml:1:25: error: $[0].path: expected a path that begins with `/`",
        ),
        ("- {say: a, method: GET, path: 7}\n", "r.yaml:1:25: error: $[0].path: expected a string, found a number"),
        (
            "- say: a\n  method: GET\n  path: /\n  headers:\n    x-user: 7\n",
            "r.yaml:5:5: error: $[0].headers.x-user: expected a string: put quotation marks around the value",
        ),
        ("- {say: a, method: GET, path: /, headers: [a]}\n", "r.yaml:1:34: error: $[0].headers: expected an object"),
        ("- {say: a, method: '', path: /}\n- 7\n", "r.yaml:2:3: error: $[1]: expected an object"),
        (
            "- {say: a, method: GET, path: /, principal: web}\n",
            "r.yaml:1:34: error: $[0].principal: expected a SPIFFE identity such as `cluster.local/ns/shop/sa/web`",
        ),
        ("- {say: a, method: GET, path: /, principal: a//b}\n", "$[0].principal: expected a SPIFFE identity"),
        ("say: a\n", "r.yaml:1:1: error: $: expected a list, found an object"),
        ("- {say: a, say: b, method: GET, path: /}\n", "r.yaml:1:12: error: $: key `say` is given twice"),
    ] {
        let message = match read("r.yaml", text) {
            Err(Failure::Use(message) | Failure::No(message)) => message,
            Err(Failure::Quiet(_)) | Ok(_) => String::new(),
        };
        rows.contains(text, &message, expected);
    }
}
