//! Rows that wait for Envoy's stats, in the order in which they get them.
//!
//! The overflow rows come first and rows of made-up names last. Between them stand the accounts: one for each principal
//! that a certificate proves, and one for all rows without a principal. The account whose series have taken the least time
//! so far is served first (least attained service). An account that opens starts near the least of the others, so neither what it
//! took long ago nor a stream of newcomers keeps it waiting. So a principal with many rows, or with names that Envoy has never
//! seen, waits behind one with few or with names that Envoy has already, as all have after a configuration swap. Within an
//! account all request counters come before all histograms, and earlier rows before later ones.

use crate::labels::key::Rank;
use crate::metrics::{Metric, MetricSet};
use std::collections::VecDeque;

/// What a row stands in a queue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Its counter.
    Counter,
    /// Its histograms.
    Histograms,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::Counter, Self::Histograms];

    /// The metrics that it is about.
    pub(crate) fn metrics(self) -> MetricSet {
        match self {
            Self::Counter => MetricSet::COUNTERS,
            Self::Histograms => MetricSet::HISTOGRAMS,
        }
    }
}

/// Rows in the order in which they came, by lane.
#[derive(Clone, Debug, Default)]
struct Lanes {
    counter: VecDeque<u32>,
    histograms: VecDeque<u32>,
}

impl Lanes {
    fn rows(&self, lane: Lane) -> &VecDeque<u32> {
        match lane {
            Lane::Counter => &self.counter,
            Lane::Histograms => &self.histograms,
        }
    }

    fn rows_mut(&mut self, lane: Lane) -> &mut VecDeque<u32> {
        match lane {
            Lane::Counter => &mut self.counter,
            Lane::Histograms => &mut self.histograms,
        }
    }

    /// Every row with its lane.
    fn iter(&self) -> impl Iterator<Item = (u32, Lane)> {
        Lane::ALL.into_iter().flat_map(|lane| self.rows(lane).iter().map(move |row| (*row, lane)))
    }

    fn len(&self) -> usize {
        self.counter.len() + self.histograms.len()
    }

    /// Removes rows from the fronts that are done. Returns how many stay.
    fn trim(&mut self, done: &mut impl FnMut(u32, Lane) -> bool) -> usize {
        for lane in Lane::ALL {
            let rows = self.rows_mut(lane);
            while rows.front().is_some_and(|row| done(*row, lane)) {
                rows.pop_front();
            }
        }
        self.len()
    }
}

/// The rows of one principal, and what its series have taken.
#[derive(Clone, Debug, Default)]
struct Account {
    /// In nanoseconds.
    spent: u64,
    lanes: Lanes,
}

/// The queues of one VM. They hold numbers of rows; a row stands in each lane once at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    overflow: Lanes,
    /// By the number of the principal.
    accounts: Vec<Account>,
    /// Numbers of the accounts in which rows wait.
    open: Vec<u32>,
    invented: Lanes,
    /// How many rows stand in the lanes of all accounts.
    waiting: usize,
    /// The least that an open account had taken when last looked at; it never falls.
    level: u64,
}

impl Queue {
    /// An account that opens starts so far behind the level, in nanoseconds: newcomers one after the other do not keep an
    /// older account waiting.
    const ENTRY: u64 = 3_000_000;
    /// What an account took long ago counts no more than this beyond the level, in nanoseconds.
    const DEBT: u64 = 20_000_000;
    /// The most rows that may wait in the accounts when another one comes.
    const ACCOUNTS: usize = 8192;
    /// So many of one account find room even then.
    const FEW: usize = 32;
    /// The same for made-up names. They are few: what waits behind them would be named when it is not used any more.
    const INVENTED: usize = 64;

