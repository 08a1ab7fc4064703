//! One room: the task that owns its recipients. Messages are gathered for a moment, stored in one commit, and then sent to everyone
//! in the order of the store. Between two steps of the task everything stored has also been sent, so a new recipient reads the store
//! up to that point and gets the rest as lines.
//!
//! The room waits for no connection: a recipient whose queue is full is removed, and its connection has to come back.

use super::ask::{Ask, Joined, Leave, Lines, Said, Sender};
use super::error::{Barred, ChatError, NotSent, Restricted};
use super::event::{Event, Text};
use super::house::{House, RoomInfo};
use super::pace::Pace;
use super::rights::{self, Admitted, May};
use super::writing::write_down;
use crate::accounts::logins::Login;
use perch_store::{ChatRules, MessageId, Role, StoreError, Timestamp, User, UserId};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

/// Connections in one room.
const RECIPIENTS: usize = 2000;
/// Messages within this time share a commit…
const GATHERED: Duration = Duration::from_millis(4);
/// …up to this number.
const TOGETHER: usize = 256;
/// Requests waiting while the room writes.
const ASKS: usize = 256;
/// Commits that a connection may lag behind, so that a few seconds without wireless are tolerated.
const BEHIND: usize = 256;
/// Minimum interval of presence and reactions, and of checking logins after a change.
const BEAT: Duration = Duration::from_secs(1);
/// People named in presence.
const NAMED: usize = 50;
/// Deletions remembered for clients that reconnect.
const DELETIONS: usize = 256;

/// The chat's handle of a room.
#[derive(Clone)]
pub(super) struct RoomHandle {
    streamer: UserId,
    asks: mpsc::Sender<Ask>,
    reactions: Arc<watch::Sender<(u64, u64)>>,
    look: Arc<Notify>,
}

impl RoomHandle {
    /// Opens the room.
    pub(super) fn open(house: &Arc<House>, info: RoomInfo) -> Self {
        let (asks, asked) = mpsc::channel(ASKS);
        let (reactions, reacted) = watch::channel((0, 0));
        let handle = Self {
            streamer: info.streamer,
            asks: asks.clone(),
            reactions: Arc::new(reactions),
            look: Arc::default(),
        };
        let room = Room {
            house: house.clone(),
            info,
            asks: asks.downgrade(),
            asked,
            reacted,
            look: handle.look.clone(),
            rules: ChatRules::default(),
            recipients: BTreeMap::new(),
            next_recipient: 0,
            last: None,
            pace: Pace::default(),
            said: Vec::new(),
            due: None,
            deleted: VecDeque::new(),
            has_moved: false,
            look_at: None,
        };
        tokio::spawn(room.run());
        handle
    }

    pub(super) const fn streamer(&self) -> UserId {
        self.streamer
    }

    /// True once the room takes no more requests: its stream has ended, or the daemon is stopping.
    pub(super) fn is_over(&self) -> bool {
        self.asks.is_closed()
    }

    /// Joins the room; `None` if the room is over.
    pub(super) async fn join(&self, who: Option<Login>) -> Option<Result<Joined, ChatError>> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Join { who, answer }).await.ok()?;
        answered.await.ok()
    }

    pub(super) async fn tell(&self, ask: Ask) {
        // An ended room needs no message.
        let _ = self.asks.send(ask).await;
    }

    pub(super) fn reacted(&self, likes: u64, dislikes: u64) {
        self.reactions.send_replace((likes, dislikes));
    }

    pub(super) fn look_again(&self) {
        self.look.notify_one();
    }
}

/// A connection's entry in the room.
struct Recipient {
    login: Option<Login>,
    user: Option<Arc<User>>,
    may_write: bool,
    restricted: Option<Restricted>,
    lines: mpsc::Sender<Lines>,
    leave: Arc<OnceLock<Leave>>,
}

