//! One try of a delivery: the receiver's name is resolved once, its addresses are checked, and the connection goes to an address that was checked,
//! so that a name cannot point elsewhere in between (DNS rebinding). No redirect is followed, no proxy is asked, and no more of the answer is read
//! than its head.

use super::target::Target;
use crate::config;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use perch_site::webhooks::queue::{Job, Untaken};
use perch_site::webhooks::{address, signature};
use perch_store::Timestamp;
use perch_studio::relay::tls;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

/// From looking the name up to the head of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const ADDRESSES_MOST: usize = 8;
/// Bytes of an answer's head at most.
const LONGEST_HEAD: usize = 16 << 10;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Sends it at `now`; the status of a receiver that has taken it.
pub(super) async fn post(job: &Job, settings: &config::Webhooks, now: Timestamp) -> Result<u16, Untaken> {
    match tokio::time::timeout(PATIENCE, try_once(job, settings, now)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn failed(detail: impl Into<String>) -> Untaken {
    Untaken { status: None, detail: detail.into() }
}

async fn try_once(job: &Job, settings: &config::Webhooks, now: Timestamp) -> Result<u16, Untaken> {
    let target = Target::parse(&job.url).map_err(failed)?;
    let addresses = resolve(&target, settings).await.map_err(failed)?;
    let tcp = TcpStream::connect(&addresses[..]).await;
    let tcp = tcp.map_err(|error| failed(format!("no connection to {}: {error}", target.host)))?;
    let stream: Box<dyn Duplex> = if target.is_tls {
        let tls = tls::connect(tcp, &target.host, settings.ca_file.as_deref()).await;
        Box::new(tls.map_err(failed)?)
    } else {
        Box::new(tcp)
    };
    let status = ask(stream, request(job, &target, now)).await;
    judge(status.map_err(|error| failed(format!("{} does not speak HTTP there: {error}", target.host)))?)
}

/// The receiver's addresses, of which each may be reached.
async fn resolve(target: &Target, settings: &config::Webhooks) -> Result<Vec<SocketAddr>, String> {
    let host = &target.host;
    let found = lookup_host((host.as_str(), target.port)).await;
    let found = found.map_err(|error| format!("{host} was not found: {error}"))?;
    let found: Vec<SocketAddr> = found.take(ADDRESSES_MOST).collect();
    if settings.local_addresses {
        return Ok(found);
    }
    let own = address::own();
    for found in &found {
        address::check(found.ip(), &own).map_err(|why| {
            format!(
                "{host} is {}, and webhooks do not go there: {why} (webhooks.local_addresses in perch.toml)",
                found.ip()
            )
        })?;
    }
    if found.is_empty() { Err(format!("{host} has no address")) } else { Ok(found) }
}

fn request(job: &Job, target: &Target, now: Timestamp) -> Request<Full<Bytes>> {
    let id = job.id.to_string();
    let signature = signature(&job.secret, &id, now, &job.body);
    let request = Request::post(&target.path)
        .header(HOST, &target.authority)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("perch/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", id)
        .header("webhook-timestamp", now.unix_millis().div_euclid(1000))
        .header("webhook-signature", format!("v1,{signature}"));
    request.body(Full::from(job.body.clone())).expect("a target's parts are good for a request")
}

async fn ask(stream: Box<dyn Duplex>, request: Request<Full<Bytes>>) -> hyper::Result<StatusCode> {
    let connecting = http1::Builder::new().max_buf_size(LONGEST_HEAD).handshake(TokioIo::new(stream)).await?;
    let (mut sender, connection) = connecting;
    let (mut answer, mut connection) = (pin!(sender.send_request(request)), pin!(connection));
    // The receiver may close the connection at once.
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    };
    Ok(answer?.status())
}

fn judge(status: StatusCode) -> Result<u16, Untaken> {
    let number = status.as_u16();
    if status.is_success() {
        return Ok(number);
    }
    let detail = if status.is_redirection() {
        format!("it answers {number}, a redirect, which is not followed: give the address that it leads to")
    } else {
        format!("it answers {number}")
    };
    Err(Untaken { status: Some(number), detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(local_addresses: bool) -> config::Webhooks {
        config::Webhooks { local_addresses, ca_file: None }
    }

    #[tokio::test]
    async fn names_and_odd_forms_of_this_board_are_refused() {
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "169.254.169.254",
            "[fe80::1]",
        ] {
            let target = Target::parse(&format!("http://{host}:81/SECRET")).unwrap();
            let refused = resolve(&target, &settings(false)).await.unwrap_err();
            assert!(refused.contains("webhooks do not go there") && !refused.contains("SECRET"), "{refused}");
            assert!(!resolve(&target, &settings(true)).await.unwrap().is_empty(), "{host}");
        }
        // The C library reads these as 127.0.0.1.
        for host in ["127.1", "2130706433", "0x7f.1", "017700000001"] {
            let target = Target::parse(&format!("http://{host}/")).unwrap();
            assert!(resolve(&target, &settings(false)).await.is_err(), "{host}");
        }
        let target = Target::parse("http://192.0.2.1:81/").unwrap();
        assert_eq!(resolve(&target, &settings(false)).await.unwrap(), ["192.0.2.1:81".parse().unwrap()]);
    }

    #[test]
    fn only_two_hundreds_are_taken() {
        assert_eq!(judge(StatusCode::NO_CONTENT), Ok(204));
        for (status, words) in [(302, "redirect"), (404, "404"), (500, "500"), (199, "199")] {
            let untaken = judge(StatusCode::from_u16(status).unwrap()).unwrap_err();
            assert!(untaken.status == Some(status) && untaken.detail.contains(words), "{untaken:?}");
        }
    }
}
