//! Envoy's response flags: the bit set that `response.flags` gives, and the short strings that logs and metrics show.

/// Short strings by bit, from bit 0. The bits are those of Envoy's legacy response flags and never change.
const SHORT: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH",
    "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR", "UDO",
];

/// The flags of `bits` joined by `,` in bit order; `-` for none. Bits without a short string follow as one hexadecimal
/// number, so that a newer Envoy's flag is seen rather than lost.
pub fn short_flags(bits: u64) -> String {
    if bits == 0 {
        return "-".to_owned();
    }
    let mut text = String::new();
    let mut rest = bits;
    for (bit, short) in SHORT.iter().enumerate() {
        let mask = 1u64 << bit;
        if rest & mask != 0 {
            rest &= !mask;
            comma(&mut text);
            text.push_str(short);
        }
    }
    if rest != 0 {
        comma(&mut text);
        text.push_str(&format!("{rest:#x}"));
    }
    text
}

fn comma(text: &mut String) {
    if !text.is_empty() {
        text.push(',');
    }
}

#[cfg(test)]
mod tests {
    use super::short_flags;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    #[test]
    fn flags_are_spelled_as_envoy_spells_them() {
        let cases = [
            (0, "-"),
            (0x1, "LH"),
            (0x2, "UH"),
            (0x20 | 0x8000, "UF,URX"),
            (0x100, "NR"),
            (0x800, "RL"),
            (0x1000, "UAEX"),
            (0x4000, "DC"),
            (0x40_0000, "DT"),
            (0x100_0000, "NC"),
            (0x1000_0000, "DR"),
            (0x2000_0000, "UDO"),
            (0x4000_0000, "0x40000000"),
            (1 << 63 | 0x80, "UO,0x8000000000000000"),
        ];
        let mut rows = Rows::default();
        for (bits, expected) in cases {
            rows.check(format!("{bits:#x}"), short_flags(bits), expected);
        }
    }
}