struct Room {
    house: Arc<House>,
    info: RoomInfo,
    /// For connections that join; weak, so that a room without handles ends.
    asks: mpsc::WeakSender<Ask>,
    asked: mpsc::Receiver<Ask>,
    reacted: watch::Receiver<(u64, u64)>,
    look: Arc<Notify>,
    rules: ChatRules,
    recipients: BTreeMap<u64, Recipient>,
    next_recipient: u64,
    /// The last message sent.
    last: Option<MessageId>,
    pace: Pace,
    /// Gathered messages, not yet stored.
    said: Vec<Said>,
    /// When to store the gathered messages.
    due: Option<Instant>,
    deleted: VecDeque<MessageId>,
    /// True if somebody came or left since the last presence.
    has_moved: bool,
    /// When the next restriction of somebody here expires.
    look_at: Option<Timestamp>,
}

impl Room {
    async fn run(mut self) {
        let leave = match self.open().await {
            Ok(()) => self.serve().await,
            Err(error) => {
                tracing::error!("the chat of stream {} cannot be opened: {error}", self.info.stream);
                Leave::Closing
            }
        };
        // From here on the handle reports the room as over. Earlier requests are still answered: messages are stored, and joining
        // connections read the history.
        self.asked.close();
        while let Some(ask) = self.asked.recv().await {
            if let Ask::Say(said) = ask {
                self.gather(said);
            }
        }
        self.store_said().await;
        if leave == Leave::Ended {
            let ended = (self.house.render)(&Event::Ended);
            self.tell_all(&[ended]);
        }
        for recipient in self.recipients.into_values() {
            // Set before only if the recipient was removed before.
            let _ = recipient.leave.set(leave);
        }
    }

    async fn open(&mut self) -> Result<(), ChatError> {
        let stream = self.info.stream;
        let read = self.house.work(move |house| {
            let last = house.store.messages_before(stream, None, 1)?.pop().map(|message| message.id);
            Ok((last, house.store.chat_rules(stream)?))
        });
        (self.last, self.rules) = read.await?;
        Ok(())
    }

