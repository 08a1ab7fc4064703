//! Many people in one chat, of whom some write at a steady rate. Everybody's account of what was said is held against what the daemon keeps.

use super::Daemon;
use super::chat::{Chat, Way};
use super::people::{NO_LIMITS, Person};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::time::Instant;

/// Connections from one address, as a household might have them.
const PER_ADDRESS: usize = 40;

/// Who is there, and what they do.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub clients: usize,
    /// Of those; each writes once a second.
    pub writers: usize,
    /// What each of them writes.
    pub messages: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Messages that the daemon acknowledged.
    pub acknowledged: usize,
    /// Messages that it keeps.
    pub kept: usize,
    /// Of all that every client should have heard.
    pub lost: usize,
    pub doubled: usize,
    pub out_of_order: usize,
    /// Clients that were sent away.
    pub dropped: usize,
    /// From sending to each hearing of it, sorted.
    pub delays: Vec<Duration>,
    /// Of the daemon, before anybody came, with everybody in the room, and at the end.
    pub resident_bytes: [u64; 3],
}

impl Outcome {
    /// The delay that `share` of the deliveries did not exceed.
    pub fn delay(&self, share: f64) -> Duration {
        let last = self.delays.len().saturating_sub(1);
        self.delays.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    /// Memory that one client costs the daemon.
    pub fn bytes_per_client(&self, clients: usize) -> u64 {
        self.resident_bytes[1].saturating_sub(self.resident_bytes[0]) / clients as u64
    }
}

/// The configuration of a daemon that takes the crowd.
pub fn config() -> String {
    format!(
        "{NO_LIMITS}\n[[camera]]\nname = \"front\"\nsource = \"test-pattern\"\nwidth = 320\nheight = 180\nframes_per_second = 5\n"
    )
}

/// What one client heard.
struct Account {
    ids: Vec<String>,
    delays: Vec<Duration>,
    acknowledged: Vec<String>,
    was_dropped: bool,
}

/// Runs the crowd against `daemon`, which has no owner yet.
pub async fn run(daemon: &Daemon, crowd: Crowd) -> Outcome {
    let owner = Person::owner(daemon, "streamer");
    let stream = owner.post("/api/v1/streams", &json!({"title": "Crowded"}));
    assert_eq!(stream.status, 201, "{}", stream.text());
    let stream: Arc<str> = stream.json()["id"].as_str().unwrap().into();
    let tokens: Vec<_> =
        (0..crowd.writers).map(|n| Person::register(daemon, &format!("writer{n}")).token).collect();
    let before = daemon.resident_bytes();
    let start = Instant::now();
    // Everybody and this task: in the room, and done.
    let barrier = Arc::new(Barrier::new(crowd.clients + 1));
    let tasks: Vec<_> = (0..crowd.clients)
        .map(|n| {
            let from = Ipv4Addr::new(127, 0, 1, 1 + (n / PER_ADDRESS) as u8);
            let token = tokens.get(n).cloned().flatten();
            let way = Way { from: Some(from.into()), token, ..Way::default() };
            let (address, stream, barrier) = (daemon.address, stream.clone(), barrier.clone());
            tokio::spawn(async move {
                let mut chat = Chat::join(address, &stream, &way).await.unwrap();
                chat.hear_of("welcome").await;
                barrier.wait().await;
                let writes = if way.token.is_some() { crowd.messages } else { 0 };
                let account = take_part(&mut chat, n, writes, crowd, start).await;
                barrier.wait().await;
                account
            })
        })
        .collect();
    barrier.wait().await;
    let with_all = daemon.resident_bytes();
    barrier.wait().await;
    let at_end = daemon.resident_bytes();
    let mut accounts = Vec::new();
    for task in tasks {
        accounts.push(task.await.unwrap());
    }
    judge(&accounts, &kept(&owner, &stream), [before, with_all, at_end])
}

/// Writes once a second, and listens until all is heard or nothing more comes.
async fn take_part(chat: &mut Chat, number: usize, writes: usize, crowd: Crowd, start: Instant) -> Account {
    let mut account =
        Account { ids: Vec::new(), delays: Vec::new(), acknowledged: Vec::new(), was_dropped: false };
    // The writers take turns.
    let first = Instant::now() + Duration::from_secs(1) * number as u32 / crowd.writers as u32;
    let mut turns = tokio::time::interval_at(first, Duration::from_millis(1020));
    let mut written = 0;
    while account.ids.len() < crowd.writers * crowd.messages || account.acknowledged.len() < writes {
        tokio::select! {
            line = chat.hear() => match line {
                Some(line) if line["type"] == "message" => {
                    let sent: u64 = line["text"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
                    account.delays.push(start.elapsed().saturating_sub(Duration::from_micros(sent)));
                    let id = line["id"].as_str().unwrap().to_owned();
                    if line["client_id"].is_string() {
                        account.acknowledged.push(id.clone());
                    }
                    account.ids.push(id);
                }
                Some(line) => assert_ne!(line["type"], "error", "{line}"),
                None => {
                    account.was_dropped = true;
                    return account;
                }
            },
            _ = turns.tick(), if written < writes => {
                let text = format!("message {written} of {number}, sent at {}", start.elapsed().as_micros());
                let client_id = written.to_string();
                chat.say(&json!({"type": "message", "text": text, "client_id": client_id})).await;
                written += 1;
            }
        }
    }
    account
}

/// What the daemon keeps of the chat, over HTTP.
fn kept(owner: &Person, stream: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = owner.get(&format!("/api/v1/streams/{stream}/messages?limit=100{cursor}")).json();
        ids.extend(
            page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return ids,
        }
    }
}

fn judge(accounts: &[Account], kept: &[String], resident_bytes: [u64; 3]) -> Outcome {
    let mut acknowledged: Vec<&String> = accounts.iter().flat_map(|one| &one.acknowledged).collect();
    acknowledged.sort();
    acknowledged.dedup();
    let mut outcome = Outcome {
        acknowledged: acknowledged.len(),
        kept: kept.len(),
        lost: acknowledged.iter().filter(|id| !kept.contains(id)).count(),
        doubled: 0,
        out_of_order: 0,
        dropped: accounts.iter().filter(|one| one.was_dropped).count(),
        delays: accounts.iter().flat_map(|one| one.delays.iter().copied()).collect(),
        resident_bytes,
    };
    for account in accounts {
        let mut heard = account.ids.clone();
        outcome.out_of_order += heard.windows(2).filter(|pair| pair[0] > pair[1]).count();
        heard.sort();
        let before = heard.len();
        heard.dedup();
        outcome.doubled += before - heard.len();
        outcome.lost += kept.iter().filter(|id| heard.binary_search(id).is_err()).count();
    }
    outcome.delays.sort();
    outcome
}
