//! How deep an expression may nest: as deep as Envoy's parser goes, which refuses the rest.

use cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// The levels of brackets, and those of the expression itself, in which brackets do not count.
const LEVELS: usize = 32;

/// Whether brackets nest too deeply. Asked first, so that no text makes the parser here go deep.
pub(super) fn has_too_many_brackets(text: &str) -> bool {
    let (mut open, mut quote, mut is_escaped) = (0usize, None, false);
    for c in text.chars() {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(begun), _) if c == begun => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open = open.saturating_sub(1),
            (None, _) => {}
        }
        if open > LEVELS {
            return true;
        }
    }
    false
}

/// Whether an expression nests too deeply.
pub(super) fn is_too_deep(expression: &IdedExpr) -> bool {
    levels(&expression.expr) > LEVELS
}

/// A chain of one logical operator is one level, however long.
fn levels(expr: &Expr) -> usize {
    let below = |inner: &[&IdedExpr]| inner.iter().map(|inner| levels(&inner.expr)).max().unwrap_or(0) + 1;
    match expr {
        Expr::Call(call) if matches!(call.func_name.as_str(), "_&&_" | "_||_") => {
            let same = |inner: &Expr| matches!(inner, Expr::Call(other) if other.func_name == call.func_name);
            let of = |inner: &IdedExpr| levels(&inner.expr) + usize::from(!same(&inner.expr));
            call.args.iter().map(of).max().unwrap_or(1)
        }
        Expr::Call(call) => {
            let inner: Vec<&IdedExpr> = call.target.iter().map(|target| &**target).chain(&call.args).collect();
            below(&inner)
        }
        Expr::Select(select) => below(&[&select.operand]),
        Expr::List(list) => below(&list.elements.iter().collect::<Vec<_>>()),
        Expr::Map(map) => {
            let inner = map.entries.iter().flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            });
            below(&inner.collect::<Vec<_>>())
        }
        // A macro, whose body is a part of its step.
        Expr::Comprehension(of_macro) => levels(&of_macro.iter_range.expr).max(levels(&of_macro.loop_step.expr)),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => 1,
    }
}
