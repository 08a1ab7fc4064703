//! The transaction that writes. It knows whether a row has changed; if none has, nothing is committed and nothing is synced.

use crate::failure::Outcome;
use crate::reads::Reads;
use redb::{
    AccessGuard, Database, Key, ReadableTable, StorageError, TableDefinition, TableError, TransactionError,
    Value,
};
use std::borrow::Borrow;
use std::cell::Cell;
use std::ops::{Deref, RangeBounds};

/// redb's write transaction, and whether it has changed anything.
pub(crate) struct WriteTransaction {
    inner: redb::WriteTransaction,
    has_changes: Cell<bool>,
}

impl WriteTransaction {
    /// Waits until no other thread writes.
    pub(crate) fn begin(database: &Database) -> Result<Self, TransactionError> {
        Ok(Self { inner: database.begin_write()?, has_changes: Cell::new(false) })
    }

    /// Opens a table, which is created if it does not exist.
    pub(crate) fn open_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Table<'_, K, V>, TableError> {
        Ok(Table { rows: self.inner.open_table(definition)?, has_changes: &self.has_changes })
    }

    /// Deletes a table, if it exists.
    pub(crate) fn delete_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<(), TableError> {
        if self.inner.delete_table(definition)? {
            self.commit_anyway();
        }
        Ok(())
    }

    /// Commits even if no row changes: tables were created, or the commit itself is what the caller wants.
    pub(crate) fn commit_anyway(&self) {
        self.has_changes.set(true);
    }

    /// Commits what has changed, with one sync of the card; returns false if nothing has, which costs no sync.
    pub(crate) fn finish(self) -> Outcome<bool> {
        let has_changes = self.has_changes.get();
        if has_changes {
            self.inner.commit()?;
        } else {
            self.inner.abort()?;
        }
        Ok(has_changes)
    }
}

impl Reads for WriteTransaction {
    fn reading<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Outcome<impl ReadableTable<K, V>> {
        Ok(self.inner.open_table(table)?)
    }
}

/// A table that is being written to. Reads go to redb's table; what writes is here, and notes whether a row changed.
pub(crate) struct Table<'a, K: Key + 'static, V: Value + 'static> {
    rows: redb::Table<'a, K, V>,
    has_changes: &'a Cell<bool>,
}

impl<'a, K: Key + 'static, V: Value + 'static> Deref for Table<'a, K, V> {
    type Target = redb::Table<'a, K, V>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl<K: Key + 'static, V: Value + 'static> Table<'_, K, V> {
    /// Puts a row; returns the value it had. The same value again is no change.
    pub(crate) fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        let (key, value) = (key.borrow(), value.borrow());
        let is_same = self
            .rows
            .get(key)?
            .is_some_and(|present| V::as_bytes(&present.value()).as_ref() == V::as_bytes(value).as_ref());
        if is_same {
            return self.rows.get(key);
        }
        self.has_changes.set(true);
        self.rows.insert(key, value)
    }

    /// Removes a row; returns its value, if it existed.
    pub(crate) fn remove<'k>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        let removed = self.rows.remove(key)?;
        if removed.is_some() {
            self.has_changes.set(true);
        }
        Ok(removed)
    }

    /// Keeps the rows for which `keep` is true.
    pub(crate) fn retain(
        &mut self,
        mut keep: impl for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    ) -> Result<(), StorageError> {
        let has_changes = self.has_changes;
        self.rows.retain(|key, value| {
            let keeps = keep(key, value);
            has_changes.set(has_changes.get() || !keeps);
            keeps
        })
    }

    /// Keeps the rows of the range for which `keep` is true, and all others.
    pub(crate) fn retain_in<'r, R: Borrow<K::SelfType<'r>> + 'r>(
        &mut self,
        range: impl RangeBounds<R> + 'r,
        mut keep: impl for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    ) -> Result<(), StorageError> {
        let has_changes = self.has_changes;
        self.rows.retain_in(range, |key, value| {
            let keeps = keep(key, value);
            has_changes.set(has_changes.get() || !keeps);
            keeps
        })
    }

    /// Removes the rows of the range for which `goes` is true, as the iterator reaches them.
    #[expect(clippy::type_complexity, reason = "redb's own row")]
    pub(crate) fn extract_from_if<'r, R: Borrow<K::SelfType<'r>> + 'r>(
        &mut self,
        range: impl RangeBounds<R> + 'r,
        mut goes: impl for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    ) -> Result<
        impl Iterator<Item = Result<(AccessGuard<'_, K>, AccessGuard<'_, V>), StorageError>>,
        StorageError,
    > {
        let has_changes = self.has_changes;
        self.rows.extract_from_if(range, move |key, value| {
            let goes = goes(key, value);
            has_changes.set(has_changes.get() || goes);
            goes
        })
    }

    /// Removes the first row.
    #[cfg(test)]
    pub(crate) fn pop_first(&mut self) -> Result<Option<()>, StorageError> {
        self.has_changes.set(true);
        Ok(self.rows.pop_first()?.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: TableDefinition<u32, &str> = TableDefinition::new("rows");

    fn changes(database: &Database, work: impl FnOnce(&mut Table<'_, u32, &'static str>)) -> bool {
        let tx = WriteTransaction::begin(database).unwrap();
        work(&mut tx.open_table(ROWS).unwrap());
        tx.finish().unwrap()
    }

    #[test]
    fn what_changes_no_row_is_not_committed() {
        let backend = redb::backends::InMemoryBackend::new();
        let database = Database::builder().create_with_backend(backend).unwrap();
        assert!(changes(&database, |rows| drop(rows.insert(1, "one").unwrap())));
        assert!(!changes(&database, |_| ()));
        assert!(!changes(&database, |rows| {
            assert_eq!(rows.insert(1, "one").unwrap().unwrap().value(), "one");
            assert!(rows.remove(2).unwrap().is_none());
            rows.retain(|_, _| true).unwrap();
            rows.retain_in(2..9, |_, _| false).unwrap();
            assert_eq!(rows.extract_from_if(0..9, |_, _| false).unwrap().count(), 0);
        }));
        assert!(changes(&database, |rows| {
            assert_eq!(rows.insert(1, "two").unwrap().unwrap().value(), "one");
        }));
        assert!(changes(&database, |rows| rows.retain(|_, value| value != "two").unwrap()));
        assert!(changes(&database, |rows| drop(rows.insert(3, "three").unwrap())));
        assert!(changes(&database, |rows| drop(rows.remove(3).unwrap())));
        assert!(changes(&database, |rows| drop(rows.insert(4, "four").unwrap())));
        assert!(changes(&database, |rows| {
            assert_eq!(rows.extract_from_if(0..9, |_, _| true).unwrap().count(), 1);
        }));
        let tx = WriteTransaction::begin(&database).unwrap();
        tx.commit_anyway();
        assert!(tx.finish().unwrap());
    }
}
