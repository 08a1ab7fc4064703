//! People: profiles and pictures, deleting an account, and what the owner manages.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use std::io::Cursor;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Answer, Daemon};

fn picture(format: ImageFormat) -> Vec<u8> {
    let picture = DynamicImage::from(RgbImage::from_pixel(500, 300, Rgb([10, 200, 60])));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn upload(person: &Person, bytes: &[u8]) -> Answer {
    let bearer = format!("Bearer {}", person.token.as_ref().unwrap());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "image/png")];
    person.daemon.send("PUT", "/api/v1/me/avatar", &headers, bytes)
}

fn field(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_field"), "{}", answer.text());
    answer.json()["field"].as_str().unwrap().to_owned()
}

#[test]
fn a_profile_is_what_its_person_says() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let change = json!({"full_name": "  Ben Łódź ", "email": "ben@example.org", "bio": "one\r\ntwo", "username": "Benny"});
    let changed = ben.patch("/api/v1/me", &change);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let me = ben.get("/api/v1/me").json();
    assert_eq!(me, changed.json());
    assert_eq!((me["full_name"].as_str(), me["bio"].as_str()), (Some("Ben Łódź"), Some("one\ntwo")));

    let seen = ann.get("/api/v1/users/BENNY").json();
    assert_eq!((seen["username"].as_str(), seen["is_following"].as_bool()), (Some("Benny"), Some(false)));
    assert_eq!((seen.get("email"), seen.get("standing")), (None, None), "{seen}");
    let nobody = Person::nobody(&daemon);
    let shown = nobody.get("/api/v1/users/benny");
    assert_eq!(shown.json()["is_following"], Value::Null);
    let tag = shown.header("etag").unwrap().to_owned();
    assert_eq!(daemon.ask("GET", "/api/v1/users/benny", &[("If-None-Match", &tag)]).status, 304);
    assert_eq!(nobody.get("/api/v1/users/ben").code(), "not_found");
    assert_eq!(nobody.get("/api/v1/users/..%2f..%2fetc%2fpasswd").status, 404);

    let taken = ben.patch("/api/v1/me", &json!({"username": "ANN"}));
    assert_eq!((taken.status, taken.code().as_str()), (409, "username_taken"));
    for (change, wrong) in [
        (json!({"username": "a/b"}), "username"),
        (json!({"username": "me"}), "username"),
        (json!({"full_name": "a\u{202e}b"}), "full_name"),
        (json!({"full_name": "x".repeat(101)}), "full_name"),
        (json!({"email": "nowhere"}), "email"),
        (json!({"bio": "x".repeat(1001)}), "bio"),
        (json!({"bio": 7}), "bio"),
        (json!({"role": "owner"}), "role"),
    ] {
        assert_eq!(field(&ben.patch("/api/v1/me", &change)), wrong);
    }
    assert_eq!(ben.get("/api/v1/me").json(), me, "nothing was changed");
}

#[test]
fn a_face_is_cropped_and_kept_for_ever_under_its_version() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    assert_eq!(daemon.get("/api/v1/users/ann/avatar").status, 404);
    let mut address = String::new();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let put = upload(&ann, &picture(format));
        assert_eq!(put.status, 200, "{}", put.text());
        let now = put.json()["avatar_url"].as_str().unwrap().to_owned();
        assert_ne!(now, address);
        address = now;
    }
    let face = daemon.get(&address);
    assert_eq!(face.header("content-type"), Some("image/jpeg"));
    assert_eq!(face.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(face.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let seen = image::load_from_memory_with_format(&face.body, ImageFormat::Jpeg).unwrap();
    assert_eq!((seen.width(), seen.height()), (256, 256));
    let tag = face.header("etag").unwrap();
    assert_eq!(daemon.ask("GET", &address, &[("If-None-Match", tag)]).status, 304);
    let newest = daemon.get("/api/v1/users/ann/avatar");
    assert_eq!((newest.header("cache-control"), &newest.body), (Some("no-cache"), &face.body));
    assert_eq!(daemon.get("/api/v1/users/ann/avatar?v=x").code(), "invalid_query");

    for (bytes, status, code) in [
        (b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), 415, "unsupported_media_type"),
        (picture(ImageFormat::Png)[..60].to_vec(), 422, "invalid_field"),
        (vec![0; (8 << 20) + 1], 413, "too_large"),
    ] {
        let refused = upload(&ann, &bytes);
        assert_eq!((refused.status, refused.code().as_str()), (status, code));
    }
    assert_eq!(daemon.get(&address).body, face.body, "nothing was changed");

    assert_eq!(ann.delete("/api/v1/me/avatar").status, 204);
    assert_eq!(ann.get("/api/v1/me").json()["avatar_url"], Value::Null);
    assert_eq!(daemon.get(&address).status, 404);
}

