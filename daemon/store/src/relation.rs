//! A many-to-many relation that can be looked up from both ends: two tables that one transaction changes together.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::writing::WriteTransaction;
use redb::{ReadableTable, TableDefinition};
use std::ops::RangeInclusive;

pub(crate) type Pairs = TableDefinition<'static, (u128, u128), i64>;

/// `forward` is keyed (left, right), `backward` (right, left); both carry the same value.
pub(crate) struct Relation {
    pub(crate) forward: Pairs,
    pub(crate) backward: Pairs,
}

pub(crate) fn of(one: u128) -> RangeInclusive<(u128, u128)> {
    (one, u128::MIN)..=(one, u128::MAX)
}

impl Relation {
    /// Ties the two; returns the value they were tied with before.
    pub(crate) fn tie(
        &self,
        tx: &WriteTransaction,
        left: u128,
        right: u128,
        value: i64,
    ) -> Outcome<Option<i64>> {
        tx.open_table(self.backward)?.insert((right, left), value)?;
        let before = tx.open_table(self.forward)?.insert((left, right), value)?.map(|value| value.value());
        Ok(before)
    }

    /// Unties the two; returns the value they were tied with.
    pub(crate) fn untie(&self, tx: &WriteTransaction, left: u128, right: u128) -> Outcome<Option<i64>> {
        tx.open_table(self.backward)?.remove((right, left))?;
        let before = tx.open_table(self.forward)?.remove((left, right))?.map(|value| value.value());
        Ok(before)
    }

    pub(crate) fn value(&self, tx: &impl Reads, left: u128, right: u128) -> Outcome<Option<i64>> {
        Ok(tx.reading(self.forward)?.get((left, right))?.map(|value| value.value()))
    }

    /// Everything that `left` is tied to, with the values.
    pub(crate) fn rights(&self, tx: &impl Reads, left: u128) -> Outcome<Vec<(u128, i64)>> {
        others(&tx.reading(self.forward)?, of(left))
    }

    /// Everything that is tied to `right`, with the values.
    pub(crate) fn lefts(&self, tx: &impl Reads, right: u128) -> Outcome<Vec<(u128, i64)>> {
        others(&tx.reading(self.backward)?, of(right))
    }

    pub(crate) fn count_rights(&self, tx: &impl Reads, left: u128) -> Outcome<u64> {
        count(&tx.reading(self.forward)?, left)
    }

    pub(crate) fn count_lefts(&self, tx: &impl Reads, right: u128) -> Outcome<u64> {
        count(&tx.reading(self.backward)?, right)
    }
}

/// At most `limit` others, greatest first, below `before`.
pub(crate) fn newest(
    table: &impl ReadableTable<(u128, u128), i64>,
    one: u128,
    before: Option<u128>,
    limit: usize,
) -> Outcome<Vec<(u128, i64)>> {
    let rows = match before {
        Some(before) => table.range((one, u128::MIN)..(one, before))?,
        None => table.range(of(one))?,
    };
    rows.rev()
        .take(limit)
        .map(|row| row.map(|(key, value)| (key.value().1, value.value())).map_err(Into::into))
        .collect()
}

fn others(
    table: &impl ReadableTable<(u128, u128), i64>,
    range: RangeInclusive<(u128, u128)>,
) -> Outcome<Vec<(u128, i64)>> {
    table
        .range(range)?
        .map(|row| row.map(|(key, value)| (key.value().1, value.value())).map_err(Into::into))
        .collect()
}

fn count(table: &impl ReadableTable<(u128, u128), i64>, one: u128) -> Outcome<u64> {
    let mut count = 0;
    for row in table.range(of(one))? {
        row?;
        count += 1;
    }
    Ok(count)
}
