//! Which accounts publish now, and which were told to stay away for a moment.

use super::connection::Connection;
use super::doorkeeper::Admission;
use super::pace::Most;
use crate::clock::Clock;
use crate::live::LiveHandle;
use perch_store::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Connections of one account that may wait for their turn.
const ARRIVALS: usize = 2;

/// A program that was let in.
pub(super) struct Arrival {
    pub(super) connection: Connection,
    pub(super) admission: Admission,
}

/// Where a program that was let in goes.
pub(super) enum Entered {
    /// Its account publishes already: the task of that publication has it.
    Handed,
    /// A publication begins with it.
    New(Arrival, mpsc::Receiver<Arrival>),
    /// It may not publish now. Why, in words.
    Refused(Connection, String),
}

/// The publications of all accounts.
pub(super) struct Desk {
    pub(super) live: LiveHandle,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) most: Most,
    most_streams: usize,
    /// False while ingest is switched off.
    pub(super) enabled: watch::Receiver<bool>,
    accounts: Mutex<Accounts>,
}

/// What is known of accounts.
#[derive(Default)]
struct Accounts {
    publishing: HashMap<UserId, mpsc::Sender<Arrival>>,
    /// Why, and until when on the monotonic clock.
    refused: HashMap<UserId, (String, Duration)>,
}

impl Accounts {
    fn refusal(&mut self, user: UserId, now: Duration) -> Option<String> {
        self.refused.retain(|_, (_, until)| *until > now);
        self.refused.get(&user).map(|(why, _)| why.clone())
    }
}

impl Desk {
    /// No publication.
    pub(super) fn new(
        live: LiveHandle,
        clock: Arc<dyn Clock>,
        most: Most,
        most_streams: usize,
        enabled: watch::Receiver<bool>,
    ) -> Self {
        Self { live, clock, most, most_streams, enabled, accounts: Mutex::default() }
    }

    /// Takes a program that was let in.
    pub(super) fn enter(&self, arrival: Arrival) -> Entered {
        let user = arrival.admission.user;
        let now = self.clock.monotonic();
        let mut accounts = self.accounts();
        if let Some(why) = accounts.refusal(user, now) {
            return Entered::Refused(arrival.connection, why);
        }
        // A task that broke down has closed its end.
        if let Some(arrivals) = accounts.publishing.get(&user).filter(|arrivals| !arrivals.is_closed()) {
            return match arrivals.try_send(arrival) {
                Ok(()) => Entered::Handed,
                // It ends at this moment, or has others waiting.
                Err(error) => {
                    let why = "the stream of this key is just beginning or ending: try again".to_owned();
                    Entered::Refused(error.into_inner().connection, why)
                }
            };
        }
        if accounts.publishing.len() >= self.most_streams {
            let why =
                format!("{} streams from programs are on the air, which is the most", self.most_streams);
            return Entered::Refused(arrival.connection, why);
        }
        let (sender, arrivals) = mpsc::channel(ARRIVALS);
        accounts.publishing.insert(user, sender);
        Entered::New(arrival, arrivals)
    }

    /// The account's publication has ended. The program that has come meanwhile and may publish next, if there is one.
    pub(super) fn leave(&self, user: UserId, arrivals: &mut mpsc::Receiver<Arrival>) -> Option<Arrival> {
        let mut accounts = self.accounts();
        let next = arrivals.try_recv().ok();
        if next.is_none() {
            accounts.publishing.remove(&user);
        }
        next
    }

    /// Refuses the account's programs until a moment of the monotonic clock.
    pub(super) fn refuse_for(&self, user: UserId, why: &str, until: Duration) {
        self.accounts().refused.insert(user, (why.to_owned(), until));
    }

    /// Each change under the lock is one step: a panic leaves no half-made change.
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
