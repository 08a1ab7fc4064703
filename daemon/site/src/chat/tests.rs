use super::*;
use perch_store::{NewStream, NewUser, PasswordHash, Role, Timestamp, VideoMode, Visibility};
use perch_studio::clock::{HandClock, wall};
use perch_studio::feed::{FeedStatus, Origin};
use perch_studio::hls::{self, HlsMetrics, HlsSettings};
use perch_studio::live::Viewers;
use perch_studio::relay::RelaysHandle;
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Longer than any interval of the room; it costs nothing, since time is paused.
const QUIET: Duration = Duration::from_secs(3);

/// An event as JSON with the fields that these tests read. perch-web has the API's format.
fn rendered(event: &Event<'_>) -> Text {
    let line = match event {
        Event::Message { message, client_id, .. } => json!({
            "type": "message", "id": message.id.to_string(), "text": message.text, "client_id": client_id,
            "offset_seconds": message.offset_ms as f64 / 1000.0,
        }),
        Event::Presence { viewers, people } => json!({
            "type": "presence", "viewers": viewers,
            "people": people.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(),
        }),
        Event::Ended => json!({"type": "ended"}),
        Event::Error { code, .. } => json!({"type": "error", "code": code}),
        Event::Welcome { .. } | Event::Deleted { .. } | Event::Reaction { .. } | Event::Rules { .. } => {
            json!({"type": "other"})
        }
    };
    line.to_string().into()
}

/// A stream of Ann's on the air, and some logins.
struct Site {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
    clock: Arc<HandClock>,
    on_air: watch::Sender<Arc<[OnAir]>>,
    stream: StreamId,
    logins: Vec<Login>,
    chat: ChatHandle,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
        let clock = Arc::new(HandClock::at_wall(Duration::from_secs(1_795_000_000)));
        let ticks: Arc<dyn Clock> = clock.clone();
        let accounts = Arc::new(Accounts::open(&store, dir.path(), &ticks).unwrap());
        let now = wall(&*clock);
        let later = Timestamp::from_unix_millis(now.unix_millis() + 1_000_000_000);
        let logins: Vec<Login> = ["ann", "ben", "cleo"]
            .iter()
            .zip(1..)
            .map(|(name, number)| {
                let new = NewUser {
                    username: (*name).to_owned(),
                    full_name: String::new(),
                    email: String::new(),
                    password: PasswordHash::new("x"),
                };
                let user = store.add_user(&new, Role::Viewer, now).unwrap();
                let session = store.open_session(user.id, &[number; 32], "", now, later).unwrap();
                accounts.logins.open(&store, session.id).unwrap().unwrap()
            })
            .collect();
        let new = NewStream {
            user: logins[0].user,
            title: "Birds".to_owned(),
            description: String::new(),
            topics: Vec::new(),
            camera: "front".to_owned(),
            mode: VideoMode { width: 320, height: 180, frames_per_second: 5, bitrate_kbps: 500 },
            duration_seconds: None,
            record: false,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        let stream = store.start_stream(&new, now).unwrap().facts.id;
        let (publisher, broadcast) = perch_studio::broadcast::channel();
        drop(publisher);
        let second = Duration::from_secs(1);
        let settings = HlsSettings { segment: second, window: second, keyframe_interval: second };
        let metrics = Arc::<HlsMetrics>::default();
        let (hls, _) = hls::spawn(&broadcast, settings, clock.clone(), metrics).unwrap();
        let on_air = OnAir {
            stream,
            user: Some(logins[0].user),
            origin: Origin::Camera("front".into()),
            feed: FeedStatus::idle("front"),
            asked: new.mode,
            is_pinned: false,
            fault: None,
            ended: None,
            visibility: Visibility::Public,
            state: StreamState::Live,
            zero: clock.monotonic(),
            hls,
            relays: RelaysHandle::default(),
            viewers: Arc::<Viewers>::default(),
        };
        let (on_air, seen) = watch::channel(Arc::from([on_air]));
        let chat = ChatHandle::new(store.clone(), accounts, clock.clone(), seen, rendered);
        Self { _dir: dir, store, clock, on_air, stream, logins, chat }
    }

    async fn join(&self, who: usize, after: Option<MessageId>) -> Participant {
        self.chat.join(self.stream, Some(self.logins[who].clone()), HERE, after).await.unwrap()
    }

    /// Sends a message after a pause long enough for the rate limit.
    async fn say(&self, participant: &Participant, text: &str) {
        self.clock.turn(Duration::from_secs(1));
        participant.say(text, None).await.unwrap();
    }

    fn all(&self) -> Vec<MessageId> {
        let all = self.store.messages_after(self.stream, None, 10_000).unwrap();
        all.into_iter().map(|message| message.id).collect()
    }
}

/// All lines of a kind that are available now, history and new.
async fn lines(participant: &mut Participant, kind: &str) -> Vec<serde_json::Value> {
    let mut texts = Vec::new();
    while let Some(past) = participant.past().await.unwrap() {
        texts.extend(past);
    }
    while let Ok(Ok(lines)) = timeout(QUIET, participant.next()).await {
        texts.extend(lines.iter().cloned());
    }
    let lines = texts.iter().map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    lines.filter(|line| line["type"] == kind).collect()
}

