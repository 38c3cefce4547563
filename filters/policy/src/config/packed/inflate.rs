//! Inflating (RFC 1951), with a bound on what comes out.
//!
//! `docs/decisions/0018-inflating.md` says why this is not a library: what V8 takes to compile one.

/// The most bits of a code.
const BITS: usize = 15;

/// So many blocks may be in a text, and one more for each 64 bytes of it. Encoders make blocks of thousands of bytes.
const BLOCKS: usize = 1024;

/// The order in which the lengths of the codes for code lengths are written.
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Lengths of copies, and their distances: the least value and the number of extra bits of each symbol.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are not deflated ones, or end early.
    Damaged,
    /// More would come out than may.
    TooLarge,
}

/// A canonical Huffman code: how many codes have each length, and the symbols in the order of their codes.
#[derive(Debug, Default)]
struct Code {
    counts: [u16; BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    /// The code whose symbols have these lengths; 0 is none. A code with more symbols than its lengths have room for is
    /// damage; one with fewer is not, as a code of one symbol is such a one.
    #[inline(never)]
    fn of(lengths: &[u8]) -> Result<Self, Fault> {
        let mut code = Self::default();
        for length in lengths.iter().filter(|length| **length > 0) {
            *code.counts.get_mut(usize::from(*length)).ok_or(Fault::Damaged)? += 1;
        }
        // Where the symbols of each length begin.
        let mut starts = [0u16; BITS + 2];
        for length in 1..=BITS {
            let before = starts.get(length).copied().unwrap_or_default();
            let next = before + code.counts.get(length).copied().unwrap_or_default();
            *starts.get_mut(length + 1).ok_or(Fault::Damaged)? = next;
        }
        code.symbols = vec![0; lengths.len()];
        for (symbol, length) in (0u16..).zip(lengths).filter(|(_, length)| **length > 0) {
            let start = starts.get_mut(usize::from(*length)).ok_or(Fault::Damaged)?;
            *code.symbols.get_mut(usize::from(*start)).ok_or(Fault::Damaged)? = symbol;
            *start += 1;
        }
        let mut room = 1i32;
        for count in code.counts.iter().skip(1) {
            room = room * 2 - i32::from(*count);
            if room < 0 {
                return Err(Fault::Damaged);
            }
        }
        Ok(code)
    }
}

/// The bits of the input, the lowest of each byte first.
struct Bits<'b> {
    bytes: &'b [u8],
    /// Bits that are read and not taken, and how many.
    held: u32,
    count: u32,
}

impl Bits<'_> {
    /// Takes up to 16 bits.
    fn take(&mut self, wanted: u8) -> Result<u16, Fault> {
        let wanted = u32::from(wanted);
        while self.count < wanted {
            let (byte, rest) = self.bytes.split_first().ok_or(Fault::Damaged)?;
            self.held |= u32::from(*byte) << self.count;
            (self.bytes, self.count) = (rest, self.count + 8);
        }
        let value = self.held & ((1 << wanted) - 1);
        (self.held, self.count) = (self.held >> wanted, self.count - wanted);
        u16::try_from(value).map_err(|_| Fault::Damaged)
    }

    /// Takes a symbol.
    #[inline(never)]
    fn symbol(&mut self, code: &Code) -> Result<u16, Fault> {
        let (mut value, mut first, mut index) = (0u32, 0u32, 0u32);
        for count in code.counts.iter().skip(1) {
            value |= u32::from(self.take(1)?);
            let count = u32::from(*count);
            if let Some(offset) = value.checked_sub(first).filter(|offset| *offset < count) {
                let at = usize::try_from(index + offset).map_err(|_| Fault::Damaged)?;
                return code.symbols.get(at).copied().ok_or(Fault::Damaged);
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        Err(Fault::Damaged)
    }

    /// Takes a length or a distance: the value of a symbol, and its extra bits.
    fn number(&mut self, table: &[(u16, u8)], symbol: u16) -> Result<usize, Fault> {
        let (least, extra) = table.get(usize::from(symbol)).copied().ok_or(Fault::Damaged)?;
        Ok(usize::from(least) + usize::from(self.take(extra)?))
    }
}

/// Inflates `bytes` to at most `most` bytes. Returns them and what follows the last block.
pub(super) fn inflate(bytes: &[u8], most: usize) -> Result<(Vec<u8>, &[u8]), Fault> {
    let mut bits = Bits { bytes, held: 0, count: 0 };
    let mut out = Vec::new();
    let (literals, distances) = fixed()?;
    // A block that holds nothing has ten bits, and takes far longer than they are worth.
    let mut blocks = BLOCKS + bytes.len() / 64;
    loop {
        blocks = blocks.checked_sub(1).ok_or(Fault::Damaged)?;
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, most)?,
            1 => block(&mut bits, &literals, &distances, &mut out, most)?,
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                block(&mut bits, &literals, &distances, &mut out, most)?;
            }
            _ => return Err(Fault::Damaged),
        }
        if is_last {
            // Whole bytes are never held: each is read when its first bit is taken.
            return Ok((out, bits.bytes));
        }
    }
}

