//! The site below a path of its host (`[server] path`): everything that the daemon hands out is below it, whether a proxy keeps the
//! path or removes it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::browser::walk;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::proxy::Proxy;
use support::{Daemon, TEST_PATTERN};

fn below_perch() -> String {
    format!("{TEST_PATTERN}{NO_LIMITS}[server]\npath = \"/perch\"\n")
}

/// Addresses within the site that are anywhere in an answer.
fn addresses(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with('/') => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| addresses(field, found)),
        _ => {}
    }
}

fn all_below(answers: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for answer in answers {
        addresses(answer, &mut found);
    }
    assert!(found.iter().all(|address| address.starts_with("/perch/")), "{found:?}");
    found
}

#[test]
fn what_the_daemon_hands_out_is_below_its_path() {
    let daemon = Daemon::ready(&below_perch());
    let owner = Person::owner(&daemon, "ann");
    let started = owner.post("/perch/api/v1/streams", &json!({"title": "Owls"}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(started.header("location").unwrap(), format!("/perch/api/v1/streams/{id}"));
    let me = owner.get("/perch/api/v1/me").json();
    let streams = daemon.get("/perch/api/v1/streams").json();
    let found = all_below(&[started.json(), me, streams]);
    let playlist = found.iter().find(|address| address.ends_with("/index.m3u8")).unwrap();
    let playlist = daemon.get(playlist);
    assert_eq!(playlist.status, 200);
    // Names of segments are beside the playlist.
    assert!(playlist.text().lines().all(|line| line.starts_with('#') || !line.contains('/')));

    let page = daemon.get(&format!("/perch/watch/{id}"));
    assert_eq!(page.status, 200);
    let linked: Vec<_> =
        page.text().split('"').filter(|part| part.starts_with('/')).map(Value::from).collect();
    assert!(linked.len() > 20);
    for address in all_below(&linked) {
        assert_eq!(daemon.get(&address).status, 200, "{address}");
    }

    let login = json!({"username": "ann", "password": PASSWORD});
    let login = Person::nobody(&daemon).post("/perch/api/v1/auth/login", &login);
    let cookies = login.headers("set-cookie");
    let paths: Vec<_> = cookies.iter().map(|cookie| cookie.split("; ").nth(1).unwrap()).collect();
    assert_eq!(paths, ["Path=/perch", "Path=/perch/api/v1/auth"]);
    assert!(page.headers("set-cookie")[0].contains("; Path=/perch;"));

    for path in ["/percheron/", "/perch/perch/", "/perch/nothing"] {
        assert_eq!(daemon.get(path).status, 404, "{path}");
    }
    // As a proxy that removes the path asks, and whoever had the address before.
    for path in ["/", "/api/v1/settings", "/media/live/index.m3u8", "/healthz", "/perch", "/perch/healthz"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
}

#[test]
fn the_page_works_behind_a_proxy_that_removes_the_path() {
    let config = below_perch().replace("autostart = true", "autostart = false");
    let daemon = Daemon::start(&config);
    let code = std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap();
    let upstream = format!("http://{}", daemon.address);
    let folder = tempfile::tempdir().unwrap();
    let headers = "proxy_http_version 1.1;\nproxy_set_header Host $http_host;\nproxy_set_header Upgrade $http_upgrade;\n\
                   proxy_set_header Connection $connection_upgrade;\nproxy_buffering off;";
    let port = support::relaying::free_port();
    let http = format!(
        "map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\nserver {{ listen 127.0.0.1:{port};\n\
         location /perch/ {{ proxy_pass {upstream}/;\n{headers} }}\nlocation / {{ return 404; }}\n}}"
    );
    let proxy = Proxy::nginx_with(folder.path(), port, &http);
    let report = walk("behind_proxy", [&proxy.url(""), "/perch/", code.trim()]);
    assert_eq!(report["outside"], json!([]), "asked for what is not below the path");
    assert!(report["steps"].as_array().unwrap().len() >= 8, "{report}");
    let cookies = report["cookies"].as_array().unwrap();
    assert!(cookies.iter().all(|cookie| cookie["path"].as_str().unwrap().starts_with("/perch")), "{report}");
}
