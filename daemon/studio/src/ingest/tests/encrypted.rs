//! The same over TLS: ffmpeg checks the certificate.

use super::*;
use crate::certificate::Certificate;
use crate::certificate::tests::made;

#[tokio::test]
async fn a_stream_over_tls_arrives_whole_and_only_while_there_is_a_certificate() {
    let house = House::new(config::Ingest::default()).await;
    assert!(house.encrypted.borrow().is_empty());
    let (chain, key) = made(&["localhost"], [2020, 2040]);
    house.certificates.show(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
    let mut encrypted = house.encrypted.clone();
    let port = encrypted.wait_for(|bound| !bound.is_empty()).await.unwrap()[0].port();
    let trusted = house.dir.path().join("trusted.pem").to_str().unwrap().to_owned();
    std::fs::write(&trusted, &chain).unwrap();
    let clip = house.clip(3, &[]);
    let url = |key: &str| format!("rtmps://localhost:{port}/live/{key}");
    let to = |trusted: &str, key: &str| {
        let checks = ["-tls_verify", "1", "-ca_file", trusted];
        let sends = ["-re", "-i", &clip, "-c", "copy", "-f", "flv"];
        ffmpeg(&[&sends[..], &checks, &[&url(key)]].concat())
    };
    let sending = to(&trusted, "one");
    let samples = house.samples(house.users[0]).await;
    let said = sending.await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    is_all_of(&samples, &clip);

    // A wrong key is refused in words, without TLS nobody comes in, and whoever does not trust it stays away.
    let said = to(&trusted, "three").await.unwrap();
    assert!(!said.status.success());
    let plain = format!("rtmp://localhost:{port}/live/one");
    assert!(
        !ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &plain]).await.unwrap().status.success()
    );
    let (other, _) = made(&["localhost"], [2020, 2040]);
    std::fs::write(&trusted, other).unwrap();
    assert!(!to(&trusted, "two").await.unwrap().status.success());

    house.certificates.withdraw();
    encrypted.wait_for(Vec::is_empty).await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    assert!(!house.addresses.borrow().is_empty(), "RTMP goes on");
    // Switched off and on again, it is there only with a certificate.
    let (chain, key) = made(&["localhost"], [2020, 2040]);
    house.certificates.show(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
    encrypted.wait_for(|bound| !bound.is_empty()).await.unwrap();
    house.enabled.send_replace(false);
    encrypted.wait_for(Vec::is_empty).await.unwrap();
    house.enabled.send_replace(true);
    encrypted.wait_for(|bound| !bound.is_empty()).await.unwrap();
}