#[test]
fn an_account_goes_with_its_password_alone_and_takes_its_logins_along() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let elsewhere = Person::login(&daemon, "ben");
    ben.put("/api/v1/users/ann/follow", &json!({}));
    let wrong = ben.ask("DELETE", "/api/v1/me", Some(&json!({"password": "not this one"})));
    assert_eq!((wrong.status, wrong.code().as_str()), (403, "wrong_password"));
    assert_eq!(field(&ben.ask("DELETE", "/api/v1/me", Some(&json!({})))), "password");
    let gone = ben.ask("DELETE", "/api/v1/me", Some(&json!({"password": PASSWORD})));
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert!(gone.header("set-cookie").unwrap().contains("Max-Age=0"));
    for login in [&ben, &elsewhere] {
        assert_eq!(login.get("/api/v1/me").code(), "unauthenticated");
    }
    assert_eq!(ann.get("/api/v1/users/ben").status, 404);
    assert_eq!(ann.get("/api/v1/users/ann").json()["followers"], 0);
    assert_eq!(ann.get("/api/v1/me/notifications").json()["items"], json!([]));
    let last = ann.ask("DELETE", "/api/v1/me", Some(&json!({"password": PASSWORD})));
    assert_eq!((last.status, last.code().as_str()), (409, "last_owner"));
    Person::register(&daemon, "ben");
}

#[test]
fn the_owner_manages_accounts() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let made = ann.post("/api/v1/users", &json!({"username": "cid", "password": PASSWORD, "role": "viewer"}));
    assert_eq!((made.status, made.json()["role"].as_str()), (201, Some("viewer")), "{}", made.text());
    let cid = Person::login(&daemon, "cid");
    let ben = Person::register(&daemon, "ben");
    assert_eq!(cid.post("/api/v1/me/ingest/key", &json!({})).code(), "forbidden");
    for person in [&cid, &ben] {
        assert_eq!(person.get("/api/v1/users").code(), "forbidden");
        assert_eq!(person.patch("/api/v1/users/cid", &json!({"role": "owner"})).code(), "forbidden");
        assert_eq!(person.delete("/api/v1/users/ann").code(), "forbidden");
    }

    // A role counts from the next request on.
    assert_eq!(ann.patch("/api/v1/users/cid", &json!({"role": "streamer"})).status, 200);
    assert_eq!(cid.post("/api/v1/me/ingest/key", &json!({})).status, 201);

    // Suspended: logged out, unseen, and kept from coming back.
    assert_eq!(
        ann.patch("/api/v1/users/ben", &json!({"standing": "suspended"})).json()["standing"],
        "suspended"
    );
    assert_eq!(ben.get("/api/v1/me").code(), "unauthenticated");
    let login = json!({"username": "ben", "password": PASSWORD});
    assert_eq!(Person::nobody(&daemon).post("/api/v1/auth/login", &login).code(), "suspended");
    assert_eq!(cid.get("/api/v1/users/ben").code(), "not_found");
    assert_eq!(ann.get("/api/v1/users/ben").status, 200);
    let suspended = ann.get("/api/v1/users?standing=suspended").json();
    assert_eq!(suspended["items"].as_array().unwrap().len(), 1);
    assert_eq!(ann.patch("/api/v1/users/ben", &json!({"standing": "active"})).status, 200);
    let ben = Person::login(&daemon, "ben");

    // A new password logs out.
    let password = json!({"password": "another horse battery"});
    assert_eq!(ann.patch("/api/v1/users/ben", &password).status, 200);
    assert_eq!(ben.get("/api/v1/me").code(), "unauthenticated");
    assert_eq!(Person::nobody(&daemon).post("/api/v1/auth/login", &login).code(), "wrong_login");

    let page = ann.get("/api/v1/users?limit=2").json();
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&page), ["ben", "cid"]);
    let next = format!("/api/v1/users?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(names(&ann.get(&next).json()), ["ann"]);
    assert_eq!(names(&ann.get("/api/v1/users?q=CI").json()), ["cid"]);
    for query in
        ["limit=0", "limit=101", "cursor=x", "standing=odd", "sort=name", &format!("q={}", "x".repeat(101))]
    {
        assert_eq!(ann.get(&format!("/api/v1/users?{query}")).code(), "invalid_query", "{query}");
    }
    assert_eq!(field(&ann.patch("/api/v1/users/cid", &json!({"password": "short"}))), "password");
    assert_eq!(field(&ann.patch("/api/v1/users/cid", &json!({"role": "king"}))), "role");
    for change in [json!({"role": "viewer"}), json!({"standing": "suspended"})] {
        assert_eq!(ann.patch("/api/v1/users/ann", &change).code(), "last_owner");
    }
    assert_eq!(ann.delete("/api/v1/users/ann").code(), "last_owner");
    assert_eq!(ann.delete("/api/v1/users/cid").status, 204);
    assert_eq!(cid.get("/api/v1/me").code(), "unauthenticated");
    assert_eq!(ann.delete("/api/v1/users/cid").code(), "not_found");
}

