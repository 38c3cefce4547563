//! Response flags: the short names of access logs, and Envoy's legacy bit set that attributes show.

/// Short names in the order of their bits.
const NAMES: [&str; 27] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH",
    "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF",
];

/// The bit set.
pub(crate) fn bits(flags: &[&str]) -> i64 {
    NAMES.iter().enumerate().filter(|(_, name)| flags.contains(name)).map(|(bit, _)| 1 << bit).sum()
}

/// As access logs print them; `-` for none.
pub(crate) fn text(flags: &[&str]) -> String {
    if flags.is_empty() { "-".to_owned() } else { flags.join(",") }
}
