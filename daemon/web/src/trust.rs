//! `/api/v1/https`: HTTPS with a certificate of Perch's own, and what a phone or laptop needs to trust it: a profile for Apple's devices, the
//! authority's certificate for the others, and a code that leads a phone to the page that explains it.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::Json;
use super::json::{self, Time};
use super::links;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HOST};
use perch_site::SiteError;
use perch_site::certificates::{Report, Source, Trusted};
use perch_site::https::{self, HttpsChange};
use perch_store::Timestamp;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

/// Pixels of the code that a phone reads from a screen.
const CODE_PIXELS: u32 = 240;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(show, change))
        .routes(routes!(renew_authority))
        .routes(routes!(certificate))
        .routes(routes!(certificate_as_text))
        .routes(routes!(profile))
        .routes(routes!(code))
}

/// Where the certificate comes from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CertificateSource {
    /// There is no HTTPS.
    Off,
    /// Files of the configuration.
    Files,
    /// Perch's own authority.
    Own,
}

/// HTTPS.
#[derive(Serialize, ToSchema)]
#[schema(as = Https)]
struct HttpsItem {
    source: CertificateSource,
    /// The site's address with HTTPS, at the host that this request was sent to if the certificate is for that; null without HTTPS.
    #[schema(required)]
    address: Option<String>,
    /// The address with HTTP of the page that leads a device through trusting the authority.
    trust_address: String,
    /// True if browsers are led from HTTP to HTTPS.
    redirect: bool,
    /// Names and addresses that the certificate is for.
    names: Vec<String>,
    /// When the certificate expires; Perch renews its own by itself.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Time>,
    /// Perch's own authority, once there is one.
    #[schema(required)]
    authority: Option<AuthorityItem>,
}

/// Perch's own authority.
#[derive(Serialize, ToSchema)]
#[schema(as = Authority)]
struct AuthorityItem {
    /// The name that devices show.
    name: String,
    /// SHA-256 of its certificate, as devices show it.
    fingerprint: String,
    /// Names and addresses that this Perch has got since, and for which only another authority can sign.
    uncovered: Vec<String>,
}

impl HttpsItem {
    fn new(report: Report, headers: &HeaderMap) -> Self {
        let names = report.certificate.as_ref().map_or_else(Vec::new, |shown| shown.names.clone());
        let host = host_for_people(&names, headers);
        Self {
            address: report.certificate.as_ref().map(|_| address("https", &host, report.port, 443)),
            trust_address: format!("{}/trust", address("http", &host, report.http_port, 80)),
            source: match report.source {
                Source::Off => CertificateSource::Off,
                Source::Files => CertificateSource::Files,
                Source::Own => CertificateSource::Own,
            },
            redirect: report.redirects,
            expires_at: report.certificate.map(|shown| Time(timestamp(shown.not_after))),
            names,
            authority: report.authority.map(|Trusted { name, fingerprint, uncovered, .. }| AuthorityItem {
                name,
                fingerprint,
                uncovered,
            }),
        }
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The host by which other devices reach us: the one that the caller used, if there is a certificate for it and it is not this machine's name for itself;
/// else the first of `names`.
fn host_for_people(names: &[String], headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    let host: Option<http::uri::Authority> = host;
    let asked = host.as_ref().map(|host| host.host().trim_matches(['[', ']']).to_ascii_lowercase());
    let is_loopback =
        |host: &str| host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let fits = |host: &String| (names.is_empty() || names.contains(host)) && !is_loopback(host);
    let host = asked.clone().filter(fits).or_else(|| names.iter().find(|name| !is_loopback(name)).cloned());
    host.or(asked).unwrap_or_else(|| "perch.local".to_owned())
}

fn address(scheme: &str, host: &str, port: u16, usual: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = if port == usual { String::new() } else { format!(":{port}") };
    format!("{scheme}://{host}{port}{}", links::path())
}

/// HTTPS of this site.
#[utoipa::path(get, path = "/api/v1/https", tag = "system",
    responses((status = 200, description = "What there is", body = HttpsItem)))]
async fn show(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(json::fresh(&HttpsItem::new(https::show(&state.site).await?, &headers)))
}

/// Changes to HTTPS; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HttpsSettings)]
struct Change {
    /// Whether there is HTTPS with a certificate of Perch's own. Its authority is made the first time, and kept.
    enabled: Option<bool>,
    /// Whether browsers are led from HTTP to HTTPS.
    redirect: Option<bool>,
}

/// Switches HTTPS on or off.
#[utoipa::path(patch, path = "/api/v1/https", tag = "system", request_body = Change,
    responses((status = 200, description = "What there is now", body = HttpsItem)))]
async fn change(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Response, Problem> {
    let change = HttpsChange { is_on: change.enabled, redirects: change.redirect };
    Ok(json::fresh(&HttpsItem::new(https::change(&state.site, &caller.actor, change).await?, &headers)))
}

/// Makes another authority, for the names and networks of now. Every device has to trust that one then.
#[utoipa::path(post, path = "/api/v1/https/authority", tag = "system",
    responses((status = 201, description = "What there is now", body = HttpsItem)))]
async fn renew_authority(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(json::made(&HttpsItem::new(https::renew_authority(&state.site, &caller.actor).await?, &headers)))
}

