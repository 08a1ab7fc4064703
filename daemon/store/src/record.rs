//! Records: one byte with the version of the record's layout, then the fields in postcard's coding
//! (postcard.jamesmunns.com/wire-format). A new field needs a new version, and the step from the previous one.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::writing::WriteTransaction;
use redb::{Key, ReadableTable as _, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};
use std::borrow::Borrow;

/// A kind of record.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// Its name in errors.
    const NAME: &'static str;
    /// The layout version that this code writes.
    const VERSION: u8;

    /// Reads a record of an earlier version; `None` for a version that never existed.
    fn from_earlier(_version: u8, _fields: &[u8]) -> Option<Self> {
        None
    }
}

pub(crate) fn encode<R: Record>(record: &R) -> Outcome<Vec<u8>> {
    postcard::to_extend(record, vec![R::VERSION])
        .map_err(|error| Failure::Damaged(format!("a {} cannot be written: {error}", R::NAME)))
}

pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Outcome<R> {
    let damaged = || Failure::Damaged(format!("a {} record cannot be read", R::NAME));
    let (&version, fields) = bytes.split_first().ok_or_else(damaged)?;
    if version > R::VERSION {
        return Err(Failure::NewerRecord { record: R::NAME, found: version, known: R::VERSION });
    }
    if version < R::VERSION {
        return R::from_earlier(version, fields).ok_or_else(damaged);
    }
    match postcard::take_from_bytes(fields) {
        Ok((record, [])) => Ok(record),
        _ => Err(damaged()),
    }
}

pub(crate) fn get<'a, R: Record, K: Key + 'static>(
    tx: &impl Reads,
    table: TableDefinition<'_, K, &'static [u8]>,
    key: impl Borrow<K::SelfType<'a>>,
) -> Outcome<Option<R>> {
    tx.reading(table)?.get(key)?.map(|bytes| decode(bytes.value())).transpose()
}

pub(crate) fn put<'a, R: Record, K: Key + 'static>(
    tx: &WriteTransaction,
    table: TableDefinition<'_, K, &'static [u8]>,
    key: impl Borrow<K::SelfType<'a>>,
    record: &R,
) -> Outcome<()> {
    tx.open_table(table)?.insert(key, encode(record)?.as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lamp {
        colour: String,
        watts: u32,
    }

    impl Record for Lamp {
        const NAME: &'static str = "lamp";
        const VERSION: u8 = 2;

        fn from_earlier(version: u8, fields: &[u8]) -> Option<Self> {
            (version == 1)
                .then(|| postcard::from_bytes(fields).ok())?
                .map(|colour| Self { colour, watts: 60 })
        }
    }

    fn lamp() -> Lamp {
        Lamp { colour: "blue".to_owned(), watts: 7 }
    }

    #[test]
    fn a_record_reads_back_and_an_earlier_one_is_brought_up_to_date() {
        assert_eq!(decode::<Lamp>(&encode(&lamp()).unwrap()).unwrap(), lamp());
        let earlier = postcard::to_extend(&"red", vec![1]).unwrap();
        assert_eq!(decode::<Lamp>(&earlier).unwrap(), Lamp { colour: "red".to_owned(), watts: 60 });
    }

    #[test]
    fn a_record_of_a_newer_perch_is_an_error_that_says_so() {
        let newer = postcard::to_extend(&lamp(), vec![3]).unwrap();
        assert!(matches!(
            decode::<Lamp>(&newer),
            Err(Failure::NewerRecord { record: "lamp", found: 3, known: 2 })
        ));
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let whole = encode(&lamp()).unwrap();
        for bytes in [&[][..], &[0], &[1], &[2], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            assert!(matches!(decode::<Lamp>(bytes), Err(Failure::Damaged(_))), "{bytes:?}");
        }
    }
}
