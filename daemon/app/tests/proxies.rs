//! The recipes of docs/proxy.md, word for word, with the proxies of Debian: what a browser sees of the site through them. Only what a
//! test cannot have is replaced: the port 443, and the names of the certificate's files.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::browser::walk;
use support::people::NO_LIMITS;
use support::proxy::Proxy;
use support::relaying::free_port;
use support::{Daemon, TEST_PATTERN, run};

const HOST: &str = "perch.example.org";

/// The first block of a language under a heading of the document.
fn recipe(heading: &str, language: &str) -> String {
    let document = format!("\n{}", include_str!("../../../docs/proxy.md"));
    let section = document.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("{heading}"));
    let block = section.split(&format!("```{language}\n")).nth(1).unwrap_or_else(|| panic!("{language}"));
    block.split("```").next().unwrap().to_owned()
}

/// `text` with the one `from` that is in it replaced.
fn with(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    text.replace(from, to)
}

/// What the document says to write instead, below a path.
fn instead(text: &str, proxy: &str) -> String {
    let document = include_str!("../../../docs/proxy.md");
    let line = document.lines().find(|line| line.starts_with(&format!("- {proxy}: "))).unwrap();
    let mut quoted = line.split('`').skip(1).step_by(2);
    let to = quoted.next().unwrap();
    // Apache's is called "the other `ProxyPass`".
    let from = quoted.next().unwrap();
    let from = text.lines().find(|line| line.contains(from)).unwrap().trim();
    with(text, from, to)
}

/// A proxy by its recipe, in front of the daemon.
struct Recipe {
    name: &'static str,
    start: fn(&Path, &str, u16) -> Proxy,
    text: String,
}

impl Recipe {
    fn nginx() -> Self {
        let start = |folder: &Path, text: &str, port| {
            let text = with(text, "listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;"));
            Proxy::nginx_with(folder, port, &text)
        };
        Self { name: "nginx", start, text: recipe("## nginx", "nginx") }
    }

    fn caddy() -> Self {
        let start = |folder: &Path, text: &str, port| {
            let (certificate, key) = certificate_in(folder);
            // It would ask an authority for a certificate, over the internet.
            let site = format!("https://{HOST}:{port} {{\n    bind 127.0.0.1\n    tls {certificate} {key}\n");
            let text = with(text, &format!("{HOST} {{\n"), &site);
            let file = folder.join("Caddyfile");
            std::fs::write(&file, format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{text}"))
                .unwrap();
            let mut caddy = Command::new("caddy");
            caddy.args(["run", "--adapter", "caddyfile", "--config", file.to_str().unwrap()]);
            caddy.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
            caddy.stderr(std::fs::File::create(folder.join("caddy.log")).unwrap());
            Proxy::started(caddy, port)
        };
        Self { name: "Caddy", start, text: recipe("## Caddy", "caddyfile") }
    }

    fn apache() -> Self {
        let start = |folder: &Path, text: &str, port| {
            let text = with(text, "<VirtualHost *:443>", &format!("<VirtualHost 127.0.0.1:{port}>"));
            let document = include_str!("../../../docs/proxy.md");
            let enabled = document.lines().find_map(|line| line.split("a2enmod ").nth(1)).unwrap();
            // Those that Debian enables by itself, and those that the document names.
            let modules = ["mpm_event", "authz_core", "socache_shmcb"].into_iter();
            let modules = modules.chain(enabled.split('`').next().unwrap().split(' '));
            let loaded: Vec<_> = modules
                .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
                .collect();
            let loaded = loaded.concat();
            let path = folder.display();
            let config = format!(
                "{loaded}ServerRoot {path}\nPidFile {path}/apache.pid\nErrorLog {path}/apache.log\nDefaultRuntimeDir {path}\n\
                 ServerName localhost\nListen 127.0.0.1:{port}\n{text}"
            );
            let file = folder.join("apache.conf");
            std::fs::write(&file, config).unwrap();
            let mut apache = Command::new("apache2");
            apache.args(["-D", "FOREGROUND", "-f", file.to_str().unwrap()]);
            Proxy::started(apache, port)
        };
        Self { name: "Apache", start, text: recipe("## Apache", "apache") }
    }
}