fn file(kind: &'static str, name: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CACHE_CONTROL, "no-cache".to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}

/// The certificate of Perch's own authority, for Android, Windows, Linux and Firefox.
#[utoipa::path(get, path = "/api/v1/https/authority.crt", tag = "system",
    responses((status = 200, description = "The certificate (DER)", content_type = "application/x-x509-ca-cert", body = String),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json")))]
async fn certificate(state: Shared) -> Result<Response, Problem> {
    Ok(file("application/x-x509-ca-cert", "perch.crt", https::authority(&state.site).await?.certificate))
}

/// The same as text, for programs: `curl --cacert`, and `ca_file` of another Perch's relay.
#[utoipa::path(get, path = "/api/v1/https/authority.pem", tag = "system",
    responses((status = 200, description = "The certificate (PEM)", content_type = "application/x-pem-file", body = String),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json")))]
async fn certificate_as_text(state: Shared) -> Result<Response, Problem> {
    let text = https::authority(&state.site).await?.certificate_pem;
    Ok(file("application/x-pem-file", "perch.pem", text.into_bytes()))
}

/// The same as a profile for iPhones, iPads and Macs.
#[utoipa::path(get, path = "/api/v1/https/perch.mobileconfig", tag = "system",
    responses((status = 200, description = "The profile", content_type = "application/x-apple-aspen-config", body = String),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json")))]
async fn profile(state: Shared) -> Result<Response, Problem> {
    let text = profile_of(&https::authority(&state.site).await?);
    Ok(file("application/x-apple-aspen-config", "perch.mobileconfig", text.into_bytes()))
}

/// The address of the page that leads a device through it, as a QR code.
#[utoipa::path(get, path = "/api/v1/https/code.svg", tag = "system",
    responses((status = 200, description = "The code", content_type = "image/svg+xml", body = String)))]
async fn code(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let item = HttpsItem::new(https::show(&state.site).await?, &headers);
    let code = QrCode::new(item.trust_address).map_err(|_| SiteError::NotFound)?;
    // Black on white also on a dark page: not every camera reads the reverse.
    let svg = code.render::<svg::Color<'_>>().min_dimensions(CODE_PIXELS, CODE_PIXELS).build();
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-store")], svg).into_response())
}

/// A configuration profile with one root certificate (Apple, "Profile-Specific Payload Keys", `com.apple.security.root`). The same authority gives the same
/// identifiers, so that a device that gets it again replaces it.
fn profile_of(trusted: &Trusted) -> String {
    let base64: String = trusted.certificate_pem.lines().filter(|line| !line.starts_with('-')).collect();
    let name = trusted.name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let [outer, inner] = [0, 1].map(|last| {
        let mut mark = trusted.mark;
        mark[15] ^= last;
        uuid(mark)
    });
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>PayloadType</key><string>Configuration</string>
  <key>PayloadVersion</key><integer>1</integer>
  <key>PayloadIdentifier</key><string>perch.authority.{outer}</string>
  <key>PayloadUUID</key><string>{outer}</string>
  <key>PayloadDisplayName</key><string>{name}</string>
  <key>PayloadDescription</key><string>Lets this device trust the connection to this Perch, and to nothing else.</string>
  <key>PayloadContent</key>
  <array>
    <dict>
      <key>PayloadType</key><string>com.apple.security.root</string>
      <key>PayloadVersion</key><integer>1</integer>
      <key>PayloadIdentifier</key><string>perch.authority.{outer}.certificate</string>
      <key>PayloadUUID</key><string>{inner}</string>
      <key>PayloadDisplayName</key><string>{name}</string>
      <key>PayloadCertificateFileName</key><string>perch.crt</string>
      <key>PayloadContent</key><data>{base64}</data>
    </dict>
  </array>
</dict>
</plist>
"#
    )
}

/// The bytes in the form of RFC 9562, as one of its free form (version 8).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = format!("{:032X}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn people_are_led_to_a_name_that_works_on_their_device() {
        let names =
            ["nest.local", "nest", "localhost", "192.0.2.7", "2001:db8::7", "127.0.0.1"].map(str::to_owned);
        for (host, expected) in [
            ("nest.local:8080", "https://nest.local:8443"),
            ("NEST", "https://nest:8443"),
            ("192.0.2.7", "https://192.0.2.7:8443"),
            ("[2001:db8::7]:8080", "https://[2001:db8::7]:8443"),
            ("localhost:8080", "https://nest.local:8443"),
            ("127.0.0.1:8080", "https://nest.local:8443"),
            ("perch.example.org", "https://nest.local:8443"),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            assert_eq!(address("https", &host_for_people(&names, &headers), 8443, 443), expected);
        }
        assert_eq!(address("https", "nest.local", 443, 443), "https://nest.local");
        assert_eq!(host_for_people(&[], &HeaderMap::new()), "perch.local");
    }

    #[test]
    fn the_profile_is_a_property_list_with_the_certificate() {
        let trusted = Trusted {
            name: "Perch <nest> & co".to_owned(),
            fingerprint: String::new(),
            mark: *b"0123456789abcdef",
            certificate: Vec::new(),
            certificate_pem: "-----BEGIN CERTIFICATE-----\r\nQUJD\r\nREVG\r\n-----END CERTIFICATE-----\r\n"
                .to_owned(),
            uncovered: Vec::new(),
        };
        let text = profile_of(&trusted);
        assert!(text.contains("<data>QUJDREVG</data>"), "{text}");
        assert!(text.contains("<string>Perch &lt;nest&gt; &amp; co</string>"), "{text}");
        assert!(text.contains("<string>30313233-3435-8637-B839-616263646566</string>"), "{text}");
        assert!(text.contains("<string>30313233-3435-8637-B839-616263646567</string>"), "{text}");
    }
}
