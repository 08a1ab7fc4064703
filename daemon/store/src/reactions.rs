//! Likes and dislikes: one per person and stream, changeable. The stream's counts change in the same transaction.

use crate::failure::{Failure, Outcome};
use crate::tables::REACTED;
use crate::writing::WriteTransaction;
use crate::{Store, StoreError, StreamFacts, StreamId, UserId, streams, user};
use serde::{Deserialize, Serialize};

/// What a person thinks of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Thumb up.
    Like,
    /// Thumb down.
    Dislike,
}

impl Reaction {
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Like => 1,
            Self::Dislike => -1,
        }
    }

    pub(crate) fn from_code(code: i64) -> Outcome<Self> {
        match code {
            1 => Ok(Self::Like),
            -1 => Ok(Self::Dislike),
            code => Err(Failure::Damaged(format!("a reaction of {code}"))),
        }
    }

    fn count(self, facts: &mut StreamFacts) -> &mut u64 {
        match self {
            Self::Like => &mut facts.likes,
            Self::Dislike => &mut facts.dislikes,
        }
    }
}

impl Store {
    /// Sets, changes or removes a person's reaction; returns the stream's new counts.
    pub fn react(
        &self,
        user: UserId,
        stream: StreamId,
        reaction: Option<Reaction>,
    ) -> Result<StreamFacts, StoreError> {
        self.write(|tx| {
            user::get(tx, user)?;
            set(tx, user, stream, reaction)
        })
    }

    /// A person's reaction to a stream.
    pub fn reaction(&self, user: UserId, stream: StreamId) -> Result<Option<Reaction>, StoreError> {
        self.read(|tx| {
            REACTED.value(tx, stream.number(), user.number())?.map(Reaction::from_code).transpose()
        })
    }
}

pub(crate) fn set(
    tx: &WriteTransaction,
    user: UserId,
    stream: StreamId,
    reaction: Option<Reaction>,
) -> Outcome<StreamFacts> {
    let mut facts = streams::facts(tx, stream)?;
    let before = match reaction {
        Some(reaction) => REACTED.tie(tx, stream.number(), user.number(), reaction.code())?,
        None => REACTED.untie(tx, stream.number(), user.number())?,
    };
    if let Some(before) = before {
        let count = Reaction::from_code(before)?.count(&mut facts);
        *count = count
            .checked_sub(1)
            .ok_or_else(|| Failure::Damaged("a negative count of reactions".to_owned()))?;
    }
    if let Some(reaction) = reaction {
        *reaction.count(&mut facts) += 1;
    }
    streams::put_facts(tx, &facts)?;
    Ok(facts)
}
