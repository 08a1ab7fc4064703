//! What other sites get of this one: the player in a frame, cards, oEmbed, the feed, media for their players. Only public streams, and only
//! where the owner allows.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, Person};
use support::proxy::Proxy;
use support::{Daemon, TEST_PATTERN, run};

fn go_live(owner: &Person, about: &Value) -> String {
    let stream = owner.post("/api/v1/streams", about);
    assert_eq!(stream.status, 201, "{}", stream.text());
    stream.json()["id"].as_str().unwrap().to_owned()
}

fn started() -> Daemon {
    Daemon::start(&format!("{}{NO_LIMITS}", TEST_PATTERN.replace("autostart = true", "autostart = false")))
}

/// The value of the one attribute `content` or `href` of the tag that has `mark` in it.
fn tag(page: &str, mark: &str) -> Option<String> {
    let line = page.lines().find(|line| line.contains(mark))?;
    let value = line.split("content=\"").nth(1).or(line.split("href=\"").nth(1))?;
    Some(value.split('"').next()?.to_owned())
}

#[test]
fn cards_and_oembed_tell_of_public_streams_alone_and_quote_what_people_wrote() {
    let daemon = started();
    let owner = Person::owner(&daemon, "ann");
    let title = "Owls & <b>\"mice\"</b></title><script>alert(1)</script>";
    let about = json!({"title": title, "description": "Two\n'owls'  </head>"});
    let id = go_live(&owner, &about);
    let page = daemon.ask("GET", &format!("/watch/{id}"), &[]).text();
    assert!(!page.contains("<script>alert") && page.matches("</head>").count() == 1, "{page}");
    assert!(page.contains("<title>Owls &amp; &lt;b&gt;&quot;mice&quot;&lt;/b&gt;"), "{page}");
    assert_eq!(tag(&page, "og:url").unwrap(), format!("http://localhost/watch/{id}"));
    assert_eq!(tag(&page, "og:description").unwrap(), "Two &#39;owls&#39; &lt;/head&gt;");
    assert!(tag(&page, "og:title").unwrap().starts_with("Owls &amp; &lt;b&gt;&quot;mice&quot;"));

    let oembed = tag(&page, "json+oembed").unwrap();
    let ask = |more: &str| daemon.get(&format!("{}{more}", oembed.strip_prefix("http://localhost").unwrap()));
    let answer = ask("").json();
    assert_eq!(
        (&answer["type"], &answer["title"], &answer["version"]),
        (&json!("link"), &json!(title), &json!("1.0"))
    );
    assert_eq!(answer["author_name"], "ann");
    assert!(answer["html"].is_null(), "no site may show the player: {answer}");
    let allow = json!({"frame_ancestors": ["https://blog.example"]});
    assert_eq!(owner.patch("/api/v1/settings/other-sites", &allow).status, 200);
    let answer = ask("&maxwidth=320&format=json").json();
    assert_eq!(
        (&answer["type"], &answer["width"], &answer["height"]),
        (&json!("video"), &json!(320), &json!(180))
    );
    let html = answer["html"].as_str().unwrap();
    assert!(
        html.contains(&format!("src=\"http://localhost/embed/{id}\"")) && !html.contains("<b>"),
        "{html}"
    );
    assert_eq!(ask("&format=xml").status, 501);
    assert_eq!(daemon.get("/oembed").status, 400);
    assert_eq!(daemon.get(&format!("/oembed?url=http%3A%2F%2Fevil.example%2Fwatch%2F{id}")).status, 404);

    // For members: the page as always, and nothing of the stream in it.
    let members = json!({"visibility": "members"});
    assert_eq!(owner.patch(&format!("/api/v1/streams/{id}"), &members).status, 200);
    let page = daemon.get(&format!("/watch/{id}"));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<title>Perch</title>") && !page.text().contains("og:"), "{}", page.text());
    assert_eq!(ask("").status, 404);
    // Not even for somebody who may see it: what is in the document must not depend on cookies.
    assert!(!owner.get(&format!("/watch/{id}")).text().contains("og:"));
    for path in ["/watch/x", "/watch/01M8J7PR7W8332FPZKKZMMKA7H"] {
        assert!(daemon.get(path).text().contains("<title>Perch</title>"), "{path}");
    }
}

#[test]
fn the_owner_narrows_who_plays_public_streams_and_who_shows_the_player() {
    let daemon = started();
    let owner = Person::owner(&daemon, "ann");
    let id = go_live(&owner, &json!({"title": "Owls"}));
    let playlist = format!("/media/{id}/index.m3u8");
    let allowed = |origin: &str| {
        let answer = daemon.ask("GET", &playlist, &[("Origin", origin)]);
        (
            answer.header("access-control-allow-origin").map(str::to_owned),
            answer.header("vary").map(str::to_owned),
        )
    };
    let (ours, other) = ("https://blog.example", "https://evil.example");
    assert_eq!(allowed(other), (Some("*".to_owned()), None));
    let policy = || daemon.get(&format!("/embed/{id}")).header("content-security-policy").unwrap().to_owned();
    assert!(policy().ends_with("; frame-ancestors 'none'"), "{}", policy());

    let narrow = json!({"media_origins": [ours], "frame_ancestors": [ours, "http://[::1]:81"]});
    let narrowed = owner.patch("/api/v1/settings/other-sites", &narrow);
    assert_eq!(narrowed.json()["media_origins"], json!([ours]), "{}", narrowed.text());
    assert_eq!(allowed(ours), (Some(ours.to_owned()), Some("origin".to_owned())));
    assert_eq!(allowed(other), (None, Some("origin".to_owned())));
    let preflight = daemon.ask("OPTIONS", &playlist, &[("Origin", other)]);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    assert!(policy().ends_with("; frame-ancestors http://[::1]:81 https://blog.example"), "{}", policy());
    // The rest of the site stays out of frames.
    let page = daemon.get("/");
    assert!(page.header("content-security-policy").unwrap().ends_with("; frame-ancestors 'self'"));

    // What is for members is for no other site.
    let members = json!({"visibility": "members"});
    assert_eq!(owner.patch(&format!("/api/v1/streams/{id}"), &members).status, 200);
    assert_eq!(allowed(ours).0, None);
    let refused =
        owner.patch("/api/v1/settings/other-sites", &json!({"frame_ancestors": ["'self'; script-src *"]}));
    assert_eq!(refused.code(), "invalid_field");
    assert_eq!(Person::nobody(&daemon).get("/api/v1/settings/other-sites").status, 401);
}

