//! A bar for each variant, on a logarithmic scale.

use super::grouped;
use crate::variants::BASE;
use std::fmt::Write as _;

/// An SVG picture of what each variant adds: name, all instructions, added ones.
pub(crate) fn picture(rows: &[(&str, u64, u64)]) -> String {
    let bars: Vec<(&str, u64)> =
        rows.iter().filter(|(name, ..)| *name != BASE).map(|(name, _, added)| (*name, *added)).collect();
    let log = |value: u64| (value.max(1) as f64).log10();
    let top = bars.iter().map(|(_, value)| log(*value)).fold(4.0, f64::max);
    let (left, width, step) = (340.0, 520.0, 26.0);
    let height = 30.0 + step * bars.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"960\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"18\">instructions added per request, logarithmic</text>\n"
    );
    for (index, (name, value)) in bars.iter().enumerate() {
        let y = 30.0 + step * index as f64;
        let long = (log(*value) - 3.0).max(0.02) / (top - 3.0) * width;
        let colour = if name.starts_with("weir") { "#2a6f97" } else { "#b0b7bd" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{left}\" y=\"{y}\" width=\"{long:.1}\" height=\"18\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            left - 8.0,
            y + 14.0,
            left + long + 6.0,
            y + 14.0,
            grouped(*value)
        );
    }
    svg.push_str("</svg>\n");
    svg
}
