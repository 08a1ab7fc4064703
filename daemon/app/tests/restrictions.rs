//! Mutes and bans hold where they say, and until when they say; whoever has one reads that, and whoever may lift it finds it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::Daemon;
use support::chat::{Chat, Way};
use support::people::{NO_LIMITS, Person};

/// Two cameras: Stan has a stream on each, and Sara can take one of them.
fn config() -> String {
    let camera = |name: &str| {
        format!(
            "\n[[camera]]\nname = \"{name}\"\nsource = \"test-pattern\"\nwidth = 160\nheight = 90\nframes_per_second = 5\n"
        )
    };
    format!("{NO_LIMITS}{}{}{}", camera("front"), camera("back"), camera("side"))
}

fn go_live(who: &Person, camera: &str) -> String {
    let stream = who.post("/api/v1/streams", &json!({"title": camera, "camera": camera}));
    assert_eq!(stream.status, 201, "{}", stream.text());
    stream.json()["id"].as_str().unwrap().to_owned()
}

/// The chat's first line for the person, or the status of the refusal.
async fn welcome(who: &Person<'_>, stream: &str) -> Result<Value, u16> {
    let way = Way { token: who.token.clone(), ..Way::default() };
    let mut chat = Chat::join(who.daemon.address, stream, &way).await?;
    Ok(chat.hear_of("welcome").await)
}

/// In which of the chats the person may write.
async fn may_write(who: &Person<'_>, streams: &[&str]) -> Vec<bool> {
    let mut may = Vec::new();
    for stream in streams {
        may.push(welcome(who, stream).await.unwrap()["may_write"] == true);
    }
    may
}

struct House<'a> {
    olga: Person<'a>,
    stan: Person<'a>,
    sara: Person<'a>,
    ben: Person<'a>,
    /// Two of Stan's and one of Sara's.
    streams: [String; 3],
}

impl<'a> House<'a> {
    fn open(daemon: &'a Daemon) -> Self {
        let olga = Person::owner(daemon, "olga");
        let [stan, sara, ben] = ["stan", "sara", "ben"].map(|name| Person::register(daemon, name));
        let streams = [go_live(&stan, "front"), go_live(&stan, "back"), go_live(&sara, "side")];
        Self { olga, stan, sara, ben, streams }
    }

