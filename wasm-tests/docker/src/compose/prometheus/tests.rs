use super::*;
use weir_testing::Rows;

/// Answers in the form of Prometheus's page "HTTP API".
#[test]
fn answers_are_read() {
    let answer =
        |result: &str| format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#);
    let up =
        |value: &str| format!(r#"{{"metric":{{"__name__":"up","job":"envoy"}},"value":[1435781451.781,"{value}"]}}"#);
    let mut rows = Rows::default();
    for (name, result, expected) in [
        ("no series", String::new(), vec![]),
        ("one", up("1"), vec![1.0]),
        ("two", format!("{},{}", up("0"), up("2.5")), vec![0.0, 2.5]),
        ("a quantile of nothing", up("NaN"), vec![]),
    ] {
        let found = parse(&answer(&result)).map(|series| series.iter().map(|one| one.value).collect::<Vec<_>>());
        rows.check(name, found, Ok(expected));
    }
    let found = parse(&answer(&up("1"))).unwrap();
    rows.check("labels", found.iter().map(|one| one.label("job")).collect::<Vec<_>>(), vec!["envoy"]);
    let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    rows.check("an error is one", parse(refused), Err(refused.to_owned()));
    rows.check("a query in a URL", escaped("sum(up{a=\"b\"})"), "sum%28up%7Ba%3D%22b%22%7D%29");
}