/// A block of bytes as they are.
#[inline(never)]
fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>, most: usize) -> Result<(), Fault> {
    (bits.held, bits.count) = (0, 0);
    let (length, complement) = (bits.take(16)?, bits.take(16)?);
    if length != !complement {
        return Err(Fault::Damaged);
    }
    let (bytes, rest) = bits.bytes.split_at_checked(usize::from(length)).ok_or(Fault::Damaged)?;
    if out.len() + bytes.len() > most {
        return Err(Fault::TooLarge);
    }
    out.extend(bytes);
    bits.bytes = rest;
    Ok(())
}

/// The codes that need not be written.
#[inline(never)]
fn fixed() -> Result<(Code, Code), Fault> {
    let length = |symbol| match symbol {
        0..144 => 8,
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    };
    let literals: Vec<u8> = (0..288).map(length).collect();
    Ok((Code::of(&literals)?, Code::of(&[5; 30])?))
}

/// Codes that are written before the block.
#[inline(never)]
fn dynamic(bits: &mut Bits<'_>) -> Result<(Code, Code), Fault> {
    let literals = usize::from(bits.take(5)?) + 257;
    let distances = usize::from(bits.take(5)?) + 1;
    let count = usize::from(bits.take(4)?) + 4;
    let mut lengths = [0; ORDER.len()];
    for at in ORDER.iter().take(count) {
        let length = u8::try_from(bits.take(3)?).map_err(|_| Fault::Damaged)?;
        *lengths.get_mut(usize::from(*at)).ok_or(Fault::Damaged)? = length;
    }
    let code = Code::of(&lengths)?;
    let mut lengths: Vec<u8> = Vec::with_capacity(literals + distances);
    while lengths.len() < literals + distances {
        let (length, times) = match bits.symbol(&code)? {
            16 => (*lengths.last().ok_or(Fault::Damaged)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).map_err(|_| Fault::Damaged)?, 1),
        };
        lengths.extend(std::iter::repeat_n(length, usize::from(times)));
    }
    if lengths.len() > literals + distances {
        return Err(Fault::Damaged);
    }
    let (literals, distances) = lengths.split_at_checked(literals).ok_or(Fault::Damaged)?;
    Ok((Code::of(literals)?, Code::of(distances)?))
}

/// The bytes and copies of a block.
#[inline(never)]
fn block(bits: &mut Bits<'_>, literals: &Code, distances: &Code, out: &mut Vec<u8>, most: usize) -> Result<(), Fault> {
    loop {
        let symbol = bits.symbol(literals)?;
        if let Ok(byte) = u8::try_from(symbol) {
            if out.len() >= most {
                return Err(Fault::TooLarge);
            }
            out.push(byte);
            continue;
        }
        let Some(symbol) = symbol.checked_sub(257) else { return Ok(()) };
        let length = bits.number(&LENGTHS, symbol)?;
        let symbol = bits.symbol(distances)?;
        let distance = bits.number(&DISTANCES, symbol)?;
        if out.len() + length > most {
            return Err(Fault::TooLarge);
        }
        let from = out.len().checked_sub(distance).ok_or(Fault::Damaged)?;
        // What is copied may overlap with itself.
        for at in from..from + length {
            let byte = *out.get(at).ok_or(Fault::Damaged)?;
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests;
