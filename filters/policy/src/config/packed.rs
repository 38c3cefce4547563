//! `policiesGzip`: policies that would not fit into a Kubernetes object as they are.

mod inflate;

use base64ct::{Base64, Encoding as _};
use inflate::{Fault, inflate};
use weir_config::{Cursor, Value};

/// The most bytes of policies, unpacked: ten thousand rules take about two million. What a VM has once taken it keeps, and
/// read policies take several times their text.
pub(crate) const MOST: usize = 16 << 20;

/// The most values in them, as lists and objects tell by their commas and beginnings: ten thousand rules have about a hundred
/// and fifty thousand. A text may consist of next to nothing but values, each of which takes many times its bytes.
const VALUES: usize = 1 << 20;

/// The JSON text that is packed as gzip (RFC 1952) in base64 (RFC 4648, with padding). What a packed text makes a VM take is
/// bounded by [`MOST`], above which it is not inflated, and by [`VALUES`].
///
/// # Errors
/// What is wrong with it.
pub fn unpack(packed: &str) -> Result<Vec<u8>, String> {
    let packed = Base64::decode_vec(packed.trim_ascii()).map_err(|_| "not base64, with padding".to_owned())?;
    match gunzip(&packed) {
        Ok(json) if json.iter().filter(|byte| b",[{".contains(byte)).count() > VALUES => {
            Err(format!("more than {VALUES} values when it is unpacked"))
        }
        Ok(json) => Ok(json),
        Err(Fault::Damaged) => Err("not gzip, or damaged".to_owned()),
        Err(Fault::TooLarge) => Err(format!("more than {MOST} bytes when it is unpacked")),
    }
}

/// Unpacks the text of the list that is packed.
#[inline(never)]
pub(super) fn text(at: &Cursor<'_>) -> Option<Vec<u8>> {
    unpack(at.string()?).map_or_else(|problem| at.problem(problem), Some)
}

/// The list in that text.
#[inline(never)]
pub(super) fn list<'t>(at: &Cursor<'_>, text: &'t [u8]) -> Option<Value<'t>> {
    match serde_json::from_slice(text) {
        Ok(value) => Some(value),
        Err(error) => at.problem(format!("what is packed is not JSON: {error}")),
    }
}

/// The bytes of the only member of a gzip file.
fn gunzip(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let deflated = body(packed).ok_or(Fault::Damaged)?;
    let (bytes, trailer) = inflate(deflated, MOST)?;
    let size = u32::try_from(bytes.len()).map_err(|_| Fault::TooLarge)?;
    if trailer != [crc32(&bytes), size].map(u32::to_le_bytes).as_flattened() {
        return Err(Fault::Damaged);
    }
    Ok(bytes)
}

/// What follows the header of a gzip member.
#[inline(never)]
fn body(packed: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = packed.split_first_chunk::<10>()?;
    let [0x1f, 0x8b, 8, flags, ..] = *head else { return None };
    if flags & 0b1110_0000 != 0 {
        return None;
    }
    if flags & 4 != 0 {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    // A name and a comment, each ended by a zero byte.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

/// CRC-32 as gzip has it, four bits at a time.
fn crc32(bytes: &[u8]) -> u32 {
    /// Each half of a byte, moved through the polynomial 0xedb88320.
    const STEP: [u32; 16] = [
        0x0000_0000,
        0x1db7_1064,
        0x3b6e_20c8,
        0x26d9_30ac,
        0x76dc_4190,
        0x6b6b_51f4,
        0x4db2_6158,
        0x5005_713c,
        0xedb8_8320,
        0xf00f_9344,
        0xd6d6_a3e8,
        0xcb61_b38c,
        0x9b64_c2b0,
        0x86d3_d2d4,
        0xa00a_e278,
        0xbdbd_f21c,
    ];
    let step =
        |crc: u32| STEP.get(usize::try_from(crc & 15).unwrap_or_default()).copied().unwrap_or_default() ^ (crc >> 4);
    !bytes.iter().fold(u32::MAX, |crc, byte| step(step(crc ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests;
