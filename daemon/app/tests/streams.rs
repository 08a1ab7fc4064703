//! Streams from going live to their end, over HTTP against the running daemon.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::people::{NO_LIMITS, Person};
use support::{Answer, Daemon, Signal};

/// One camera that is off until somebody goes live.
const AT_REST: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 640
height = 360
"#;

fn config(base: &str) -> String {
    format!("{base}{NO_LIMITS}")
}

fn small(title: &str) -> Value {
    json!({"title": title, "width": 320, "height": 240, "fps": 15, "bitrate_kbps": 400})
}

fn go_live(person: &Person<'_>, stream: &Value) -> String {
    let answer = person.post("/api/v1/streams", stream);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(format!("/api/v1/streams/{id}").as_str()));
    id
}

fn stream(person: &Person<'_>, id: &str) -> Value {
    let answer = person.get(&format!("/api/v1/streams/{id}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The playlist; it waits for the first segment by itself.
fn playlist(person: &Person<'_>, id: &str) -> Answer {
    person.get(&format!("/media/{id}/index.m3u8"))
}

fn media_sequence(playlist: &Answer) -> u64 {
    let text = playlist.text();
    let line = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

fn titles(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}"));
    items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_stream_has_the_mode_that_was_asked_for_and_ends_by_its_user() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let id = go_live(&owner, &small("Hatching"));
    assert_eq!(playlist(&owner, &id).status, 200);
    let address = daemon.url(&format!("/media/{id}/index.m3u8"));
    let arguments = ["-v", "warning", "-show_entries", "stream=width,height", "-of", "csv=p=0", &address];
    let probed = Command::new("ffprobe").args(arguments).output().expect("`make test` installs ffmpeg");
    assert_eq!(String::from_utf8_lossy(&probed.stderr), "");
    assert!(String::from_utf8_lossy(&probed.stdout).contains("320,240"), "{probed:?}");
    daemon.logged("on the air");
    let shown = stream(&owner, &id);
    assert_eq!(shown["state"], "live");
    assert_eq!(shown["end_reason"], Value::Null);
    assert_eq!(titles(&owner.get("/api/v1/streams?state=live")), ["Hatching"]);

    let ended = owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({}));
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!((&ended.json()["state"], &ended.json()["end_reason"]), (&json!("ended"), &json!("user")));
    assert!(playlist(&owner, &id).text().contains("#EXT-X-ENDLIST"), "players see the end");
    assert_eq!(titles(&owner.get("/api/v1/streams?state=live")), [""; 0]);
    assert_eq!(titles(&owner.get("/api/v1/streams?state=recorded")), ["Hatching"]);
    let again = owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({}));
    assert_eq!(again.json()["end_reason"], "user", "it stays as it ended");

    // The camera is free for another mode, without a restart of anything.
    let next = go_live(&owner, &json!({"title": "Feeding"}));
    assert_ne!(next, id);
    let first = media_sequence(&playlist(&owner, &next));
    assert_eq!(media_sequence(&owner.get("/media/live/index.m3u8")), first, "/media/live/ follows");
}

#[test]
fn what_the_camera_cannot_do_is_refused_with_what_it_can() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    for (change, field, says) in [
        (json!({"width": 321}), "width", "640x360"),
        (json!({"fps": 1000}), "fps", "1 to"),
        (json!({"bitrate_kbps": 1}), "bitrate_kbps", "kbit/s"),
        (json!({"camera": "attic"}), "camera", "front"),
        (json!({"title": " "}), "title", ""),
        (json!({"title": "a\u{202e}b"}), "title", ""),
        (json!({"topics": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]}), "topics", "no such topic"),
        (json!({"duration_seconds": 1}), "duration_seconds", "10 seconds"),
        (json!({"relays": ["youtube"]}), "relays", "there is no relay"),
        (json!({"visibility": "secret"}), "visibility", ""),
        (json!({"user": "ben"}), "user", ""),
    ] {
        let mut asked = json!({"title": "Hatching"});
        for (name, value) in change.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let answer = owner.post("/api/v1/streams", &asked);
        assert_eq!(answer.status, 422, "{asked}: {}", answer.text());
        assert_eq!(answer.json()["field"], field, "{}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains(says), "{}", answer.text());
    }
    assert_eq!(titles(&owner.get("/api/v1/streams")), [""; 0], "nothing was changed");
}

