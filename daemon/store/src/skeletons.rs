//! Skeletons of usernames (UTS #39 §4): two names look alike if they have one in common. What looks alike depends on the version of
//! Unicode, so a file says by which one its table was computed, and the table is computed anew when that changes.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record;
use crate::tables::{META, NAME_SKELETONS, USERS};
use crate::user::{self, User};
use crate::writing::WriteTransaction;
use crate::{Refusal, UserId};
use redb::{ReadableTable as _, ReadableTableMetadata as _};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;

/// The entry of `META`.
const MADE_BY: &str = "skeletons_by";

/// What the table is computed by: the Unicode versions of `unicode-security`, `unicode-normalization` and the standard library.
fn made_by() -> u64 {
    let (major, minor, _) = unicode_security::UNICODE_VERSION;
    let [normalization, letters] = [unicode_normalization::UNICODE_VERSION, char::UNICODE_VERSION];
    let others = [normalization.0, normalization.1, letters.0, letters.1];
    others.into_iter().fold((major << 8) | minor, |sum, part| (sum << 8) | u64::from(part))
}

/// The skeletons of a name as it is written, and in lower case, since names differ by more than case. They are in lower case
/// themselves: UTS #39 makes a capital O of the digit 0.
fn of(name: &str) -> BTreeSet<String> {
    let name: String = name.nfkc().collect();
    let of = |name: &str| skeleton(name).flat_map(char::to_lowercase).collect();
    [of(&name), of(&name.to_lowercase())].into()
}

/// Refuses a name that looks like another account's.
pub(crate) fn must_be_unlike_others(tx: &impl Reads, name: &str, own: Option<UserId>) -> Outcome<()> {
    let table = tx.reading(NAME_SKELETONS)?;
    for skeleton in of(name) {
        for row in table.range((skeleton.as_str(), u128::MIN)..=(skeleton.as_str(), u128::MAX))? {
            let other = UserId::from_number(row?.0.value().1);
            if Some(other) != own {
                let other = user::get(tx, other)?.username;
                return Err(Refusal::UsernameAlike { username: name.to_owned(), other }.into());
            }
        }
    }
    Ok(())
}

/// Adds or removes the skeletons of an account's name.
pub(crate) fn index(tx: &WriteTransaction, user: &User, present: bool) -> Outcome<()> {
    let mut table = tx.open_table(NAME_SKELETONS)?;
    for skeleton in of(&user.username) {
        let key = (skeleton.as_str(), user.id.number());
        if present {
            table.insert(key, ())?;
        } else {
            table.remove(key)?;
        }
    }
    Ok(())
}

/// True if the table was computed by the versions of Unicode that this code uses.
pub(crate) fn are_current(tx: &impl Reads) -> Outcome<bool> {
    Ok(tx.reading(META)?.get(MADE_BY)?.map(|entry| entry.value()) == Some(made_by()))
}

/// Computes the table anew. Accounts whose names look alike already keep them.
pub(crate) fn rebuild(tx: &WriteTransaction) -> Outcome<()> {
    tx.delete_table(NAME_SKELETONS)?;
    tx.open_table(NAME_SKELETONS)?;
    for row in tx.open_table(USERS)?.iter()? {
        index(tx, &record::decode(row?.1.value())?, true)?;
    }
    tx.open_table(META)?.insert(MADE_BY, made_by())?;
    Ok(())
}

/// What is wrong with the table, in words.
pub(crate) fn verify(tx: &impl Reads) -> Outcome<Option<String>> {
    let table = tx.reading(NAME_SKELETONS)?;
    let mut due = 0;
    for row in tx.reading(USERS)?.iter()? {
        let user: User = record::decode(row?.1.value())?;
        for skeleton in of(&user.username) {
            due += 1;
            if table.get((skeleton.as_str(), user.id.number()))?.is_none() {
                return Ok(Some(format!("{} has no skeleton", user.username)));
            }
        }
    }
    Ok((table.len()? != due).then(|| "there are skeletons without accounts".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_share_a_skeleton() {
        let alike = |one: &str, other: &str| !of(one).is_disjoint(&of(other));
        for (one, other) in [
            ("ace", "\u{430}\u{441}\u{435}"),
            ("ace", "\u{410}\u{421}\u{415}"),
            ("ACE", "\u{430}\u{441}\u{435}"),
            ("tom", "torn"),
            ("lena", "Iena"),
            ("user1", "userl"),
            ("root", "r0ot"),
        ] {
            assert!(alike(one, other) && alike(other, one), "{one} {other}");
        }
        for (one, other) in [("jose", "jos\u{e9}"), ("ann", "anna"), ("ben", "den"), ("mia", "mja")] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }
}
