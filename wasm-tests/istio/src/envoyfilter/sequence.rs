//! The operations on a list of filters or routes: where the value goes, given what the patch names as its anchor.

use serde_json::Value;

use super::patch::Operation;

/// Edits the list at a field of a message as [`edit`] does; a list that is absent is made only if something goes into it.
pub(crate) fn edit_field(
    message: &mut Value,
    field: &str,
    operation: Operation,
    anchored: bool,
    is_anchor: impl Fn(&Value) -> bool,
    value: &Value,
) -> usize {
    if let Some(Value::Array(list)) = message.get_mut(field) {
        return edit(list, operation, anchored, is_anchor, value);
    }
    let mut list = Vec::new();
    let done = edit(&mut list, operation, anchored, is_anchor, value);
    if let (Some(fields), false) = (message.as_object_mut(), list.is_empty()) {
        fields.insert(field.to_owned(), Value::Array(list));
    }
    done
}

/// Edits a list and says how many items were added, replaced or removed. `anchored` says whether the patch names an anchor,
/// `is_anchor` which items are meant. Only the first that is meant counts, but all are removed. `MERGE` does nothing here.
pub(crate) fn edit(
    list: &mut Vec<Value>,
    operation: Operation,
    anchored: bool,
    is_anchor: impl Fn(&Value) -> bool,
    value: &Value,
) -> usize {
    let found = if anchored { list.iter().position(&is_anchor) } else { None };
    match (operation, anchored, found) {
        (Operation::Add, ..) | (Operation::InsertAfter, false, _) => list.push(value.clone()),
        (Operation::InsertFirst, ..) | (Operation::InsertBefore, false, _) => list.insert(0, value.clone()),
        (Operation::InsertBefore, true, Some(at)) => list.insert(at, value.clone()),
        (Operation::InsertAfter, true, Some(at)) => list.insert(at + 1, value.clone()),
        (Operation::Replace, true, Some(at)) => match list.get_mut(at) {
            Some(item) => *item = value.clone(),
            None => return 0,
        },
        (Operation::Remove, true, _) => {
            let before = list.len();
            list.retain(|item| !is_anchor(item));
            return before - list.len();
        }
        _ => return 0,
    }
    1
}

#[cfg(test)]
mod tests {
    use super::super::patch::Operation::{Add, InsertAfter, InsertBefore, InsertFirst, Merge, Remove, Replace};
    use super::edit;
    use serde_json::{Value, json};
    use weir_testing::Rows;

    #[test]
    fn every_operation_with_and_without_an_anchor() {
        let mut rows = Rows::default();
        for (operation, anchor, expected) in [
            (Add, Some("b"), "abbcx"),
            (Add, None, "abbcx"),
            (InsertFirst, Some("z"), "xabbc"),
            (InsertBefore, Some("b"), "axbbc"),
            (InsertBefore, None, "xabbc"),
            (InsertBefore, Some("z"), "abbc"),
            (InsertAfter, Some("b"), "abxbc"),
            (InsertAfter, Some("c"), "abbcx"),
            (InsertAfter, None, "abbcx"),
            (InsertAfter, Some("z"), "abbc"),
            (Replace, Some("b"), "axbc"),
            (Replace, None, "abbc"),
            (Replace, Some("z"), "abbc"),
            (Remove, Some("b"), "ac"),
            (Remove, None, "abbc"),
            (Merge, Some("b"), "abbc"),
        ] {
            let mut list: Vec<Value> = ["a", "b", "b", "c"].map(|name| json!(name)).to_vec();
            let before = list.clone();
            let done = edit(&mut list, operation, anchor.is_some(), |item| item.as_str() == anchor, &json!("x"));
            let found: String = list.iter().filter_map(Value::as_str).collect();
            rows.check(format!("{operation:?} at {anchor:?}"), &*found, expected);
            rows.check(format!("{operation:?} at {anchor:?}: done"), done > 0, before != list);
        }
    }
}
