use super::*;
use weir_testing::Rows;

#[test]
fn requests_of_the_page_are_read() {
    let mut rows = Rows::default();
    for (text, path, headers, statuses) in [
        ("curl -i localhost:10000/items/42  # 200", "/items/42", vec![], vec![200]),
        (
            "curl -i -H 'x-user: ann' localhost:10000/cart  # 200 429: again",
            "/cart",
            vec![("x-user", "ann")],
            vec![200, 429],
        ),
    ] {
        let found = Line::parse(text).map(|line| (line.request, line.statuses));
        rows.check(text, found.ok(), Some((get(path, &headers), statuses)));
    }
    for text in ["curl -i localhost:10000/", "curl -i localhost:10000/ # fine", "curl -i example.com/ # 200"] {
        rows.check(text, Line::parse(text).is_err(), true);
    }
}

#[test]
fn queries_have_the_labels_of_their_remark() {
    let mut rows = Rows::default();
    for (line, text, labels) in [
        ("up", "up", &[][..]),
        ("sum by (code) (x)  # code=200 code=403", "sum by (code) (x)", &[("code", "200"), ("code", "403")]),
    ] {
        let labels =
            labels.iter().map(|(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned())).collect();
        rows.check(line, Query::parse(line), Query { text: text.to_owned(), labels });
    }
}

/// The page and the dashboard are there, and have what is run.
#[test]
fn the_page_has_requests_and_queries() {
    let page = Page::read().unwrap();
    assert!(page.requests().is_ok() && page.queries().is_ok());
    assert!(page.dashboard().unwrap().iter().all(|(title, query)| !title.is_empty() && !query.is_empty()));
}