    /// Whether one more row of that rank and account may wait. No account takes more than a quarter of the room.
    pub(crate) fn has_room(&self, rank: Rank, account: u32) -> bool {
        match rank {
            Rank::Overflow => true,
            Rank::Vouched | Rank::Plain => {
                let of_account = self.account(account).map_or(0, |account| account.lanes.len());
                (of_account < Self::ACCOUNTS / 4 && self.waiting < Self::ACCOUNTS)
                    || (of_account < Self::FEW && self.waiting < 2 * Self::ACCOUNTS)
            }
            Rank::Invented => self.invented.len() < Self::INVENTED,
        }
    }

    /// Puts a row at the end of a lane; `account` pays for it, unless its rank has no account.
    pub(crate) fn push(&mut self, rank: Rank, account: u32, lane: Lane, row: u32) {
        match rank {
            Rank::Overflow => return self.overflow.rows_mut(lane).push_back(row),
            Rank::Invented => return self.invented.rows_mut(lane).push_back(row),
            Rank::Vouched | Rank::Plain => {}
        }
        let Ok(place) = usize::try_from(account) else { return };
        if self.accounts.len() <= place {
            self.accounts.resize_with(place + 1, Account::default);
        }
        if let Some(of) = self.accounts.get_mut(place) {
            if of.lanes.len() == 0 {
                self.open.push(account);
                let [least, most] = [Self::ENTRY, Self::DEBT].map(|more| self.level.saturating_add(more));
                of.spent = of.spent.clamp(least, most);
            }
            of.lanes.rows_mut(lane).push_back(row);
            self.waiting += 1;
        }
    }

    /// At most `room` waiting series, the next ones first: row and metric. `missing` says which metrics of a lane a row still
    /// lacks.
    #[inline(never)]
    pub(crate) fn next(&self, room: usize, missing: impl Fn(u32, Lane) -> MetricSet) -> Vec<(u32, Metric)> {
        let of = |lanes: &Lanes, next: &mut Vec<(u32, Metric)>| {
            let series =
                lanes.iter().flat_map(|(row, lane)| missing(row, lane).iter().map(move |metric| (row, metric)));
            next.extend(series.take(room.saturating_sub(next.len())));
        };
        let mut next = Vec::new();
        of(&self.overflow, &mut next);
        let mut served = None;
        while next.len() < room {
            let later = self.open.iter().filter_map(|number| Some((self.account(*number)?.spent, *number)));
            let Some(account) = later.filter(|account| served.is_none_or(|served| *account > served)).min() else {
                break;
            };
            served = Some(account);
            if let Some(account) = self.account(account.1) {
                of(&account.lanes, &mut next);
            }
        }
        of(&self.invented, &mut next);
        next
    }

    /// Takes note of what a series of an account has taken, in nanoseconds.
    pub(crate) fn charge(&mut self, account: u32, nanos: u64) {
        let account = usize::try_from(account).ok().and_then(|account| self.accounts.get_mut(account));
        if let Some(account) = account {
            account.spent = account.spent.saturating_add(nanos);
        }
    }

    /// Removes rows from the fronts for which `done` says that no metric of the lane is missing.
    pub(crate) fn trim(&mut self, mut done: impl FnMut(u32, Lane) -> bool) {
        self.overflow.trim(&mut done);
        self.invented.trim(&mut done);
        let Self { accounts, open, waiting, .. } = self;
        *waiting = 0;
        open.retain(|number| {
            let account = usize::try_from(*number).ok().and_then(|number| accounts.get_mut(number));
            let left = account.map_or(0, |account| account.lanes.trim(&mut done));
            *waiting += left;
            left > 0
        });
        let least = self.open.iter().filter_map(|number| Some(self.account(*number)?.spent)).min();
        self.level = self.level.max(least.unwrap_or_default());
    }

    /// Whether a last row waits.
    pub(crate) fn overflow_waits(&self) -> bool {
        self.overflow.len() > 0
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.overflow.len() == 0 && self.invented.len() == 0
    }

    fn account(&self, number: u32) -> Option<&Account> {
        self.accounts.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests;
