//! Boards have no real-time clock: events before the network gives the time get provisional dates, sometimes years off. When the
//! clock is set, these dates are moved by the clock's error.

use crate::api_tokens::ApiToken;
use crate::failure::Outcome;
use crate::reads::Reads as _;
use crate::record::{self, Record};
use crate::relation::Pairs;
use crate::sessions::Session;
use crate::tables::{
    API_TOKENS, FOLLOWS, MESSAGES, NOTIFICATIONS, RECORDINGS, RESTRICTIONS, SESSIONS, STREAM_FACTS,
    USER_SESSIONS, USERS, WATCH_LIST, WEBHOOK_DELIVERIES, WEBHOOKS,
};
use crate::writing::WriteTransaction;
use crate::{
    Message, Notification, Recording, Restriction, Store, StoreError, StreamFacts, Timestamp, User, Webhook,
    WebhookDelivery, relation, sessions, streams,
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
    /// How long a login lasts at most without being renewed, milliseconds.
    pub login_lasts_ms: i64,
}

impl ClockCorrection {
    fn holds(&self, time: Timestamp) -> bool {
        self.provisional.contains(&time)
    }

    fn moved(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(time.unix_millis().saturating_add(self.behind_ms))
    }

    /// True if a login that expires then was open when the clock was set, by a clock like this one. One that expires later than a login
    /// can was dated by another clock.
    fn is_open_until(&self, expires_at: Timestamp) -> bool {
        let left = expires_at.unix_millis().saturating_sub(self.provisional.end.unix_millis());
        (1..=self.login_lasts_ms).contains(&left)
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
    /// Corrects the dates that a wrong clock gave: of accounts, logins, API tokens and their expiry, streams, recordings, messages,
    /// notifications, restrictions, follows, watch lists, webhooks and their deliveries. Ids stay, and with them the order within a chat. Every open login keeps the time that it had left, however
    /// old it is: the time that a board was off without knowing the date does not count.
    pub fn correct_times(&self, correction: &ClockCorrection) -> Result<(), StoreError> {
        self.write(|tx| {
            correct_all(tx, USERS, |user: &mut User| correction.correct(&mut user.created_at))?;
            correct_all(tx, NOTIFICATIONS, |told: &mut Notification| correction.correct(&mut told.at))?;
            correct_all(tx, RESTRICTIONS, |barred: &mut Restriction| {
                let made = correction.correct(&mut barred.at);
                barred.until = barred.until.map(|until| if made { correction.moved(until) } else { until });
                made
            })?;
            correct_all(tx, API_TOKENS, |token: &mut ApiToken| {
                let made = correction.correct(&mut token.created_at);
                token.expires_at = token.expires_at.map(|at| if made { correction.moved(at) } else { at });
                let used = token.last_used_at.as_mut().is_some_and(|at| correction.correct(at));
                made || used
            })?;
            correct_all(tx, WEBHOOKS, |webhook: &mut Webhook| correction.correct(&mut webhook.created_at))?;
            correct_all(tx, WEBHOOK_DELIVERIES, |delivery: &mut WebhookDelivery| {
                let made = correction.correct(&mut delivery.created_at);
                let tried = delivery.tried_at.as_mut().is_some_and(|at| correction.correct(at));
                made || tried
            })?;
            let mut moved = Vec::new();
            correct_all(tx, SESSIONS, |session: &mut Session| {
                let opened = correction.correct(&mut session.opened_at);
                let refreshed = correction.correct(&mut session.refreshed_at);
                let is_open = correction.is_open_until(session.expires_at);
                if refreshed || is_open {
                    session.expires_at = correction.moved(session.expires_at);
                    moved.push(session.clone());
                }
                opened || refreshed || is_open
            })?;
            for session in &moved {
                sessions::move_tokens(tx, session)?;
            }
            correct_pairs(tx, USER_SESSIONS, correction)?;
            for relation in [FOLLOWS, WATCH_LIST] {
                correct_pairs(tx, relation.forward, correction)?;
                correct_pairs(tx, relation.backward, correction)?;
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

/// Corrects the dates that two ids are tied with.
fn correct_pairs(tx: &WriteTransaction, table: Pairs, correction: &ClockCorrection) -> Outcome<()> {
    let mut table = tx.open_table(table)?;
    let mut moved = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        let mut since = Timestamp::from_unix_millis(value.value());
        if correction.correct(&mut since) {
            moved.push((key.value(), since.unix_millis()));
        }
    }
    for (key, since) in moved {
        table.insert(key, since)?;
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
