//! Opens the store: the file, its schema, and the reserve beside it.

use crate::reserve::Reserve;
use crate::store::Opener;
use crate::{Store, StoreError, file, schema};
use std::path::Path;

impl Store {
    /// Opens the store, creating or migrating it if necessary. A damaged or foreign file, or one of a newer Perch, is an error
    /// and is not changed. Reads the whole file, and repairs it after a power cut.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = file::open(path)?;
        schema::bring_up_to_date(&database, path)?;
        let again = path.to_owned();
        let store = Self::of(database, path.to_owned(), Box::new(move || file::open_existing(&again)));
        let beside = path.to_owned();
        let open_read_only: Opener = Box::new(move || file::open_read_only(&beside));
        Ok(Self { reserve: Some(Reserve::beside(path)), open_read_only: Some(open_read_only), ..store })
    }
}