#[test]
fn the_owner_approves_those_who_register() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let change = json!({"registration": "approval", "new_user_role": "viewer", "site_name": "  The Nest "});
    let settings = ann.patch("/api/v1/settings", &change).json();
    assert_eq!(settings, daemon.get("/api/v1/settings").json());
    let mut without_ages = settings.clone();
    without_ages.as_object_mut().unwrap().remove("retention");
    assert_eq!(
        without_ages,
        json!({"site_name": "The Nest", "registration": "approval", "new_user_role": "viewer", "ingest": false, "needs_setup": false})
    );
    let account = json!({"username": "dan", "password": PASSWORD});
    let nobody = Person::nobody(&daemon);
    assert_eq!(nobody.post("/api/v1/auth/register", &account).status, 202);
    assert_eq!(nobody.post("/api/v1/auth/login", &account).code(), "pending_approval");
    assert_eq!(nobody.get("/api/v1/users/dan").code(), "not_found");
    assert_eq!(ann.get("/api/v1/users?standing=pending").json()["items"][0]["username"], "dan");
    assert_eq!(ann.patch("/api/v1/users/dan", &json!({"standing": "active"})).status, 200);
    assert_eq!(Person::login(&daemon, "dan").get("/api/v1/me").json()["role"], "viewer");

    for (change, wrong) in [
        (json!({"new_user_role": "owner"}), "new_user_role"),
        (json!({"registration": "maybe"}), "registration"),
        (json!({"site_name": ""}), "site_name"),
        (json!({"site_name": "a\nb"}), "site_name"),
    ] {
        assert_eq!(field(&ann.patch("/api/v1/settings", &change)), wrong);
    }
    assert_eq!(daemon.get("/api/v1/settings").json(), settings, "nothing was changed");
}

#[test]
fn topics_are_the_owners_to_arrange() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let topics = || daemon.get("/api/v1/topics");
    let names = || -> Vec<String> {
        let items = topics().json()["items"].as_array().unwrap().clone();
        items.iter().map(|topic| topic["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names().len(), 8);
    let tag = topics().header("etag").unwrap().to_owned();
    assert_eq!(daemon.ask("GET", "/api/v1/topics", &[("If-None-Match", &tag)]).status, 304);

    assert_eq!(ben.post("/api/v1/topics", &json!({"name": "Cats"})).code(), "forbidden");
    let made = ann.post("/api/v1/topics", &json!({"name": " Birds "}));
    assert_eq!((made.status, made.json()["name"].as_str()), (201, Some("Birds")));
    let address = format!("/api/v1/topics/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(names().last().unwrap(), "Birds");
    assert_eq!(ann.post("/api/v1/topics", &json!({"name": "birds"})).code(), "topic_taken");
    assert_eq!(ann.patch(&address, &json!({"name": "Nature"})).code(), "topic_taken");
    assert_eq!(ann.patch(&address, &json!({"name": "Owls", "position": 0})).json()["name"], "Owls");
    assert!(names()[..2].contains(&"Owls".to_owned()), "{:?}", names());
    assert_eq!(field(&ann.patch(&address, &json!({"position": 100}))), "position");
    assert_eq!(field(&ann.post("/api/v1/topics", &json!({"name": "x".repeat(41)}))), "name");
    assert_eq!(ann.delete(&address).status, 204);
    assert_eq!(ann.delete(&address).code(), "not_found");
    assert_eq!(ann.delete("/api/v1/topics/birds").code(), "not_found");
    for number in 0..92 {
        assert_eq!(ann.post("/api/v1/topics", &json!({"name": format!("topic {number}")})).status, 201);
    }
    let one_more = ann.post("/api/v1/topics", &json!({"name": "one more"}));
    assert_eq!((one_more.status, one_more.code().as_str()), (409, "too_many"));
}
