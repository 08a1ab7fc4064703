//! Measures a store of 10,000 streams: the time for each kind of list, and the cost of writing. With a file it only writes such a store.
//!
//!     cargo run --release -p perch-store --example ten_thousand_streams [FILE]

use perch_store::{
    EndReason, NewMessage, NewStream, NewUser, PasswordHash, Reaction, Role, Sort, StateFilter, Store,
    StoreError, StreamId, StreamQuery, Timestamp, UserId, VideoMode, Viewer, Visibility,
};
use std::time::{Duration, Instant};

const STREAMS: u64 = 10_000;
const USERS: u64 = 500;
const VOCABULARY: u64 = 4_000;
const RUNS: usize = 21;

fn main() -> Result<(), StoreError> {
    if let Some(path) = std::env::args().nth(1) {
        return fill(&Store::open(path.as_ref())?).map(drop);
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("perch.redb");
    let store = Store::open(&path)?;
    let ((users, streams), filling) = timed(|| fill(&store))?;
    let bytes = std::fs::metadata(&path).map_or(0, |meta| meta.len());
    println!(
        "{STREAMS} streams, {USERS} users written in {filling:.1?}; the file has {:.1} MB",
        bytes as f64 / 1e6
    );
    lists(&store, users[0])?;
    writes(&store, users[0], streams[0])?;
    drop(store);
    let (store, opening) = timed(|| Store::open(&path))?;
    println!("{:<44} {opening:>9.1?}", "opening, with redb's integrity check");
    let (wrong, verifying) = timed(|| store.verify())?;
    println!("{:<44} {verifying:>9.1?} ({} wrong)", "recounting everything", wrong.len());
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<(T, Duration), StoreError> {
    let began = Instant::now();
    let value = work()?;
    Ok((value, began.elapsed()))
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_000_000_000 + seconds.cast_signed() * 1000)
}

/// Words distributed as in real text: few are common, most are rare. The cube of a uniform number has about that distribution.
fn word(numbers: &mut u64) -> String {
    *numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let even = (*numbers >> 33) as f64 / f64::from(1_u32 << 31);
    let rank = (even.powi(3) * VOCABULARY as f64) as u64;
    let syllables =
        ["so", "ka", "ne", "ri", "mu", "ta", "lo", "vé", "ba", "di", "fe", "gu", "ho", "ju", "pa", "ze"];
    let mixed = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..3).map(|place| syllables[(mixed >> (60 - 4 * place)) as usize & 15]).collect::<String>()
        + &rank.to_string()
}

fn words(numbers: &mut u64, count: u64) -> String {
    (0..count).map(|_| word(numbers)).collect::<Vec<_>>().join(" ")
}

fn fill(store: &Store) -> Result<(Vec<UserId>, Vec<StreamId>), StoreError> {
    let mut numbers = 7;
    let topics = store.topics()?;
    let mut users = Vec::new();
    for number in 0..USERS {
        let new = NewUser {
            username: format!("user{number}"),
            full_name: words(&mut numbers, 2),
            email: String::new(),
            password: PasswordHash::new("$"),
        };
        users.push(store.add_user(&new, Role::Streamer, at(0))?.id);
    }
    for &followed in &users[1..100] {
        store.follow(users[0], followed, at(0))?;
    }
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let new = NewStream {
            user: users[(number % USERS) as usize],
            title: words(&mut numbers, 3 + number % 5),
            description: words(&mut numbers, 20 + number % 30),
            topics: vec![topics[number as usize % topics.len()].id],
            camera: format!("camera{number}"),
            mode: VideoMode { width: 1280, height: 720, frames_per_second: 30, bitrate_kbps: 2500 },
            duration_seconds: None,
            record: true,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        let stream = store.start_stream(&new, at(number))?.facts.id;
        store.stream_live(stream, at(number))?;
        store.end_stream(stream, EndReason::User, at(number + 1))?;
        streams.push(stream);
    }
    for &stream in &streams[..1000] {
        store.react(users[0], stream, Some(Reaction::Like))?;
        store.save_stream(users[0], stream, at(0))?;
    }
    let views: Vec<_> =
        streams.iter().flat_map(|&stream| (0..3).map(move |n| (stream, Viewer::anonymous(n)))).collect();
    store.count_views(&views)?;
    Ok((users, streams))
}

fn lists(store: &Store, somebody: UserId) -> Result<(), StoreError> {
    let all = StreamQuery { members: true, ..StreamQuery::default() };
    let text = |text: &str| StreamQuery { text: text.to_owned(), sort: Sort::Relevance, ..all.clone() };
    let topic = store.topics()?[0].id;
    let rows = [
        ("newest", all.clone()),
        ("most views", StreamQuery { sort: Sort::Views, ..all.clone() }),
        ("live first", StreamQuery { sort: Sort::LiveFirst, ..all.clone() }),
        (
            "ended, of one topic",
            StreamQuery { topic: Some(topic), state: Some(StateFilter::Ended), ..all.clone() },
        ),
        ("of one user", StreamQuery { user: Some(somebody), ..all.clone() }),
        ("following 99", StreamQuery { following: Some(somebody), ..all.clone() }),
        ("1,000 liked", StreamQuery { liked: Some(somebody), ..all.clone() }),
        ("1,000 saved", StreamQuery { saved: Some(somebody), ..all.clone() }),
        ("text: one letter", text("s")),
        ("text: three letters", text("sok")),
        ("text: a rare word", text("user77")),
        ("text: three words, one a topic", text("so ka gaming")),
        ("text: eight single letters", text("s k n r m t l v")),
    ];
    for (name, query) in rows {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..RUNS {
            let (page, time) = timed(|| store.find_streams(&query))?;
            found = page.items.len();
            times.push(time);
        }
        report(name, times, &format!("({found} on the page)"));
    }
    Ok(())
}

fn writes(store: &Store, user: UserId, stream: StreamId) -> Result<(), StoreError> {
    let mut numbers = 99;
    for group in [1, 20, 200] {
        let mut times = Vec::new();
        for run in 0..RUNS {
            let new: Vec<NewMessage> = (0..group)
                .map(|_| NewMessage { stream, user, offset_ms: run as u64, text: words(&mut numbers, 8) })
                .collect();
            times.push(timed(|| store.append_messages(&new, at(run as u64)))?.1);
        }
        report(&format!("{group} messages in one commit"), times, "");
    }
    Ok(())
}

fn report(name: &str, mut times: Vec<Duration>, note: &str) {
    times.sort();
    let (best, median, worst) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("{name:<44} {best:>9.2?} best, {median:>9.2?} median, {worst:>9.2?} worst {note}");
}
