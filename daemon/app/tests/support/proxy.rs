//! Reverse proxies that nobody here wrote, between a browser and the daemon.

use super::relaying::free_port;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running proxy; killed when dropped.
pub struct Proxy {
    child: Child,
    pub port: u16,
}

impl Proxy {
    /// nginx with one server, whose settings are `server`.
    pub fn nginx(folder: &Path, server: &str) -> Self {
        let port = free_port();
        Self::nginx_with(folder, port, &format!("server {{ listen 127.0.0.1:{port};\n{server}\n}}"))
    }

    /// nginx with the settings `http`, which listen on `port`.
    pub fn nginx_with(folder: &Path, port: u16, http: &str) -> Self {
        let path = folder.display();
        // As root it would drop to a user who may not write here.
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/nginx-{kind};"))
            .concat();
        let config = format!(
            "{user}\ndaemon off;\nmaster_process off;\npid {path}/nginx.pid;\nerror_log {path}/nginx.log;\nevents {{ }}\n\
             http {{\naccess_log off;\n{temporary}\n{http}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut nginx = Command::new("nginx");
        nginx.args(["-p", folder.to_str().unwrap(), "-c", file.to_str().unwrap()]);
        Self::started(nginx, port)
    }

    /// Waits until it takes connections.
    pub fn started(mut proxy: Command, port: u16) -> Self {
        let name = proxy.get_program().to_owned();
        let child = proxy.stdout(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!("{}: {error}; `make test` installs what the tests need", name.display())
        });
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{} ended", name.display());
            std::thread::yield_now();
        }
        Self { child, port }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
