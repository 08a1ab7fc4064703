//! The file's schema version, and the step from each version to the next.

use crate::failure::Outcome;
use crate::tables::{
    self, API_TOKEN_DIGESTS, API_TOKENS, COUNTERS, INGEST_KEY_USERS, INGEST_KEYS, META, PREPARED_STREAMS,
    RECORDINGS, WEBHOOK_DELIVERIES, WEBHOOKS,
};
use crate::writing::WriteTransaction;
use crate::{StoreError, derived, lists, site_settings, skeletons, topic};
use redb::{Database, ReadableDatabase, TableDefinition, TableHandle as _};
use std::path::Path;

/// The version this code reads and writes. A change of the tables needs a new version and a step in [`STEPS`].
pub(crate) const VERSION: u64 = STEPS.len() as u64;

const SCHEMA_VERSION: &str = "schema_version";

/// The steps from each version to the next. All steps that are due run in one transaction, so a power cut leaves the
/// file as it was. 0 is a file without tables.
const STEPS: [fn(&WriteTransaction) -> Outcome<()>; 9] = [
    // 1: the counter "media_sequence". Nothing reads it any more: segments are named without the store.
    |tx| Ok(tx.open_table(COUNTERS).map(drop)?),
    // 2: the site. A file of version 1 that counted nothing has no counters yet.
    |tx| {
        tx.open_table(COUNTERS)?;
        tables::make_all(tx)?;
        topic::add_starting_set(tx)
    },
    // 3: recordings.
    |tx| Ok(tx.open_table(RECORDINGS).map(drop)?),
    // 4: ingest. Before that, accounts could have keys which nothing used; their digests alone are of no use.
    |tx| {
        tx.delete_table(TableDefinition::<u128, &[u8; 32]>::new("STREAM_KEYS"))?;
        tx.delete_table(TableDefinition::<&[u8; 32], u128>::new("STREAM_KEY_USERS"))?;
        tx.open_table(INGEST_KEYS)?;
        tx.open_table(INGEST_KEY_USERS)?;
        tx.open_table(PREPARED_STREAMS)?;
        Ok(())
    },
    // 5: lists of streams. An earlier Perch would not keep them.
    lists::rebuild,
    // 6: new sites ask their owner about accounts. Sites with accounts go on as before.
    site_settings::keep_open_registration,
    // 7: names that look alike.
    skeletons::rebuild,
    // 8: API tokens.
    |tx| {
        tx.open_table(API_TOKENS)?;
        tx.open_table(API_TOKEN_DIGESTS)?;
        Ok(())
    },
    // 9: webhooks.
    |tx| {
        tx.open_table(WEBHOOKS)?;
        tx.open_table(WEBHOOK_DELIVERIES)?;
        Ok(())
    },
];

/// Migrates an older file, fills a new one, and computes tables anew that another version of Unicode made; refuses a newer or foreign
/// one without writing to it.
pub(crate) fn bring_up_to_date(database: &Database, path: &Path) -> Result<(), StoreError> {
    let found = match version(database, path)? {
        Some(VERSION) => {
            return with_derived_tables(database).map_err(|failure| failure.at(path, "write"));
        }
        None => 0,
        Some(found) if found > VERSION => {
            return Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION });
        }
        Some(0) => {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                what: "schema version 0 never existed".to_owned(),
            });
        }
        Some(found) => found,
    };
    let migrate = || -> Outcome<()> {
        let transaction = WriteTransaction::begin(database)?;
        for step in &STEPS[found as usize..] {
            step(&transaction)?;
        }
        transaction.open_table(META)?.insert(SCHEMA_VERSION, VERSION)?;
        derive_anew(&transaction)?;
        transaction.finish()?;
        Ok(())
    };
    migrate().map_err(|failure| failure.at(path, "write"))
}

/// Makes the tables anew that follow from others, if the file has them in another form: keys of names, the search index,
/// lists of streams, and names that look alike.
fn with_derived_tables(database: &Database) -> Outcome<()> {
    let read = database.begin_read()?;
    if derived::is_current(&read)? && lists::are_up_to_date(&read)? && skeletons::are_current(&read)? {
        return Ok(());
    }
    let transaction = WriteTransaction::begin(database)?;
    derive_anew(&transaction)?;
    transaction.finish().map(drop)
}

/// Makes all tables anew that follow from others. Takes seconds for ten thousand streams.
pub(crate) fn derive_anew(tx: &WriteTransaction) -> Outcome<()> {
    // The lists go by the numbers of streams, and skeletons by names, both of which this may change.
    derived::rebuild(tx)?;
    lists::rebuild(tx)?;
    skeletons::rebuild(tx)
}

/// `None`: a new file, without any table.
pub(crate) fn version(database: &impl ReadableDatabase, path: &Path) -> Result<Option<u64>, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use redb::ReadableTable as _;

    const BOOKS: TableDefinition<&str, &str> = TableDefinition::new("books");
    /// META as a table of another shape.
    const FOREIGN_META: TableDefinition<&str, &str> = TableDefinition::new("meta");

    /// The names of all tables, and the rows of those that these tests write. redb's marks in the header, that the file is open or was
    /// closed, are not content.
    fn content(path: &Path) -> Vec<String> {
        let database = Database::open(path).unwrap();
        let tx = database.begin_read().unwrap();
        let mut content: Vec<String> =
            tx.list_tables().unwrap().map(|table| format!("table {}", table.name())).collect();
        if let Ok(meta) = tx.open_table(META) {
            content.extend(
                meta.iter()
                    .unwrap()
                    .map(|row| row.map(|(k, v)| format!("{} {}", k.value(), v.value())).unwrap()),
            );
        }
        for table in [BOOKS, FOREIGN_META] {
            if let Ok(table) = tx.open_table(table) {
                content.extend(
                    table
                        .iter()
                        .unwrap()
                        .map(|row| row.map(|(k, v)| format!("{} {}", k.value(), v.value())).unwrap()),
                );
            }
        }
        assert!(content.len() > 1, "a table and a row");
        content
    }

    /// The error of opening a file with these changes; its content stays.
    fn open_after(change: impl Fn(&Database)) -> StoreError {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("perch.redb");
        change(&Database::create(&path).unwrap());
        let before = content(&path);
        let error = Store::open(&path).unwrap_err();
        assert_eq!(content(&path), before);
        error
    }

    #[test]
    fn a_newer_store_is_refused_with_both_versions_named() {
        let error = open_after(|database| {
            let transaction = database.begin_write().unwrap();
            transaction.open_table(META).unwrap().insert(SCHEMA_VERSION, VERSION + 1).unwrap();
            transaction.commit().unwrap();
        });
        assert!(matches!(error, StoreError::Newer { found, known, .. } if found == known + 1), "{error}");
    }

    #[test]
    fn a_redb_file_of_another_program_is_refused() {
        let error = open_after(|database| {
            let transaction = database.begin_write().unwrap();
            transaction.open_table(BOOKS).unwrap().insert("a", "b").unwrap();
            transaction.commit().unwrap();
        });
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }

    #[test]
    fn a_meta_table_of_another_shape_is_refused() {
        let error = open_after(|database| {
            let transaction = database.begin_write().unwrap();
            transaction.open_table(FOREIGN_META).unwrap().insert("schema_version", "1").unwrap();
            transaction.commit().unwrap();
        });
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}
