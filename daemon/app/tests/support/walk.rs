//! One request to an address of the table of rights.

use super::people::Person;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

/// Asks, and reads what decides: the status and a problem's code. Some answers never end.
pub fn ask(who: &Person, method: &str, path: &str) -> (u16, String) {
    let mut path = path.replace("{*path}", "nothing.js");
    while let Some((start, end)) = path.find('{').zip(path.find('}')) {
        // A name that nobody has, an id that nothing has.
        let part = if &path[start..=end] == "{username}" { "nobody" } else { "00000000000000000000000000" };
        path.replace_range(start..=end, part);
    }
    let mut stream = who.daemon.connect();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").unwrap();
    // As if through a proxy, so that this machine is nobody special.
    write!(stream, "X-Forwarded-For: 192.0.2.1\r\n").unwrap();
    if let Some(token) = &who.token {
        write!(stream, "Authorization: Bearer {token}\r\n").unwrap();
    }
    if method != "GET" {
        write!(stream, "Content-Type: application/json\r\nContent-Length: 2\r\n").unwrap();
    }
    stream.write_all(if method == "GET" { b"\r\n" } else { b"\r\n{}" }).unwrap();
    let mut answer = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(answer.read_until(b'\n', &mut head).unwrap() > 0, "{method} {path}: no answer");
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if !head.contains("application/problem+json") {
        return (status, String::new());
    }
    let mut body = String::new();
    answer.read_to_string(&mut body).unwrap();
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}