#[test]
fn the_feed_lists_public_recordings_and_xmllint_reads_it() {
    let daemon = started();
    let owner = Person::owner(&daemon, "ann");
    let folder = tempfile::tempdir().unwrap();
    let read = |xpath: &str, text: &str| {
        let file = folder.path().join("feed.xml");
        std::fs::write(&file, text).unwrap();
        let read = run("xmllint", &["--nonet", "--xpath", xpath, file.to_str().unwrap()], Path::new("/"));
        String::from_utf8(read.stdout).unwrap().trim_end().to_owned()
    };
    let empty = daemon.get("/feed.xml");
    assert_eq!(empty.header("content-type"), Some("application/rss+xml; charset=utf-8"));
    assert_eq!(read("count(/rss/channel/item)", &empty.text()), "0");

    for (title, visibility) in [("Owls & <mice>", "public"), ("Secret", "members"), ("Last", "public")] {
        let id = go_live(&owner, &json!({"title": title, "visibility": visibility, "record": true}));
        let playlist = owner.get(&format!("/media/{id}/index.m3u8"));
        assert_eq!(playlist.status, 200, "{}", playlist.text());
        if title == "Owls & <mice>" {
            assert_eq!(read("count(//item)", &daemon.get("/feed.xml").text()), "0", "it is not whole yet");
        }
        assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
        // Its recording is closed a moment later.
        while owner.get(&format!("/api/v1/recordings/{id}")).json()["is_growing"] != false {}
    }
    let feed = daemon.get("/feed.xml");
    let text = feed.text();
    assert_eq!(read("count(//item)", &text), "2");
    assert_eq!(read("string(//item[2]/title)", &text), "Owls & <mice>");
    let enclosure = read("string(//item[2]/enclosure/@url)", &text);
    assert!(read("number(//item[2]/enclosure/@length)", &text).parse::<u64>().unwrap() > 1000);
    let video = daemon.ask("HEAD", enclosure.strip_prefix("http://localhost").unwrap(), &[]);
    assert_eq!((video.status, video.header("content-type")), (200, Some("video/mp4")));
    let date = read("string(//item[1]/pubDate)", &text);
    assert_eq!(run("date", &["--date", &date, "+%Y"], Path::new("/")).stdout.len(), 5, "{date}");
    // Pictures of the recordings may still come.
    let is_known = || {
        let feed = daemon.get("/feed.xml");
        daemon.ask("GET", "/feed.xml", &[("If-None-Match", feed.header("etag").unwrap())]).status == 304
    };
    assert!((0..1000).any(|_| is_known()));
}

#[test]
fn the_player_is_shown_in_frames_of_allowed_sites_and_refused_in_others() {
    let daemon = started();
    let owner = Person::owner(&daemon, "ann");
    let id = go_live(&owner, &json!({"title": "Owls"}));
    let folder = tempfile::tempdir().unwrap();
    let player = daemon.url(&format!("/embed/{id}"));
    let page = |name: &str, port: u16| {
        let root = folder.path().join(name);
        std::fs::create_dir(&root).unwrap();
        let html = format!(
            "<!doctype html><title>{name}</title><link rel=\"icon\" href=\"data:,\"><iframe src=\"{player}\" width=\"640\" height=\"360\" allow=\"autoplay\"></iframe>"
        );
        std::fs::write(root.join("index.html"), html).unwrap();
        format!("server {{ listen 127.0.0.1:{port}; root {}; default_type text/html; }}\n", root.display())
    };
    let [blog, other] = [(); 2].map(|()| support::relaying::free_port());
    let _sites =
        Proxy::nginx_with(folder.path(), other, &format!("{}{}", page("blog", blog), page("other", other)));
    let [blog, other] = [blog, other].map(|port| format!("http://127.0.0.1:{port}"));
    let allow = json!({"frame_ancestors": [blog]});
    assert_eq!(owner.patch("/api/v1/settings/other-sites", &allow).status, 200);
    let shown = pictures(folder.path());
    let report = walk("embed", [&blog, &other, &daemon.url(&format!("/watch/{id}")), &shown]);
    assert!(report["steps"].as_array().unwrap().len() >= 3, "{report}");
    // Something that nobody here wrote reads the code off the screen.
    let read = run("zbarimg", &["--quiet", "--raw", &format!("{shown}/qr.png")], Path::new("/"));
    assert_eq!(String::from_utf8(read.stdout).unwrap().trim_end(), daemon.url(&format!("/watch/{id}")));
}
