//! Makes ids: ULIDs from the caller's time and the kernel's random bytes.

use crate::Timestamp;
use crate::failure::{Failure, Outcome};
use ulid::Ulid;

/// A new ULID: 48 bits of time, 80 random bits. A clock before 1970 counts as 1970.
pub(crate) fn at(now: Timestamp) -> Outcome<u128> {
    let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
    Ok(Ulid::from_parts(millis, random()?).0)
}

/// A new ULID that is greater than `last`, even if the wall clock has gone back since.
pub(crate) fn after(last: Option<u128>, now: Timestamp) -> Outcome<u128> {
    let fresh = at(now)?;
    match last {
        Some(last) if last >= fresh => last.checked_add(1).ok_or(Failure::Exhausted { counter: "ids" }),
        _ => Ok(fresh),
    }
}

pub(crate) fn random() -> Outcome<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Randomness(error.to_string()))?;
    Ok(u128::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_goes_back() {
        let late = at(Timestamp::from_unix_millis(2_000_000)).unwrap();
        assert_eq!(after(Some(late), Timestamp::from_unix_millis(-5)).unwrap(), late + 1);
        assert!(after(Some(late), Timestamp::from_unix_millis(3_000_000)).unwrap() > late + 1);
    }
}
