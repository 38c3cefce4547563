//! A picture of who can reach what: callers at the left, paths of the workloads at the right, and a line for what passes.

use super::report::{Report, reaching};
use crate::print::plain;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use weir_policy::{Access, ReachRow};

/// The height of a line, and the columns, in pixels.
const STEP: usize = 26;
const LEFT: usize = 420;
const RIGHT: usize = 780;
const WIDTH: usize = 1200;
const TOP: usize = 60;

/// How many characters of a name are shown.
const LETTERS: usize = 52;

/// What passes from a caller to a path: the methods of each kind of access.
type Edges = BTreeMap<(usize, usize), BTreeMap<Access, BTreeSet<String>>>;

/// The picture as SVG.
pub(super) fn picture(report: &Report) -> String {
    let mut callers: Vec<String> = Vec::new();
    let mut targets: Vec<(String, String)> = Vec::new();
    let mut edges = Edges::new();
    for of in &report.of {
        for row in of.reach.iter().flat_map(|reach| &reach.rows) {
            let ReachRow { caller, method, path, access, .. } = row;
            let caller = place(&mut callers, reaching(caller));
            if *access == Access::Never {
                continue;
            }
            let target = place(&mut targets, (of.id.clone(), reaching(path)));
            edges.entry((caller, target)).or_default().entry(*access).or_default().insert(reaching(method));
        }
    }
    let height = TOP + STEP * callers.len().max(targets.len()).max(1) + STEP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" text-anchor=\"end\" font-weight=\"bold\">caller</text>\n\
         <text x=\"{RIGHT}\" y=\"20\" font-weight=\"bold\">workload and path</text>\n\
         <text x=\"20\" y=\"40\" fill=\"#555\">solid: always; dashed: sometimes, it depends on more; dotted: not known</text>\n"
    );
    for ((caller, target), by_access) in &edges {
        let (from, to) = (TOP + STEP * caller, TOP + STEP * target);
        for (number, (access, methods)) in by_access.iter().enumerate() {
            let (colour, dash) = match access {
                Access::Always => ("#2a6f97", ""),
                Access::Sometimes => ("#d08c00", " stroke-dasharray=\"6 4\""),
                Access::Never | Access::Unknown => ("#999999", " stroke-dasharray=\"2 4\""),
            };
            let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
            let (start, end, third) = (LEFT + 8, RIGHT - 8, (RIGHT - LEFT) / 3);
            let bend = number * 6;
            // Writing to a String cannot fail.
            let _ = writeln!(
                svg,
                "<path d=\"M {start} {from} C {} {}, {} {}, {end} {to}\" fill=\"none\" stroke=\"{colour}\"{dash}>\
                 <title>{}</title></path>",
                start + third,
                from + bend,
                end - third,
                to + bend,
                escaped(&format!("{} {}", methods.join(", "), super::report::access(*access)))
            );
            if methods != ["*"] {
                let _ = writeln!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"10\" fill=\"{colour}\">{}</text>",
                    end - 4,
                    to + bend - 3,
                    escaped(&short(&methods.join(" ")))
                );
            }
        }
    }
    for (number, caller) in callers.iter().enumerate() {
        let has_access = edges.keys().any(|(from, _)| *from == number);
        let colour = if has_access { "#000000" } else { "#999999" };
        let y = TOP + STEP * number + 4;
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{y}\" text-anchor=\"end\" fill=\"{colour}\"><title>{}</title>{}</text>",
            escaped(caller),
            escaped(&short(caller))
        );
    }
    for (number, (workload, path)) in targets.iter().enumerate() {
        let y = TOP + STEP * number + 4;
        let text = format!("{workload} {path}");
        let _ = writeln!(
            svg,
            "<text x=\"{RIGHT}\" y=\"{y}\"><title>{}</title>{}</text>",
            escaped(&text),
            escaped(&short(&text))
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The place of a name in a list, at its end if it is not there yet.
fn place<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Text in a picture.
fn escaped(text: &str) -> String {
    plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
