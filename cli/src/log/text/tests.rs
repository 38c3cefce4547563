use super::TextFormat;
use weir_testing::Rows;

fn apart(format: &str, line: &str) -> Result<Vec<String>, String> {
    let format = TextFormat::read(format)?;
    let values = format.take_apart(line.as_bytes())?;
    Ok(values.into_iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect())
}

#[test]
fn a_line_is_taken_apart_in_one_way_or_not_at_all() {
    const TWO: &str = "it can be read in two ways: a value has what the format has between values";
    const OTHER: &str = "not a line of the format";
    let format = "[%START_TIME(%s.%3f)%] \"%REQ(:METHOD)% %REQ(:PATH)%\" %RESPONSE_CODE% 100%% \"%REQ(X)%\"\n";
    let mut rows = Rows::default();
    for (line, expected) in [
        (r#"[1.5] "GET /a" 200 100% "x y""#, Ok(["1.5", "GET", "/a", "200", "x y"])),
        (r#"[1.5] "GET /a" 200 100% """#, Ok(["1.5", "GET", "/a", "200", ""])),
        (r#"[1.5] "GET /a b" 200 100% "x""#, Err(TWO)),
        (r#"[1.5] "GET /a" 403 100% "" 200 100% "x""#, Err(TWO)),
        (r#"[1.5] "GET /a" 200 100% "x" y""#, Ok(["1.5", "GET", "/a", "200", "x\" y"])),
        (r#"[1.5] "GET /a" 200 "x""#, Err(OTHER)),
        (r#"1.5] "GET /a" 200 100% "x""#, Err(OTHER)),
        (r#"[1.5] "GET /a" 200 100% "x"#, Err(OTHER)),
    ] {
        let expected = expected.map(|values| values.map(str::to_owned).to_vec()).map_err(str::to_owned);
        rows.check(line, apart(format, line), expected);
    }
}

#[test]
fn a_format_that_cannot_be_taken_apart_is_refused() {
    let mut rows = Rows::default();
    for (format, expected) in [
        ("%REQ(:METHOD)%%REQ(:PATH)%", "nothing stands before `%REQ(:PATH)%`"),
        ("plain", "it has no operator"),
        ("%REQ(:METHOD", "`%REQ(:METHOD`: an operator ends with `%`"),
    ] {
        rows.contains(format, &TextFormat::read(format).err().unwrap_or_default(), expected);
    }
    assert_eq!(apart("%CEL(a(b)['%'])%|%REQ(X):5%", "1|2"), Ok(vec!["1".to_owned(), "2".to_owned()]));
}

/// No value of a client makes a line that reads as another request: what the parts of the line were is what is read, or nothing.
#[test]
fn values_that_look_like_the_format_are_never_taken_for_it() {
    let format = "\"%REQ(:METHOD)% %REQ(:PATH)%\" %RESPONSE_CODE% \"%REQ(A)%\" \"%REQ(B)%\" %REQUESTED_SERVER_NAME%";
    let pieces = ["", "-", "a", "\"", " ", "\" \"", "\" 200 \"", "x\" \"y", "200", "\"\""];
    let (mut read, mut refused) = (0, 0);
    for a in pieces {
        for b in pieces {
            for path in ["/", "/\"", "/ x", "/\" 200 \"a\" \"b"] {
                for name in ["-", "n", "\" n"] {
                    let values = ["GET", path, "403", a, b, name];
                    let line = format!("\"GET {path}\" 403 \"{a}\" \"{b}\" {name}");
                    match apart(format, &line) {
                        Ok(found) => {
                            read += 1;
                            assert_eq!(found, values, "{line}");
                        }
                        Err(_) => refused += 1,
                    }
                }
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} {refused}");
}