    fn streams(&self) -> [&str; 3] {
        self.streams.each_ref().map(String::as_str)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mute_holds_in_this_stream_in_all_of_the_streamers_or_everywhere() {
    let daemon = Daemon::start(&config());
    let house = House::open(&daemon);
    let House { olga, stan, sara, ben, .. } = &house;
    let streams = house.streams();
    let here = format!("/api/v1/streams/{}/restrictions/ben", streams[0]);
    let mute = |scope: &str| json!({"severity": "mute", "scope": scope});

    assert_eq!(stan.put(&here, &mute("stream")).status, 204);
    assert_eq!(may_write(ben, &streams).await, [false, true, true]);
    assert_eq!(stan.put(&here, &mute("chats")).status, 204);
    assert_eq!(stan.delete(&format!("{here}?scope=stream")).status, 204);
    assert_eq!(may_write(ben, &streams).await, [false, false, true]);
    assert_eq!(stan.delete(&format!("{here}?scope=chats")).status, 204);
    assert_eq!(may_write(ben, &streams).await, [true, true, true]);
    assert_eq!(olga.put("/api/v1/restrictions/ben", &mute("everywhere")).status, 204);
    assert_eq!(may_write(ben, &streams).await, [false, false, false]);
    let muted = welcome(ben, streams[2]).await.unwrap()["barred"].clone();
    assert_eq!(muted, json!({"severity": "mute", "scope": "everywhere", "until": null}));
    assert_eq!(olga.delete("/api/v1/restrictions/ben").status, 204);
    assert_eq!(welcome(ben, streams[2]).await.unwrap()["barred"], Value::Null);

    // Whoever is not of that chat cannot, and a scope is for its address.
    assert_eq!(sara.put(&here, &mute("stream")).code(), "forbidden");
    assert_eq!(sara.put(&here, &mute("chats")).code(), "forbidden");
    let wrong = stan.put(&here, &mute("everywhere"));
    assert_eq!((wrong.status, &wrong.json()["field"]), (422, &json!("scope")));
    // Programs that do not know of scopes meant all chats of the streamer.
    assert_eq!(stan.put(&here, &json!({"severity": "mute"})).status, 204);
    assert_eq!(may_write(ben, &streams).await, [false, false, true]);
    assert_eq!(stan.delete(&here).status, 204);
    assert_eq!(may_write(ben, &streams).await, [true, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_muted_person_reads_until_when_and_the_longest_counts() {
    let daemon = Daemon::start(&config());
    let house = House::open(&daemon);
    let House { olga, stan, ben, .. } = &house;
    let stream = house.streams()[0];
    let here = format!("/api/v1/streams/{stream}/restrictions/ben");
    let mute = json!({"severity": "mute", "scope": "stream", "seconds": 600});
    assert_eq!(stan.put(&here, &mute).status, 204);
    let way = Way { token: ben.token.clone(), ..Way::default() };
    let mut chat = Chat::join(daemon.address, stream, &way).await.unwrap();
    let until = chat.hear_of("welcome").await["barred"]["until"].as_str().unwrap().to_owned();
    let listed = stan.get(&format!("/api/v1/streams/{stream}/restrictions")).json();
    let listed = listed["items"][0].clone();
    assert_eq!((&listed["until"], &listed["scope"]), (&json!(until), &json!("stream")));
    chat.say(&json!({"type": "message", "text": "hello", "client_id": "1"})).await;
    let refused = chat.hear_of("error").await;
    assert_eq!((&refused["code"], &refused["barred"]["until"]), (&json!("muted"), &json!(until)));

    // A longer one elsewhere is the one that is told.
    assert_eq!(
        olga.put("/api/v1/restrictions/ben", &json!({"severity": "mute", "seconds": 7200})).status,
        204
    );
    let told = chat.hear_of("rules").await["barred"].clone();
    assert_eq!(told["scope"], "everywhere");
    assert!(told["until"].as_str().unwrap() > until.as_str());

    let ban = json!({"severity": "ban", "scope": "stream", "seconds": 600});
    assert_eq!(stan.put(&here, &ban).status, 204);
    let sent_away = chat.rest().await.last().unwrap().clone();
    assert_eq!(sent_away["code"], "banned");
    assert!(sent_away["barred"]["until"].is_string(), "{sent_away}");
    let kept_out = ben.get(&format!("/api/v1/streams/{stream}/messages"));
    assert_eq!((kept_out.status, kept_out.code().as_str()), (403, "banned"));
    assert_eq!(kept_out.json()["barred"], sent_away["barred"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restrictions_are_listed_and_lifted_from_a_profile_by_those_who_may() {
    let daemon = Daemon::start(&config());
    let house = House::open(&daemon);
    let House { olga, stan, sara, ben, .. } = &house;
    let streams = house.streams();
    let put = |who: &Person, stream: &str, scope: &str| {
        let path = format!("/api/v1/streams/{stream}/restrictions/ben");
        assert_eq!(who.put(&path, &json!({"severity": "mute", "scope": scope})).status, 204);
    };
    put(stan, streams[0], "stream");
    put(stan, streams[1], "stream");
    put(stan, streams[0], "chats");
    put(sara, streams[2], "chats");
    assert_eq!(olga.put("/api/v1/restrictions/ben", &json!({"severity": "mute"})).status, 204);
    let profile = "/api/v1/users/ben/restrictions";
    let scopes = |who: &Person| -> Vec<String> {
        let items = who.get(profile).json()["items"].as_array().unwrap().clone();
        let mut scopes: Vec<String> =
            items.iter().map(|one| one["scope"].as_str().unwrap().to_owned()).collect();
        scopes.sort();
        scopes
    };
    assert_eq!(scopes(stan), ["chats", "stream", "stream"]);
    assert_eq!(scopes(sara), ["chats"]);
    assert_eq!(scopes(olga), ["chats", "chats", "everywhere", "stream", "stream"]);
    assert_eq!(scopes(ben), [""; 0], "nobody sees what they cannot lift");
    assert_eq!(Person::nobody(&daemon).get(profile).status, 401);

    // What is listed says how it is lifted.
    let rooms = |who: &Person| -> Vec<String> {
        let items = who.get(profile).json()["items"].as_array().unwrap().clone();
        items.iter().map(|one| one["room"].as_str().unwrap().to_owned()).collect()
    };
    let saras = rooms(sara);
    assert_eq!(stan.delete(&format!("{profile}/{}", saras[0])).code(), "forbidden");
    assert_eq!(stan.delete(&format!("{profile}/everywhere")).code(), "forbidden");
    for room in rooms(stan) {
        assert_eq!(stan.delete(&format!("{profile}/{room}")).status, 204);
    }
    assert_eq!((scopes(stan), scopes(sara)), (vec![], vec!["chats".to_owned()]));
    for room in rooms(olga) {
        assert_eq!(olga.delete(&format!("{profile}/{room}")).status, 204);
    }
    assert_eq!(scopes(olga), [""; 0]);
    assert_eq!(may_write(ben, &streams).await, [true, true, true]);
    assert_eq!(olga.delete(&format!("{profile}/00000000000000000000000000")).code(), "not_found");

    // With the stream goes what was for it alone; what is for all chats stays.
    put(stan, streams[0], "stream");
    put(stan, streams[0], "chats");
    assert_eq!(stan.post(&format!("/api/v1/streams/{}/stop", streams[0]), &json!({})).status, 200);
    assert_eq!(scopes(stan), ["chats", "stream"], "a replay's chat is one, too");
    assert_eq!(stan.delete(&format!("/api/v1/streams/{}", streams[0])).status, 204);
    assert_eq!(scopes(stan), ["chats"]);
}

#[test]
fn whoever_bars_themselves_the_streamer_or_an_owner_reads_why_not() {
    let daemon = Daemon::start(&config());
    let house = House::open(&daemon);
    let House { olga, stan, .. } = &house;
    let path = |name: &str| format!("/api/v1/streams/{}/restrictions/{name}", house.streams()[0]);
    let mute = json!({"severity": "mute"});
    for (who, name, code, words) in [
        (stan, "stan", "own_account", "yourself"),
        (olga, "stan", "own_chat", "their own chat"),
        (stan, "olga", "owner_exempt", "owner"),
    ] {
        let refused = who.put(&path(name), &mute);
        assert_eq!((refused.status, refused.code().as_str()), (409, code), "{}", refused.text());
        let said = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(said.contains(words) && !said.contains("follow"), "{said}");
    }
    let refused = stan.put("/api/v1/users/stan/follow", &json!({}));
    assert!(refused.json()["detail"].as_str().unwrap().contains("follow yourself"), "{}", refused.text());
}
