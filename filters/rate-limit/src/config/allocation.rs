//! Which cells of the table each limit gets.

use crate::compiled::limits::Limit;
use crate::table::{Allocation, WAYS};
use weir_config::Cursor;
use weir_matching::BitSet;

/// How many names there are for cells of limits with a single key: so many that hardly any two limits hash to the same.
const CELLS: u32 = 1 << 20;

/// Gives every limit its cells. A limit whose cells change starts from zero, and while two configurations are in force, as
/// when a listener drains, two limits in one cell overwrite each other's counts. So cells depend on the set of limits only
/// and hardly change when a limit is added.
#[inline(never)]
pub(super) fn allocate(at: &Cursor<'_>, limits: &mut [Limit], max_keys: u32) -> Option<()> {
    let mut single: Vec<&mut Limit> = Vec::new();
    let mut keyed: Vec<&mut Limit> = Vec::new();
    for limit in limits.iter_mut().filter(|limit| limit.algorithm.is_some()) {
        if limit.keyed.contains(&true) { keyed.push(limit) } else { single.push(limit) }
    }
    spread(&mut single, CELLS, |limit, number| limit.allocation = Allocation::Single(number));
    let sets = max_keys / u32::try_from(WAYS).unwrap_or(8);
    let blocks = u32::try_from(keyed.len().next_power_of_two()).unwrap_or(u32::MAX);
    let count = sets / blocks.max(1);
    if count == 0 {
        return at.problem(format!("{} keyed limits do not fit `maxKeys` of {max_keys}", keyed.len()));
    }
    spread(&mut keyed, blocks, |limit, block| limit.allocation = Allocation::Sets { first: block * count, count });
    Some(())
}

/// Numbers limits by open addressing with linear probing: each takes the first free number from its hash on, below `size`.
fn spread(limits: &mut [&mut Limit], size: u32, mut assign: impl FnMut(&mut Limit, u32)) {
    let mut taken = BitSet::default();
    taken.start(usize::try_from(size).unwrap_or(usize::MAX));
    weir_matching::sort_by(limits, |a, b| a.id.cmp(&b.id));
    for limit in limits.iter_mut() {
        let home = u32::try_from(limit.id % u64::from(size.max(1))).unwrap_or(0);
        let free = (home..size).chain(0..home).find(|number| !taken.contains(*number));
        let number = free.unwrap_or(home);
        taken.insert(number);
        assign(limit, number);
    }
}
