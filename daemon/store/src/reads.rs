//! Reads a table from a snapshot and from a write transaction alike.

use crate::failure::Outcome;
use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, Value};

/// A transaction that can be read from: a snapshot, or one that also writes.
pub(crate) trait Reads {
    fn reading<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Outcome<impl ReadableTable<K, V>>;
}

impl Reads for ReadTransaction {
    fn reading<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Outcome<impl ReadableTable<K, V>> {
        Ok(self.open_table(table)?)
    }
}