#[test]
fn of_two_who_go_live_at_once_one_has_the_camera_and_the_other_learns_who() {
    let daemon = Daemon::start(&config(AT_REST));
    let [ann, ben] = {
        Person::owner(&daemon, "olive");
        ["ann", "ben"].map(|name| Person::register(&daemon, name))
    };
    let both = [(&ann, "Ann's"), (&ben, "Ben's")];
    let asked = both.map(|(who, title)| who.begin("POST", "/api/v1/streams", Some(&small(title))));
    let [first, second] = asked.map(Answer::read);
    let (won, lost, winner) =
        if first.status == 201 { (first, second, "ann") } else { (second, first, "ben") };
    assert_eq!((won.status, lost.status), (201, 409), "{} {}", won.text(), lost.text());
    assert_eq!(lost.code(), "camera_taken");
    assert_eq!(lost.json()["username"], winner);
    assert_eq!(lost.json()["stream"], won.json()["id"]);

    // Somebody else's stream: nobody but the owner stops it, changes it, deletes it.
    let id = won.json()["id"].as_str().unwrap().to_owned();
    let other = if winner == "ann" { &ben } else { &ann };
    let address = format!("/api/v1/streams/{id}");
    for answer in [
        other.post(&format!("{address}/stop"), &json!({})),
        other.patch(&address, &json!({"title": "Mine"})),
        other.delete(&address),
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    }
    let owner = Person::login(&daemon, "olive");
    assert_eq!(owner.delete(&address).code(), "not_ended");
    let ended = owner.post(&format!("{address}/stop"), &json!({}));
    assert_eq!(ended.json()["end_reason"], "owner");
    assert_eq!(owner.delete(&address).status, 204);
    assert_eq!(owner.get(&address).status, 404);
}

#[test]
fn a_deleted_streams_pictures_are_gone_at_once() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let [kept, deleted] = ["Kept", "Deleted"].map(|title| {
        let id = go_live(&owner, &small(title));
        assert_eq!(playlist(&owner, &id).status, 200);
        assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
        id
    });
    let listed = playlist(&owner, &deleted).text();
    let segment = listed.lines().rfind(|line| !line.starts_with('#')).unwrap();
    assert_eq!(owner.delete(&format!("/api/v1/streams/{deleted}")).status, 204);
    for name in ["index.m3u8", "main.m3u8", segment] {
        assert_eq!(owner.get(&format!("/media/{deleted}/{name}")).status, 404, "{name}");
    }
    assert_eq!(
        owner.get(&format!("/media/{kept}/index.m3u8")).status,
        200,
        "the end of the other can still be watched"
    );
}

#[test]
fn a_stream_for_members_is_not_there_for_others() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let nobody = Person::nobody(&daemon);
    let mut hidden = small("Nest box");
    hidden["visibility"] = json!("members");
    let id = go_live(&owner, &hidden);
    let played = playlist(&owner, &id);
    assert_eq!(played.status, 200);
    assert!(played.header("cache-control").unwrap().contains("private"));
    assert_eq!(played.header("access-control-allow-origin"), None);
    let segment = played.text().lines().rfind(|line| !line.starts_with('#')).unwrap().to_owned();
    assert_eq!(owner.get(&format!("/media/{id}/{segment}")).status, 200);
    for path in [
        format!("/media/{id}/index.m3u8"),
        format!("/media/{id}/{segment}"),
        "/media/live/index.m3u8".to_owned(),
    ] {
        assert_eq!((nobody.get(&path).status, nobody.get(&path).code().as_str()), (401, "unauthenticated"));
    }
    assert_eq!(nobody.get(&format!("/api/v1/streams/{id}")).status, 404);
    assert_eq!(titles(&nobody.get("/api/v1/streams?q=nest")), [""; 0]);
    assert_eq!(titles(&owner.get("/api/v1/streams?q=nest")), ["Nest box"]);

    // From now on for everybody, at once.
    let public = owner.patch(&format!("/api/v1/streams/{id}"), &json!({"visibility": "public"}));
    assert_eq!(public.status, 200, "{}", public.text());
    assert_eq!(nobody.get(&format!("/api/v1/streams/{id}")).status, 200);
    assert_eq!(playlist(&nobody, &id).status, 200);
}