    async fn serve(&mut self) -> Leave {
        let mut on_air = self.house.on_air.clone();
        let mut closing = self.house.closing.subscribe();
        let mut logins = self.house.logins().changes();
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.house.info(self.info.stream) {
                None => return Leave::Ended,
                Some(info) if info != self.info => {
                    self.info = info;
                    self.look_again().await;
                }
                Some(_) => {}
            }
            if *closing.borrow() {
                return Leave::Closing;
            }
            if self.said.len() >= TOGETHER {
                self.store_said().await;
            }
            tokio::select! {
                Some(ask) = self.asked.recv() => self.answer(ask).await,
                () = until(self.due) => self.store_said().await,
                () = self.look.notified() => self.look_again().await,
                changed = on_air.changed() => if changed.is_err() { return Leave::Closing },
                _ = closing.changed() => {}
                _ = beat.tick() => {
                    let is_over = self.look_at.is_some_and(|at| at <= self.house.now());
                    if logins.has_changed().unwrap_or(false) || is_over {
                        logins.mark_unchanged();
                        self.look_again().await;
                    }
                    self.tell_reactions();
                    self.tell_presence();
                }
            }
        }
    }

    async fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Join { who, answer } => {
                let joined = self.join(who).await;
                // The caller may be gone; its recipient is then removed.
                let _ = answer.send(joined);
            }
            Ask::Say(said) => self.gather(said),
            Ask::Deleted { message } => {
                if self.deleted.len() == DELETIONS {
                    self.deleted.pop_front();
                }
                self.deleted.push_back(message);
                let deleted = (self.house.render)(&Event::Deleted { message });
                self.tell_all(&[deleted]);
            }
        }
    }

    async fn join(&mut self, login: Option<Login>) -> Result<Joined, ChatError> {
        if self.recipients.len() >= RECIPIENTS {
            return Err(ChatError::Full);
        }
        let (info, who) = (self.info, login.clone());
        let admitted = self.house.work(move |house| rights::admit(house, &info, who.as_ref())).await?;
        let Admitted { rules, user, may_write, restricted, until } = admitted;
        self.look_at = [self.look_at, until].into_iter().flatten().min();
        let (lines, heard) = mpsc::channel(BEHIND);
        let (leave, recipient) = (Arc::new(OnceLock::new()), self.next_recipient);
        self.next_recipient += 1;
        let you = user.clone();
        self.recipients.insert(
            recipient,
            Recipient { login: login.clone(), user, may_write, restricted, lines, leave: leave.clone() },
        );
        self.has_moved = true;
        let viewers = self.count();
        let welcome = Event::Welcome { rules: &rules, you: you.as_deref(), may_write, restricted, viewers };
        Ok(Joined {
            recipient,
            room: self.asks.upgrade().ok_or(ChatError::Closing)?,
            login,
            welcome: (self.house.render)(&welcome),
            last: self.last,
            lines: heard,
            leave,
            deleted: self.deleted.iter().copied().collect(),
        })
    }

    /// Accepts a message, unless the writer is too fast.
    fn gather(&mut self, said: Said) {
        let may_be_fast = said.by.user == self.info.streamer || said.by.role == Role::Owner;
        let slow = if may_be_fast { 0 } else { self.rules.slow_mode_seconds };
        if let Err(wait) = self.pace.admit(said.by.user, slow, self.house.clock.monotonic()) {
            let refused = NotSent::TooFast { wait, is_slow_mode: slow > 0 };
            match said.sender {
                Sender::Recipient(recipient) => {
                    let error = self.refusal(&refused, said.client_id.as_deref());
                    self.tell(recipient, Arc::new([error]));
                }
                // A request that was given up needs no answer; the same below.
                Sender::Request(answer) => drop(answer.send(Err(refused))),
            }
            return;
        }
        self.due.get_or_insert_with(|| Instant::now() + GATHERED);
        self.said.push(said);
    }

    /// Stores the gathered messages and sends them.
    async fn store_said(&mut self) {
        self.due = None;
        let said = std::mem::take(&mut self.said);
        if said.is_empty() {
            return;
        }
        let info = self.info;
        let Ok(written) = self.house.work(move |house| Ok(write_down(house, &info, said))).await else {
            return;
        };
        let mut lines: Vec<Text> = Vec::with_capacity(written.len());
        let mut own: HashMap<u64, Own> = HashMap::new();
        for (said, outcome) in written {
            let client_id = said.client_id.as_deref();
            if let Ok((message, by)) = &outcome {
                if let Some(overhear) = self.house.overhear.get() {
                    overhear(info.stream, message, by.as_deref());
                }
                let event = |client_id| Event::Message { message, by: by.as_deref(), client_id };
                if let (Sender::Recipient(recipient), Some(_)) = (&said.sender, client_id) {
                    let marked = (self.house.render)(&event(client_id));
                    own.entry(*recipient).or_default().marked.push((lines.len(), marked));
                }
                lines.push((self.house.render)(&event(None)));
                self.last = Some(message.id);
            }
            match (said.sender, outcome) {
                (Sender::Recipient(recipient), Err(refused)) => {
                    let error = self.refusal(&refused, client_id);
                    own.entry(recipient).or_default().errors.push(error);
                }
                (Sender::Recipient(_), Ok(_)) => {}
                (Sender::Request(answer), outcome) => drop(answer.send(outcome)),
            }
        }
        let lines: Lines = lines.into();
        let recipients: Vec<u64> = self.recipients.keys().copied().collect();
        for recipient in recipients {
            match own.remove(&recipient) {
                Some(own) => self.tell(recipient, own.among(&lines)),
                None if !lines.is_empty() => self.tell(recipient, lines.clone()),
                None => {}
            }
        }
    }

    /// Checks everyone's rights again.
    async fn look_again(&mut self) {
        let info = self.info;
        let here: Vec<(u64, Option<Login>)> =
            self.recipients.iter().map(|(number, recipient)| (*number, recipient.login.clone())).collect();
        let looked = self.house.work(move |house| {
            let (rules, now) = (house.store.chat_rules(info.stream)?, house.now());
            let each = here.into_iter().map(|(recipient, login)| {
                let may = rights::may(house, &info, rules, login.as_ref(), now)?;
                let user = match login.filter(Login::has_account) {
                    Some(login) => house.people.get(&house.store, login.user)?,
                    None => None,
                };
                Ok((recipient, may, user))
            });
            Ok((rules, each.collect::<Result<Vec<_>, StoreError>>()?))
        });
        let (rules, each) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::warn!("a chat's rules cannot be read and will be tried again: {error}");
                self.look_at = Some(self.house.now());
                return;
            }
        };
        let has_new_rules = rules != self.rules;
        self.rules = rules;
        self.look_at = each.iter().filter_map(|(_, may, _)| may.until()).min();
        for (number, may, user) in each {
            if let May::Nothing(barred) = may {
                self.send_away(number, barred);
                continue;
            }
            let Some(recipient) = self.recipients.get_mut(&number) else { continue };
            let (may_write, restricted) = (may == May::Write, may.restricted());
            let has_changed =
                has_new_rules || (may_write, restricted) != (recipient.may_write, recipient.restricted);
            self.has_moved |= recipient.user != user;
            (recipient.may_write, recipient.restricted, recipient.user) = (may_write, restricted, user);
            if has_changed {
                let rules = (self.house.render)(&Event::Rules { rules: &self.rules, may_write, restricted });
                self.tell(number, Arc::new([rules]));
            }
        }
    }

    fn send_away(&mut self, number: u64, barred: Barred) {
        let error = self.error(barred.code(), &barred.to_string(), barred.restricted(), None);
        self.tell(number, Arc::new([error]));
        self.take_away(number, Leave::Barred(barred));
    }

    fn tell_reactions(&mut self) {
        if self.reacted.has_changed().unwrap_or(false) {
            let (likes, dislikes) = *self.reacted.borrow_and_update();
            let reaction = (self.house.render)(&Event::Reaction { likes, dislikes });
            self.tell_all(&[reaction]);
        }
    }

    fn tell_presence(&mut self) {
        let before = self.recipients.len();
        self.recipients.retain(|_, recipient| !recipient.lines.is_closed());
        self.has_moved |= self.recipients.len() != before;
        if !std::mem::take(&mut self.has_moved) {
            return;
        }
        let mut seen = BTreeSet::new();
        let people = self.recipients.values().filter_map(|recipient| recipient.user.clone());
        let people: Vec<_> = people.filter(|user| seen.insert(user.id)).take(NAMED).collect();
        let viewers = self.count();
        let presence = (self.house.render)(&Event::Presence { viewers, people: &people });
        self.tell_all(&[presence]);
    }

    /// Number of people in the room: each account counts once, however many pages it has open.
    fn count(&self) -> u32 {
        let mut seen = BTreeSet::new();
        let is_new = |recipient: &&Recipient| recipient.user.as_ref().is_none_or(|user| seen.insert(user.id));
        self.recipients.values().filter(is_new).count() as u32
    }

    fn tell_all(&mut self, lines: &[Text]) {
        let lines: Lines = lines.into();
        let recipients: Vec<u64> = self.recipients.keys().copied().collect();
        for recipient in recipients {
            self.tell(recipient, lines.clone());
        }
    }

    fn tell(&mut self, number: u64, lines: Lines) {
        let Some(recipient) = self.recipients.get(&number) else { return };
        match recipient.lines.try_send(lines) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.take_away(number, Leave::Slow),
            Err(mpsc::error::TrySendError::Closed(_)) => self.take_away(number, Leave::Closing),
        }
    }

    fn take_away(&mut self, number: u64, leave: Leave) {
        if let Some(recipient) = self.recipients.remove(&number) {
            // The first reason counts.
            let _ = recipient.leave.set(leave);
            self.has_moved = true;
        }
    }

    fn refusal(&self, refused: &NotSent, client_id: Option<&str>) -> Text {
        self.error(refused.code(), &refused.to_string(), refused.restricted(), client_id)
    }

    fn error(
        &self,
        code: &'static str,
        detail: &str,
        restricted: Option<Restricted>,
        client_id: Option<&str>,
    ) -> Text {
        (self.house.render)(&Event::Error { code, detail, restricted, client_id })
    }
}

/// Lines that one recipient gets instead of the common ones.
#[derive(Default)]
struct Own {
    /// Its own messages with its marks, and their positions.
    marked: Vec<(usize, Text)>,
    errors: Vec<Text>,
}

impl Own {
    fn among(self, lines: &[Text]) -> Lines {
        let mut lines = lines.to_vec();
        for (index, marked) in self.marked {
            lines[index] = marked;
        }
        lines.extend(self.errors);
        lines.into()
    }
}

/// Waits for `due`; without a time it never completes.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