/// A certificate for the name in the document, and its key.
fn certificate_in(folder: &Path) -> (String, String) {
    let [certificate, key] = ["crt", "key"].map(|kind| folder.join(format!("{HOST}.{kind}")));
    if !certificate.exists() {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    }
    (certificate.display().to_string(), key.display().to_string())
}

/// perchd configured as the document says, and `recipe` in front of it.
fn behind(recipe: &Recipe, text: &str, more: &str, folder: &Path) -> (Daemon, Proxy) {
    certificate_in(folder);
    let server = self::recipe("# Perch behind a reverse proxy", "toml");
    let pattern = TEST_PATTERN.replace("autostart = true", "autostart = false");
    let daemon = Daemon::start(&format!("{server}{more}{pattern}{NO_LIMITS}"));
    let text = text.replace("127.0.0.1:8080", &daemon.address.to_string());
    let text = text.replace("/etc/ssl/", &format!("{}/", folder.display()));
    let proxy = (recipe.start)(folder, &text, free_port());
    (daemon, proxy)
}

fn check(recipe: &Recipe) {
    // At `/`, as it stands in the document.
    let folder = tempfile::tempdir().unwrap();
    let (daemon, proxy) = behind(recipe, &recipe.text, "", folder.path());
    let (site, to) = (format!("https://{HOST}:{}", proxy.port), format!("{HOST}:{}:127.0.0.1", proxy.port));
    let ask = |more: &[&str]| {
        let args =
            [&["--silent", "--insecure", "--include", "--max-time", "30", "--resolve", &to], more].concat();
        String::from_utf8(run("curl", &args, folder.path()).stdout).unwrap()
    };
    assert!(ask(&[&site]).contains("<div id=\"page\">"), "{}", recipe.name);
    let code = std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap();
    let owner = json!({"setup_code": code.trim(), "username": "ann", "password": "correct horse battery"});
    // As a browser does.
    let origin = format!("Origin: {site}");
    let address = format!("{site}/api/v1/setup");
    let set_up = ask(&["--header", &origin, "--json", &owner.to_string(), &address]);
    assert!(set_up.lines().next().unwrap().contains(" 201"), "{}: {set_up}", recipe.name);
    let cookies: Vec<_> =
        set_up.lines().filter(|line| line.to_ascii_lowercase().starts_with("set-cookie: ")).collect();
    assert!(cookies.len() >= 2, "{set_up}");
    assert!(cookies.iter().all(|cookie| cookie.contains("; Secure")), "{}: {cookies:?}", recipe.name);

    // Below a path, with all that a browser does.
    let folder = tempfile::tempdir().unwrap();
    let path = self::recipe("## Below a path", "toml").replace("[server]\n", "");
    let (daemon, proxy) = behind(recipe, &instead(&recipe.text, recipe.name), &path, folder.path());
    let code = std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap();
    let report = walk("behind_proxy", [&format!("https://{HOST}:{}", proxy.port), "/perch/", code.trim()]);
    assert_eq!(report["outside"], json!([]), "asked for what is not below the path");
    assert!(report["steps"].as_array().unwrap().len() >= 8, "{report}");
    assert!(report["lines"].as_u64().unwrap() > 3, "no WebSocket: {report}");
    let cookies = report["cookies"].as_array().unwrap();
    let is_good = |cookie: &Value| {
        cookie["secure"] == true && cookie["path"].as_str().is_some_and(|path| path.starts_with("/perch"))
    };
    assert!(cookies.len() >= 3 && cookies.iter().all(is_good), "{report}");
}

#[test]
fn nginx_serves_perch_by_its_recipe() {
    check(&Recipe::nginx());
}

#[test]
fn caddy_serves_perch_by_its_recipe() {
    check(&Recipe::caddy());
}

#[test]
fn apache_serves_perch_by_its_recipe() {
    check(&Recipe::apache());
}