#[test]
fn one_opinion_each_and_a_watch_list_of_ones_own() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let ann = Person::register(&daemon, "ann");
    let id = go_live(&owner, &small("Hatching"));
    let reaction = format!("/api/v1/streams/{id}/reaction");
    let counts = |answer: &Answer| {
        let counts = answer.json();
        (counts["likes"].as_u64().unwrap(), counts["dislikes"].as_u64().unwrap())
    };
    assert_eq!(counts(&owner.put(&reaction, &json!({"reaction": "like"}))), (1, 0));
    assert_eq!(counts(&ann.put(&reaction, &json!({"reaction": "like"}))), (2, 0));
    assert_eq!(counts(&ann.put(&reaction, &json!({"reaction": "like"}))), (2, 0));
    assert_eq!(counts(&ann.put(&reaction, &json!({"reaction": "dislike"}))), (1, 1));
    assert_eq!(stream(&ann, &id)["my_reaction"], "dislike");
    assert_eq!(titles(&owner.get("/api/v1/streams?liked=1")), ["Hatching"]);
    assert_eq!(titles(&ann.get("/api/v1/streams?liked=1")), [""; 0]);
    assert_eq!(counts(&ann.put(&reaction, &json!({"reaction": "none"}))), (1, 0));
    assert_eq!(ann.put(&reaction, &json!({"reaction": "love"})).status, 422);

    let save = format!("/api/v1/streams/{id}/save");
    assert_eq!(ann.put(&save, &json!({})).status, 204);
    assert_eq!(stream(&ann, &id)["saved"], true);
    assert_eq!(stream(&owner, &id)["saved"], false);
    assert_eq!(stream(&Person::nobody(&daemon), &id)["saved"], Value::Null);
    assert_eq!(titles(&ann.get("/api/v1/streams?saved=1")), ["Hatching"]);
    assert_eq!(ann.delete(&save).status, 204);
    assert_eq!(titles(&ann.get("/api/v1/streams?saved=1")), [""; 0]);
    assert_eq!(Person::nobody(&daemon).get("/api/v1/streams?saved=1").status, 401);
}

#[test]
fn streams_are_found_and_paged() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let topics = daemon.get("/api/v1/topics").json();
    let nature = topics["items"].as_array().unwrap().iter().find(|topic| topic["name"] == "Nature").unwrap();
    for title in ["Blue tit, day 1", "Blue tit, day 2", "Großer Specht"] {
        let mut new = small(title);
        if title.starts_with("Blue") {
            new["topics"] = json!([nature["id"]]);
        }
        let id = go_live(&owner, &new);
        // What never showed a picture is in no list.
        daemon.logged("on the air");
        assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    }
    let find = |query: &str| titles(&owner.get(&format!("/api/v1/streams?{query}")));
    assert_eq!(find("sort=newest"), ["Großer Specht", "Blue tit, day 2", "Blue tit, day 1"]);
    assert_eq!(find("q=BLU%20day").len(), 2);
    assert_eq!(find("q=grosser"), ["Großer Specht"]);
    assert_eq!(find(&format!("topic={}", nature["id"].as_str().unwrap())).len(), 2);
    assert_eq!(find("user=OLIVE&q=specht"), ["Großer Specht"]);
    let mut seen = Vec::new();
    let mut query = "sort=newest&limit=1".to_owned();
    loop {
        let page = owner.get(&format!("/api/v1/streams?{query}"));
        seen.extend(titles(&page));
        let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        query = format!("sort=newest&limit=1&cursor={cursor}");
    }
    assert_eq!(seen, ["Großer Specht", "Blue tit, day 2", "Blue tit, day 1"]);
    for wrong in [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=zzz",
        "topic=7",
        "state=dead",
        "sort=old",
        "colour=red",
        "q=a&q=b",
    ] {
        let answer = owner.get(&format!("/api/v1/streams?{wrong}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_query"), "{wrong}");
    }
    assert_eq!(find("user=nobody"), [""; 0]);
}

