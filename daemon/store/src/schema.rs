//! Which tables the file has, told by one number, and the steps from each number to the next.

use crate::StoreError;
use redb::{Database, ReadableDatabase as _, TableDefinition, TableHandle as _};
use std::path::Path;

/// The version this code reads and writes. A change of the tables adds one and a step in [`bring_up_to_date`].
pub(crate) const VERSION: u64 = 1;

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const SCHEMA_VERSION: &str = "schema_version";

/// Writes the version into a new file; refuses a newer or foreign one without writing to it.
pub(crate) fn bring_up_to_date(database: &Database, path: &Path) -> Result<(), StoreError> {
    match version(database, path)? {
        Some(VERSION) => Ok(()),
        None => write_version(database, path),
        Some(found) if found > VERSION => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION })
        }
        Some(found) => Err(StoreError::Damaged {
            path: path.to_owned(),
            what: format!("schema version {found} has never been"),
        }),
    }
}

/// `None`: a file without any table, just made.
fn version(database: &Database, path: &Path) -> Result<Option<u64>, StoreError> {
    let failed = |error: redb::Error| StoreError::io(path, "read", error);
    let transaction = database.begin_read().map_err(|e| failed(e.into()))?;
    let mut tables = transaction.list_tables().map_err(|e| failed(e.into()))?.peekable();
    if tables.peek().is_none() {
        return Ok(None);
    }
    let foreign = || StoreError::Damaged {
        path: path.to_owned(),
        what: "it is a redb file of another program".to_owned(),
    };
    if !tables.any(|table| table.name() == "meta") {
        return Err(foreign());
    }
    let meta = transaction.open_table(META).map_err(|e| failed(e.into()))?;
    let version = meta.get(SCHEMA_VERSION).map_err(|e| failed(e.into()))?;
    version.map(|version| Some(version.value())).ok_or_else(foreign)
}

fn write_version(database: &Database, path: &Path) -> Result<(), StoreError> {
    let failed = |error: redb::Error| StoreError::io(path, "write", error);
    let transaction = database.begin_write().map_err(|e| failed(e.into()))?;
    transaction
        .open_table(META)
        .map_err(|e| failed(e.into()))?
        .insert(SCHEMA_VERSION, VERSION)
        .map_err(|e| failed(e.into()))?;
    transaction.commit().map_err(|e| failed(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn open_after(change: impl Fn(&Database)) -> (StoreError, bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("perch.redb");
        change(&Database::create(&path).unwrap());
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&path).unwrap_err();
        // Opening marks the file as open and clean again; what it holds must be what it held.
        (error, std::fs::read(&path).unwrap().len() == before.len())
    }

    #[test]
    fn a_newer_store_is_refused_with_both_versions_named() {
        let (error, kept) = open_after(|database| {
            let transaction = database.begin_write().unwrap();
            transaction.open_table(META).unwrap().insert(SCHEMA_VERSION, VERSION + 1).unwrap();
            transaction.commit().unwrap();
        });
        assert!(matches!(error, StoreError::Newer { found, known, .. } if found == known + 1), "{error}");
        assert!(kept);
    }

    #[test]
    fn a_redb_file_of_another_program_is_refused() {
        let (error, kept) = open_after(|database| {
            let transaction = database.begin_write().unwrap();
            let books: TableDefinition<&str, &str> = TableDefinition::new("books");
            transaction.open_table(books).unwrap().insert("a", "b").unwrap();
            transaction.commit().unwrap();
        });
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(kept);
    }

    #[test]
    fn a_meta_table_of_another_shape_is_refused() {
        let (error, _) = open_after(|database| {
            let transaction = database.begin_write().unwrap();
            let meta: TableDefinition<&str, &str> = TableDefinition::new("meta");
            transaction.open_table(meta).unwrap().insert("schema_version", "1").unwrap();
            transaction.commit().unwrap();
        });
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}