async fn messages(participant: &mut Participant) -> Vec<MessageId> {
    let lines = lines(participant, "message").await;
    lines.iter().map(|line| line["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_has_its_place_in_the_stream() {
    let site = Site::new();
    let mut participant = site.join(1, None).await;
    site.say(&participant, "a").await;
    site.say(&participant, "b").await;
    let heard = lines(&mut participant, "message").await;
    let offsets: Vec<_> = heard.iter().map(|line| line["offset_seconds"].as_f64().unwrap()).collect();
    assert!(offsets.last() == Some(&2.0) && offsets.is_sorted(), "{offsets:?}");
    let kept = site.chat.messages(site.stream, None, 0..3000, None, 9).await.unwrap();
    assert_eq!(kept.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_at_once_is_stored_at_once_and_a_sixth_is_too_fast() {
    let site = Site::new();
    let mut participant = site.join(1, None).await;
    for n in 0..6 {
        participant.say(&n.to_string(), Some(n.to_string())).await.unwrap();
    }
    while participant.past().await.unwrap().is_some() {}
    let mut lines = Vec::new();
    while let Ok(Ok(batch)) = timeout(QUIET, participant.next()).await {
        lines.push(batch.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    let together = lines.iter().find(|batch| batch.len() == 5).expect("one commit");
    assert!(together.iter().all(|line| line.contains("client_id")), "{together:?}");
    assert!(lines.iter().flatten().any(|line| line.contains("too_many_requests")), "{lines:?}");
    assert_eq!(site.all().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_listen_is_not_waited_for_and_loses_nothing() {
    let site = Site::new();
    let mut slow = site.join(2, None).await;
    let mut participant = site.join(1, None).await;
    lines(&mut participant, "message").await;
    for n in 0..300 {
        site.say(&participant, &n.to_string()).await;
        while !participant.next().await.unwrap()[0].contains("\"message\"") {}
    }
    let mut heard = messages(&mut slow).await;
    assert_eq!(slow.next().await.unwrap_err(), Leave::Slow);
    assert!((200..300).contains(&heard.len()), "{}", heard.len());
    let mut again = site.join(2, heard.last().copied()).await;
    heard.extend(messages(&mut again).await);
    assert_eq!(heard, site.all());
}

#[tokio::test(start_paused = true)]
async fn presence_is_told_once_a_second_and_counts_people_not_pages() {
    let site = Site::new();
    let mut first = site.join(0, None).await;
    let mut others = Vec::new();
    for who in [1, 1, 2] {
        others.push(site.join(who, None).await);
    }
    others.push(site.chat.join(site.stream, None, HERE, None).await.unwrap());
    let told = lines(&mut first, "presence").await;
    assert!(told.len() <= 2, "{told:?}");
    let last = told.last().unwrap();
    assert_eq!((&last["viewers"], last["people"].as_array().unwrap().len()), (&4.into(), 3));
    drop(others);
    assert_eq!(lines(&mut first, "presence").await.last().unwrap()["viewers"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_the_end_of_the_room() {
    let site = Site::new();
    let mut participant = site.join(1, None).await;
    site.say(&participant, "last words").await;
    site.store.end_stream(site.stream, perch_store::EndReason::User, wall(&*site.clock)).unwrap();
    site.on_air.send_replace(Arc::from([]));
    let mut heard = Vec::new();
    while participant.past().await.unwrap().is_some() {}
    let leave = loop {
        match participant.next().await {
            Ok(lines) => heard.extend(lines.iter().map(ToString::to_string)),
            Err(leave) => break leave,
        }
    };
    assert_eq!(leave, Leave::Ended);
    assert!(heard.iter().any(|line| line.contains("last words")));
    assert_eq!(heard.last().unwrap(), "{\"type\":\"ended\"}");
    assert!(site.chat.rooms().values().all(RoomHandle::is_over));
    drop(participant);
    site.chat.close().await;
    assert!(matches!(site.chat.join(site.stream, None, HERE, None).await.err(), Some(ChatError::Closing)));
}

#[derive(Clone, Debug)]
enum Step {
    Join(usize),
    Leave(usize),
    Say(usize),
    Listen(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..4_usize;
    prop_oneof![
        2 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::Leave),
        4 => who.clone().prop_map(Step::Say),
        2 => who.prop_map(Step::Listen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However people join, leave, return, write and listen: in the end each has got every message once, in the same
    /// order.
    #[test]
    fn everybody_hears_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let site = Site::new();
            let mut participants: [Option<Participant>; 4] = [const { None }; 4];
            let mut heard: [Vec<MessageId>; 4] = Default::default();
            let everybody = (0..4).flat_map(|who| [Step::Join(who), Step::Listen(who)]);
            for step in steps.into_iter().chain(everybody) {
                match step {
                    Step::Join(who) if participants[who].is_none() => {
                        participants[who] = Some(site.join(who % 3, heard[who].last().copied()).await);
                    }
                    // Lines it has not taken are lost with the connection.
                    Step::Leave(who) => participants[who] = None,
                    Step::Say(who) => if let Some(participant) = &participants[who] {
                        site.say(participant, "hello").await;
                    },
                    Step::Listen(who) => if let Some(participant) = &mut participants[who] {
                        heard[who].extend(messages(participant).await);
                    },
                    Step::Join(_) => {}
                }
            }
            let all = site.all();
            for heard in heard {
                assert_eq!(heard, all);
            }
        });
    }
}
