use super::{Budgets, Price};

fn budgets(panics: u64, scenarios: &[(&str, u64, u64)]) -> Budgets {
    let price = |(name, hostcalls, instructions): &(&str, u64, u64)| {
        ((*name).to_owned(), Price { hostcalls: *hostcalls, instructions: *instructions, ..Price::default() })
    };
    Budgets { panics: [("policy".to_owned(), panics)].into(), scenarios: scenarios.iter().map(price).collect() }
}

#[test]
fn what_is_written_reads_the_same() {
    let some = budgets(3, &[("a", 1, 2), ("b", 3, 4)]);
    assert_eq!(Budgets::parse(&some.to_string()), Ok(some));
}

#[test]
fn every_change_is_reported() {
    let was = budgets(3, &[("a", 10, 12_345), ("gone", 1, 1), ("same", 1, 1)]);
    let is = budgets(4, &[("a", 9, 12_900), ("new", 1, 1), ("same", 1, 1)]);
    let expected = [
        "policy.wasm: panics 3 -> 4",
        "a: hostcalls 10 -> 9 (-10.0 %)",
        "a: instructions 12345 -> 12900 (+4.4 %)",
        "gone: has a budget and was not run",
        "new: has no budget",
    ];
    assert_eq!(was.diff(&is), expected);
    assert_eq!(was.diff(&was), Vec::<String>::new());
}

#[test]
fn an_unknown_column_is_refused() {
    assert!(Budgets::parse("[panics]\n[scenarios]\na = { streams = 1, wishes = 3 }\n").is_err());
}
