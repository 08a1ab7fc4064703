//! Cameras over HTTP: what can be asked of them.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use support::people::{NO_LIMITS, Person};
use support::{Answer, Daemon, TEST_PATTERN};

const PATTERN: &str = "[[camera]]\nsource = \"test-pattern\"\nencoder = \"software\"\n";

#[test]
fn what_can_be_asked_of_a_camera_is_for_those_who_may_go_live() {
    let daemon = Daemon::start(&format!("{NO_LIMITS}{PATTERN}"));
    let nobody = Person::nobody(&daemon);
    assert_eq!(nobody.get("/api/v1/cameras").json()["items"][0]["id"], "front");
    assert_eq!(nobody.get("/api/v1/cameras/front").code(), "unauthenticated");
    let owner = Person::owner(&daemon, "ann");
    let camera = owner.get("/api/v1/cameras/front").json();
    assert_eq!((&camera["name"], &camera["state"]), (&json!("front"), &json!("stopped")));
    let ability = &camera["ability"];
    assert_eq!(ability["bitrate_kbps"], json!({"min": 100, "max": 20_000}));
    assert_eq!(ability["sizes"]["width"], json!({"min": 64, "max": 3840, "step": 2}));
    let size =
        json!({"width": 1280, "height": 720, "frames_per_second": [120, 60, 50, 30, 25, 20, 15, 10, 5]});
    assert!(ability["modes"].as_array().unwrap().contains(&size), "{ability}");
    for nowhere in ["/api/v1/cameras/back", "/api/v1/cameras/..%2Ffront", "/api/v1/cameras/%ff"] {
        assert_eq!(owner.get(nowhere).code(), "not_found", "{nowhere}");
    }
}

fn size_of(answer: &Answer) -> (u32, u32) {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("image/jpeg")),
        "{}",
        answer.text()
    );
    let picture = image::load_from_memory_with_format(&answer.body, image::ImageFormat::Jpeg).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn a_software_encoder_writes_nothing_past_the_log() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let lines = daemon.logged_until("live: ");
    let strange: Vec<_> = lines.iter().filter(|line| line.contains("OpenH264]")).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn everybody_sees_what_a_camera_sees_while_it_is_on() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let nobody = Person::nobody(&daemon);
    let address = "/api/v1/cameras/front/snapshot.jpg";
    assert_eq!(size_of(&nobody.get(address)), (640, 360), "never larger than it was taken");
    let small = nobody.get(&format!("{address}?width=200&at=1"));
    assert_eq!(size_of(&small), (320, 180), "the next that is offered");
    assert_eq!(small.header("cache-control"), Some("private, no-cache"));
    let tag = small.header("etag").unwrap();
    let again = daemon.ask("GET", &format!("{address}?width=200"), &[("If-None-Match", tag)]);
    assert!(again.status == 304 || again.header("etag") != Some(tag), "{}", again.status);
    for query in ["width=15", "width=4097", "width=-1", "width=wide", "width=200&width=300", "height=3"] {
        assert_eq!(nobody.get(&format!("{address}?{query}")).code(), "invalid_query", "{query}");
    }
    assert_eq!(nobody.get("/api/v1/cameras/back/snapshot.jpg").code(), "not_found");
}

#[test]
fn there_is_no_picture_of_a_camera_that_is_off_and_nothing_to_set_of_a_pattern() {
    let daemon = Daemon::start(&format!("{NO_LIMITS}{PATTERN}"));
    let owner = Person::owner(&daemon, "ann");
    assert_eq!(owner.get("/api/v1/cameras/front/snapshot.jpg").code(), "not_live");
    let camera = owner.get("/api/v1/cameras/front").json();
    assert_eq!(
        (&camera["controls"], &camera["stream"], &camera["user"]),
        (&json!([]), &json!(null), &json!(null))
    );
    let address = "/api/v1/cameras/front/controls";
    let refused = owner.ask("PATCH", address, Some(&json!({"brightness": 5})));
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("brightness")));
    assert_eq!(refused.json()["detail"], "this camera has no control brightness; it has none");
    for wrong in [json!({"brightness": "5"}), json!({"brightness": 1.5}), json!([])] {
        assert_eq!(owner.patch(address, &wrong).code(), "invalid_field", "{wrong}");
    }
    let streamer = Person::register(&daemon, "bob");
    assert_eq!(streamer.patch(address, &json!({"brightness": 5})).code(), "forbidden");
    assert_eq!(owner.patch(address, &json!({})).json(), json!({"controls": []}));
}

#[test]
fn a_microphone_is_muted_and_made_louder_and_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{NO_LIMITS}{PATTERN}microphone_gain_db = 3\n");
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "ann");
    let address = "/api/v1/cameras/front/microphone";
    let off = json!({
        "muted": false, "gain_db": 3, "device": null, "format": null, "detail": "", "drift_ppm": null, "peak_dbfs": null, "rms_dbfs": null,
        "mended": 0
    });
    assert_eq!(owner.get(address).json(), off);
    assert_eq!(owner.get("/api/v1/cameras/front").json()["microphone"], off);
    assert_eq!(owner.patch(address, &json!({"muted": true})).json()["gain_db"], 3);
    for (wrong, field) in [
        (json!({"gain_db": 31}), "gain_db"),
        (json!({"gain_db": -31, "muted": false}), "gain_db"),
        (json!({"gain_db": 1.5}), "gain_db"),
        (json!({"muted": "no"}), "muted"),
        (json!({"loud": true}), "loud"),
    ] {
        let refused = owner.patch(address, &wrong);
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some(field)),
            "{wrong}: {}",
            refused.text()
        );
    }
    assert_eq!(Person::register(&daemon, "bob").patch(address, &json!({"muted": false})).code(), "forbidden");
    assert_eq!(Person::nobody(&daemon).get(address).code(), "unauthenticated");
    assert_eq!(owner.get("/api/v1/cameras/side/microphone").code(), "not_found");
    assert_eq!(owner.patch(address, &json!({"gain_db": -6})).json()["muted"], true);
    assert_eq!(daemon.stop(), Some(0));

    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::login(&daemon, "ann");
    let kept = owner.get(address).json();
    assert_eq!((&kept["muted"], &kept["gain_db"]), (&json!(true), &json!(-6)));
}

