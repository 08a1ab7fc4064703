//! Boards have no real-time clock: events before the network gives the time get provisional dates, sometimes years off. When the
//! clock is set, these dates are moved by the clock's error.

use crate::failure::Outcome;
use crate::reads::Reads as _;
use crate::record::{self, Record};
use crate::sessions::Session;
use crate::tables::{MESSAGES, NOTIFICATIONS, RECORDINGS, RESTRICTIONS, SESSIONS, STREAM_FACTS, USERS};
use crate::writing::WriteTransaction;
use crate::{
    Message, Notification, Recording, Restriction, Store, StoreError, StreamFacts, Timestamp, User, relation,
    sessions, streams,
};
use redb::{Key, ReadableTable as _, TableDefinition};
use std::ops::{Range, RangeBounds};

/// A clock that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockCorrection {
    /// The period from the time it showed when the daemon started to the time it showed when it was set.
    pub provisional: Range<Timestamp>,
    /// Milliseconds that it was behind; negative if it was ahead.
    pub behind_ms: i64,
}

impl ClockCorrection {
    fn holds(&self, time: Timestamp) -> bool {
        self.provisional.contains(&time)
    }

    fn moved(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(time.unix_millis().saturating_add(self.behind_ms))
    }

    /// Corrects a time in the period; true if it did.
    fn correct(&self, time: &mut Timestamp) -> bool {
        let holds = self.holds(*time);
        if holds {
            *time = self.moved(*time);
        }
        holds
    }
}

impl Store {
    /// Corrects the dates that a wrong clock gave: of accounts, logins and their expiry, streams, recordings, messages,
    /// notifications, restrictions. Ids stay, and with them the order within a chat.
    pub fn correct_times(&self, correction: &ClockCorrection) -> Result<(), StoreError> {
        self.write(|tx| {
            correct_all(tx, USERS, |user: &mut User| correction.correct(&mut user.created_at))?;
            correct_all(tx, NOTIFICATIONS, |told: &mut Notification| correction.correct(&mut told.at))?;
            correct_all(tx, RESTRICTIONS, |barred: &mut Restriction| {
                let made = correction.correct(&mut barred.at);
                barred.until = barred.until.map(|until| if made { correction.moved(until) } else { until });
                made
            })?;
            let mut put_off = Vec::new();
            correct_all(tx, SESSIONS, |session: &mut Session| {
                let opened = correction.correct(&mut session.opened_at);
                let refreshed = correction.correct(&mut session.refreshed_at);
                if refreshed {
                    session.expires_at = correction.moved(session.expires_at);
                    put_off.push(session.clone());
                }
                opened || refreshed
            })?;
            for session in &put_off {
                sessions::put_off_tokens(tx, session)?;
            }
            correct_all(tx, RECORDINGS, |recording: &mut Recording| {
                let moved = correction.correct(&mut recording.started_at);
                recording.is_date_provisional &= !moved;
                recording.is_name_outdated |= moved;
                moved
            })?;
            correct_streams(tx, correction)
        })
    }
}

/// Chats are long and streams many, so only streams that can have messages from that period are read.
fn correct_streams(tx: &WriteTransaction, correction: &ClockCorrection) -> Outcome<()> {
    let mut written_in = Vec::new();
    let mut redated = Vec::new();
    for row in tx.reading(STREAM_FACTS)?.iter()? {
        let mut facts: StreamFacts = record::decode(row?.1.value())?;
        if facts.ended_at.is_none_or(|ended_at| ended_at >= correction.provisional.start) {
            written_in.push(facts.id);
        }
        let mut moved = correction.correct(&mut facts.created_at);
        for time in [&mut facts.live_at, &mut facts.ended_at].into_iter().flatten() {
            moved |= correction.correct(time);
        }
        if moved {
            redated.push(facts);
        }
    }
    for facts in &redated {
        streams::put_facts(tx, facts)?;
    }
    for stream in written_in {
        correct_in(tx, MESSAGES, relation::of(stream.number()), |message: &mut Message| {
            correction.correct(&mut message.sent_at)
        })?;
    }
    Ok(())
}

fn correct_all<K, R: Record>(
    tx: &WriteTransaction,
    table: TableDefinition<'static, K, &'static [u8]>,
    correct: impl FnMut(&mut R) -> bool,
) -> Outcome<()>
where
    K: for<'a> Key<SelfType<'a> = K> + Copy + 'static,
{
    correct_in(tx, table, .., correct)
}

fn correct_in<K, R: Record>(
    tx: &WriteTransaction,
    table: TableDefinition<'static, K, &'static [u8]>,
    range: impl RangeBounds<K>,
    mut correct: impl FnMut(&mut R) -> bool,
) -> Outcome<()>
where
    K: for<'a> Key<SelfType<'a> = K> + Copy + 'static,
{
    let mut table = tx.open_table(table)?;
    let mut moved = Vec::new();
    for row in table.range::<K>(range)? {
        let (key, bytes) = row?;
        let mut record: R = record::decode(bytes.value())?;
        if correct(&mut record) {
            moved.push((key.value(), record::encode(&record)?));
        }
    }
    for (key, bytes) in moved {
        table.insert(key, bytes.as_slice())?;
    }
    Ok(())
}
