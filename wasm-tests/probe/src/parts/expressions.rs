//! Envoy's CEL: each expression of a table created, evaluated and deleted in the phases where modules use them.

use crate::host;
use crate::report::{show, show_map, show_pairs, with};

const TABLE: &str = include_str!("expressions.txt");

pub(crate) fn run(phase: &str) {
    if !["configure", "tick", "request_headers", "response_headers", "log", "http_answer"].contains(&phase) {
        return;
    }
    for expression in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (status, token) = host::foreign(b"expr_create", expression.as_bytes());
        if status != 0 {
            with(&format!("expr_create {expression}"), status, "");
            continue;
        }
        let (status, value) = host::foreign(b"expr_evaluate", &token);
        let shown = match expression.chars().next() {
            Some('[') if status == 0 => show_pairs(&value),
            Some('{') if status == 0 => show_map(&value),
            _ if expression == "request.headers" => show_map(&value),
            _ => show(&value),
        };
        with(&format!("expr_evaluate {expression}"), status, &shown);
        host::foreign(b"expr_delete", &token);
    }
}