#[test]
fn a_stream_is_listed_with_a_picture_of_its_camera() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{NO_LIMITS}{TEST_PATTERN}");
    let daemon = Daemon::start_in(dir.path(), &config);
    Person::owner(&daemon, "ann");
    assert_eq!(daemon.stop(), Some(0));
    // It starts as the owner's now.
    let daemon = Daemon::ready_in(dir.path(), &config);
    let nobody = Person::nobody(&daemon);
    let camera = nobody.get("/api/v1/cameras").json()["items"][0].clone();
    assert_eq!(camera["user"]["username"], "ann");
    let address = format!("/api/v1/streams/{}/thumbnail.jpg", camera["stream"].as_str().unwrap());
    // Playlists come every two seconds: what is waited for is one of the first.
    let mut answers = (0..20).map(|_| {
        let playlist = daemon.get("/media/live/index.m3u8").text();
        let first = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
        let count = playlist.lines().filter(|line| line.starts_with("#EXTINF")).count();
        let next = first.parse::<usize>().unwrap() + count;
        daemon.get(&format!("/media/live/index.m3u8?_HLS_msn={next}"));
        nobody.get(&address)
    });
    let picture = answers.find(|answer| answer.status == 200).expect("a picture within 40 s");
    assert_eq!(size_of(&picture), (640, 360));
    assert_eq!(picture.header("cache-control"), Some("private, no-cache"));
    let tag = picture.header("etag").unwrap();
    assert_eq!(daemon.ask("GET", &address, &[("If-None-Match", tag)]).status, 304);
    let version = u32::from_str_radix(tag.trim_matches('"'), 16).unwrap();
    let kept = nobody.get(&format!("{address}?v={version}"));
    assert_eq!(kept.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(
        nobody.get(&format!("{address}?v={}", version ^ 2)).header("cache-control"),
        Some("private, no-cache")
    );
    for nowhere in
        ["/api/v1/streams/00000000000000000000000000/thumbnail.jpg", "/api/v1/streams/x/thumbnail.jpg"]
    {
        assert_eq!(nobody.get(nowhere).code(), "not_found");
    }
}

fn upload(person: &Person, address: &str, colour: [u8; 3]) -> Answer {
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(900, 900, image::Rgb(colour));
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let bearer = person.token.as_ref().map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "image/png")];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    person.daemon.send("PUT", address, &headers, png.get_ref())
}

#[test]
fn a_stream_is_listed_with_the_picture_that_its_user_chose() {
    let daemon = Daemon::start(&format!("{NO_LIMITS}{PATTERN}"));
    let (ann, nobody) = (Person::owner(&daemon, "ann"), Person::nobody(&daemon));
    let bob = Person::register(&daemon, "bob");
    let asked = json!({"title": "Nest", "camera": "front", "width": 320, "height": 180, "fps": 10, "bitrate_kbps": 500,
        "visibility": "members"});
    let stream = bob.post("/api/v1/streams", &asked);
    assert!(stream.status < 300, "{}", stream.text());
    let id = stream.json()["id"].as_str().unwrap().to_owned();
    let address = format!("/api/v1/streams/{id}/thumbnail.jpg");
    let eve = Person::register(&daemon, "eve");
    assert_eq!(upload(&nobody, &address, [9; 3]).code(), "unauthenticated");
    assert_eq!(upload(&eve, &address, [9; 3]).code(), "forbidden");
    let chosen = upload(&bob, &address, [200, 30, 30]);
    let url = chosen.json()["thumbnail_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&address), "{url}");
    let picture = eve.get(&url);
    assert_eq!((size_of(&picture), picture.header("cache-control")), ((640, 360), Some("private, no-cache")));
    // For members alone: its pictures, too, and who it is that has the camera.
    assert_eq!(nobody.get(&url).code(), "not_found");
    assert_eq!(nobody.get("/api/v1/cameras/front/snapshot.jpg").code(), "unauthenticated");
    assert_eq!(nobody.get("/api/v1/cameras").json()["items"][0]["stream"], json!(null));
    assert_eq!(eve.get("/api/v1/cameras").json()["items"][0]["stream"], json!(id));
    let again = upload(&ann, &address, [30, 200, 30]).json()["thumbnail_url"].clone();
    assert!(again.is_string() && again != json!(url), "the owner may as well");
    // What has no such control says so to whoever has the camera.
    assert_eq!(bob.patch("/api/v1/cameras/front/controls", &json!({"hue": 1})).status, 422);
    assert_eq!(eve.patch("/api/v1/cameras/front/controls", &json!({"hue": 1})).code(), "forbidden");
}
