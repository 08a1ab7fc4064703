//! Streams are sent on over TLS: to nginx-rtmp behind nginx's stream module, and to node-media-server, which has its own.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::process::{Pid, kill_process};
use serde_json::json;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::Signal;
use support::certificates::Authority;
use support::packets::as_flv;
use support::relaying::{
    KEY, Nginx, check_kept, check_viewers, clip, free_port, kept, relaying_to, wait_for_segments,
};

/// A server of nginx that speaks TLS with a certificate for `host` that was valid up to this year, and what it has before RTMP.
fn server(authority: &Authority, folder: &Path, host: &str, until: i32, behind: &str) -> (u16, String) {
    let (certificate, key_file) = authority.issue(folder, host, until);
    let port = free_port();
    let (certificate, key_file) = (certificate.display(), key_file.display());
    let server = format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key_file}; {behind} }}\n"
    );
    (port, server)
}

fn table(port: u16, host: &str, ca_file: &Path) -> String {
    let ca_file = ca_file.display();
    format!("url = \"rtmps://{host}:{port}/live\"\nkey = {KEY:?}\nca_file = \"{ca_file}\"")
}

#[test]
fn a_stream_is_sent_on_over_tls_and_bad_certificates_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac"]);
    let (ours, ca_file) = Authority::new(dir.path(), "ours");
    let (others, _) = Authority::new(dir.path(), "others");
    let rtmp = free_port();
    let pass = format!("proxy_pass 127.0.0.1:{rtmp};");
    let new = format!("ssl_protocols TLSv1.3; {pass}");
    let old = format!("ssl_protocols TLSv1.2; {pass}");
    let too_old = format!("ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0; {pass}");
    let plain = free_port();
    let servers = [
        server(&ours, dir.path(), "localhost", 4000, &new),
        server(&ours, dir.path(), "127.0.0.1", 4000, &old),
        server(&ours, dir.path(), "localhost", 2020, &pass),
        server(&ours, dir.path(), "live.example.org", 4000, &pass),
        server(&others, dir.path(), "localhost", 4000, &pass),
        server(&ours, dir.path(), "localhost", 4000, &too_old),
        (plain, format!("server {{ listen 127.0.0.1:{plain}; return \"220 hello\"; }}\n")),
    ];
    let stream: String = servers.iter().map(|(_, server)| server.as_str()).collect();
    let nginx = Nginx::start_with(dir.path(), rtmp, &format!("stream {{ {stream} }}"));
    let mut tables: Vec<_> = servers.iter().map(|(port, _)| table(*port, "localhost", &ca_file)).collect();
    // Each takes its own.
    tables[1] = table(servers[1].0, "127.0.0.1", &ca_file).replace(KEY, &format!("{KEY}2"));
    // nginx-rtmp waits for more than a TLS client says first.
    tables.push(table(rtmp, "localhost", &ca_file));
    // The authority that the system would have to trust.
    tables.push(format!("url = \"rtmps://localhost:{}/live/{KEY}3\"", servers[0].0));
    let daemon = relaying_to(&clip, &tables);
    let mut lines = daemon.logged_until("does not answer TLS within 5 s: does it speak TLS there?");
    for (relay, words) in [
        (0, "takes the stream"),
        (1, "takes the stream"),
        (
            2,
            "the certificate of localhost has expired: it was good until 2020-01-01, and this board's clock says ",
        ),
        (3, "the certificate is not for localhost, but for live.example.org"),
        (4, "the certificate of localhost is signed by an authority that is not trusted here"),
        (5, "localhost offers only versions of TLS that are not safe any more"),
        (6, "localhost does not speak TLS there"),
        (8, "the certificate of localhost is signed by an authority that is not trusted here"),
    ] {
        let is_it = |line: &String| line.contains(&format!("server-{relay}")) && line.contains(words);
        while !lines.iter().any(is_it) {
            // Each tries again for ever.
            assert!(lines.len() < 300, "no \"{words}\" of server-{relay}");
            lines.extend(daemon.logged_until("server-"));
        }
    }
    assert!(lines.iter().all(|line| !line.contains(KEY)), "{lines:?}");
    wait_for_segments(&daemon, 3);
    check_viewers(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    nginx.ends(Signal::QUIT);
    let (source, files) = (as_flv(&clip), kept(dir.path()));
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let pictures = check_kept(&source, &file);
        assert!(pictures > 150, "{pictures}");
    }
}

/// node-media-server, which keeps what it gets.
struct NodeMediaServer(Child);

impl NodeMediaServer {
    fn start(folder: &Path, ports: [u16; 2], certificate: &Path, key: &Path) -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../node_modules/node-media-server");
        let config = json!({
            "bind": "127.0.0.1",
            "store": {"path": folder.join("store")},
            "rtmp": {"port": ports[0]},
            "rtmps": {"port": ports[1], "cert": certificate, "key": key},
            "record": {"auto": true, "path": folder.join("records")},
        });
        let file = folder.join("node-media-server.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut server = Command::new("node")
            .arg(tools.join("bin/app.js"))
            .arg("--config")
            .arg(&file)
            .arg("--no-admin")
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("node is installed");
        for port in ports {
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(server.try_wait().unwrap().is_none(), "node-media-server ended (npm ci?)");
                std::thread::yield_now();
            }
        }
        Self(server)
    }
}

impl Drop for NodeMediaServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn node_media_server_gets_everything_once_with_tls_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac"]);
    let (ours, ca_file) = Authority::new(dir.path(), "ours");
    let (certificate, key) = ours.issue(dir.path(), "localhost", 4000);
    let ports = [free_port(), free_port()];
    let server = NodeMediaServer::start(dir.path(), ports, &certificate, &key);
    let plain = format!("url = \"rtmp://127.0.0.1:{}/live\"\nkey = \"plain\"", ports[0]);
    let encrypted = table(ports[1], "localhost", &ca_file);
    let daemon = relaying_to(&clip, &[plain, encrypted]);
    daemon.logged("takes the stream");
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 4);
    check_viewers(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    // It closes its files when it has noticed that the publishers are gone.
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    let mut server = server;
    server.0.wait().unwrap();
    let source = as_flv(&clip);
    for key in ["plain", KEY] {
        let files = kept(&dir.path().join("records/live").join(key));
        assert_eq!(files.len(), 1, "{files:?}");
        let pictures = check_kept(&source, &files[0]);
        assert!(pictures > 150, "{pictures}");
    }
}