#[test]
fn a_stream_ends_by_its_duration_and_by_shutdown_where_none_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("[live]\nresume_seconds = 0\n{}", config(AT_REST));
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olive");
    let mut short = small("Ten seconds");
    short["duration_seconds"] = json!(10);
    let short = go_live(&owner, &short);
    daemon.logged("has ended");
    assert_eq!(stream(&owner, &short)["end_reason"], "duration");
    let last = go_live(&owner, &small("Until the end"));
    assert_eq!(daemon.stop(), Some(0));

    let daemon = Daemon::start_in(dir.path(), &config);
    let shown = stream(&Person::nobody(&daemon), &last);
    assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("shutdown")));
    assert_ne!(shown["ended_at"], Value::Null);
}

/// Ends a daemon in the middle of a stream; the stream's id, and the media sequence it had come to.
fn ended_while_live(dir: &Path, config: &str, signal: Signal) -> (String, u64) {
    let daemon = Daemon::start_in(dir, config);
    let owner = Person::owner(&daemon, "olive");
    let id = go_live(&owner, &small("Hatching"));
    let sequence = media_sequence(&playlist(&owner, &id));
    daemon.logged("on the air");
    daemon.signal(signal);
    daemon.ended();
    (id, sequence)
}

#[test]
fn a_stream_goes_on_as_the_same_after_the_daemon_was_killed_or_restarted() {
    for signal in [Signal::KILL, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let (id, before) = ended_while_live(dir.path(), &config(AT_REST), signal);
        let daemon = Daemon::start_in(dir.path(), &config(AT_REST));
        let owner = Person::login(&daemon, "olive");
        let played = playlist(&owner, &id);
        assert!(media_sequence(&played) > before, "the media sequence never goes back");
        daemon.logged("on the air");
        let shown = stream(&owner, &id);
        assert_eq!((&shown["state"], &shown["width"]), (&json!("live"), &json!(320)), "{signal:?}");
    }
}

#[test]
fn players_of_a_stream_that_a_restart_resumes_are_not_told_that_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let id = go_live(&owner, &small("Hatching"));
    let played = playlist(&owner, &id);
    let path = format!("/media/{id}/index.m3u8?_HLS_msn={}", media_sequence(&played) + 2);
    let waiting = owner.begin("GET", &path, None);
    daemon.signal(Signal::TERM);
    let answer = Answer::read(waiting);
    assert!(!answer.text().contains("#EXT-X-ENDLIST"), "{}", answer.text());
    assert_eq!(daemon.ended(), Some(0));
}

#[test]
fn a_stream_that_was_stopped_for_too_long_ended_when_the_daemon_did() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("[live]\nresume_seconds = 600\n{}", config(AT_REST));
    let (id, _) = ended_while_live(dir.path(), &config, Signal::TERM);
    // As if an hour had passed since.
    let store = dir.path().join("data/perch.redb");
    let ended = std::fs::metadata(&store).unwrap().modified().unwrap() - std::time::Duration::from_hours(1);
    std::fs::File::options().write(true).open(&store).unwrap().set_modified(ended).unwrap();
    let daemon = Daemon::start_in(dir.path(), &config);
    let shown = stream(&Person::nobody(&daemon), &id);
    assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("interruption")));
    assert_ne!(shown["ended_at"], Value::Null);
}

#[test]
fn a_stream_that_is_not_to_be_resumed_ends_with_the_interruption() {
    let dir = tempfile::tempdir().unwrap();
    let never = format!("[live]\nresume_seconds = 0\n{}", config(AT_REST));
    let (id, _) = ended_while_live(dir.path(), &never, Signal::KILL);
    let daemon = Daemon::start_in(dir.path(), &never);
    let shown = stream(&Person::nobody(&daemon), &id);
    assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("interruption")));
}

#[test]
fn a_camera_that_goes_away_interrupts_its_stream_and_does_not_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    let film = "exec ffmpeg -loglevel error -re -f lavfi -i testsrc2=s=320x180:r=25 -t 4 -c:v libx264 -preset ultrafast \
                -tune zerolatency -g 25 -f h264 -";
    let command = format!(r#"["sh", "-c", "test ! -e {} && {film}"]"#, gone.display());
    let camera = format!(
        "[[camera]]\nname = \"front\"\nsource = \"command\"\nwidth = 320\nheight = 180\nframes_per_second = 25\ncommand = {command}\n"
    );
    let daemon = Daemon::start(&config(&camera));
    let owner = Person::owner(&daemon, "olive");
    let id = go_live(&owner, &json!({"title": "Hatching"}));
    daemon.logged("on the air");
    std::fs::write(&gone, "").unwrap();
    daemon.logged("is interrupted");
    assert_eq!(stream(&owner, &id)["state"], "interrupted");
    std::fs::remove_file(&gone).unwrap();
    daemon.logged("on the air");
    let shown = stream(&owner, &id);
    assert_eq!((&shown["state"], &shown["ended_at"]), (&json!("live"), &Value::Null));
}

#[test]
fn the_appliance_is_live_by_itself_and_makes_room_for_a_person() {
    let autostart = format!("[live]\nautostart = true\nresume_seconds = 0\n{}", config(AT_REST));
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::ready_in(dir.path(), &autostart);
    assert_eq!(daemon.get("/media/live/index.m3u8").status, 200);
    assert_eq!(titles(&daemon.get("/api/v1/streams")), [""; 0], "it has nobody whose stream it were");
    let owner = Person::owner(&daemon, "olive");
    let id = go_live(&owner, &small("Mine"));
    let own = media_sequence(&playlist(&owner, &id));
    assert_eq!(media_sequence(&daemon.get("/media/live/index.m3u8")), own);
    assert_eq!(daemon.stop(), Some(0));

    // With an owner, it is the owner's stream.
    let daemon = Daemon::ready_in(dir.path(), &autostart);
    let live = daemon.get("/api/v1/streams?state=live").json();
    assert_eq!(live["items"][0]["user"]["username"], "olive");
    assert_eq!(live["items"][0]["title"], "Perch");
    assert_ne!(live["items"][0]["id"], json!(id));
}

#[test]
fn a_view_is_one_for_each_viewer_however_often_they_ask() {
    let daemon = Daemon::start(&config(AT_REST));
    let owner = Person::owner(&daemon, "olive");
    let id = go_live(&owner, &small("Hatching"));
    let path = format!("/media/{id}/index.m3u8");
    for cookie in ["0", "1", "0"].map(|digit| format!("perch_viewer={}", digit.repeat(32))) {
        assert_eq!(daemon.ask("GET", &path, &[("Cookie", &cookie)]).status, 200);
    }
    for program in ["vlc", "vlc", "mpv"] {
        assert_eq!(daemon.ask("GET", &path, &[("User-Agent", program)]).status, 200);
    }
    // What was seen until then is counted at the end.
    let ended = owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).json();
    assert_eq!((&ended["views"], &ended["peak_viewers"]), (&json!(4), &json!(4)));
}
