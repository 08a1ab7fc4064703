//! For pages of other sites: the player alone (`/embed/{id}`), the card that messengers and search engines show of a stream
//! (Open Graph, <https://ogp.me>; Twitter cards), and oEmbed (<https://oembed.com>), which tells them how to show the player.
//!
//! Only public streams are shown: none of these looks at a login.

use super::client::Client;
use super::hosts::AskedHosts;
use super::links::site_address;
use super::markup::Escaped;
use super::page;
use super::problem::Problem;
use super::state::{Shared, State};
use super::stream::StreamItem;
use axum::Extension;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_site::{Actor, streams};
use perch_store::StreamId;
use serde_json::json;
use std::fmt::Write as _;

/// Characters of a description in a card; readers show less.
const SUMMARY: usize = 300;
/// The player's width where neither the stream nor the asking site says anything, pixels.
const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// `GET /embed/{id}`: the player alone, in frames of the sites that the owner allows.
pub(super) async fn player(state: Shared) -> Response {
    let mut response = page::embed();
    let sites = state.site.other_sites.get();
    let ancestors =
        if sites.frame_ancestors.is_empty() { "'none'".to_owned() } else { sites.frame_ancestors.join(" ") };
    let policy = HeaderValue::try_from(format!("{}; frame-ancestors {ancestors}", page::CONTENT_SECURITY));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy.expect("origins are a header value"));
    response
}

/// `GET /watch/{id}`: the page, with a card if everybody may see the stream.
pub(super) async fn watch(
    state: Shared,
    client: Client,
    Extension(hosts): Extension<AskedHosts>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match public(&state, client, &id).await {
        Some(stream) => {
            page::with_head(&head(&stream, &site_address(client, &hosts)), &stream.title, client, &headers)
        }
        None => page::index(client, headers).await,
    }
}

/// The stream, if everybody may see it.
async fn public(state: &State, client: Client, id: &str) -> Option<StreamItem> {
    let id: StreamId = id.parse().ok()?;
    let anyone = Actor::Anonymous { address: client.address };
    streams::show(&state.site, &anyone, id).await.ok().map(StreamItem::from)
}

fn head(stream: &StreamItem, site: &str) -> String {
    let address = format!("{site}/watch/{}", stream.id);
    let summary: String = stream.description.split_whitespace().collect::<Vec<_>>().join(" ");
    let summary: String = summary.chars().take(SUMMARY).collect();
    let image = stream.thumbnail_url.as_ref().map(|url| format!("{}{url}", origin(site)));
    let mut tags = vec![
        ("property", "og:type", "video.other"),
        ("property", "og:title", &stream.title),
        ("property", "og:url", &address),
        ("property", "og:description", &summary),
        ("name", "twitter:card", if image.is_some() { "summary_large_image" } else { "summary" }),
        ("name", "twitter:title", &stream.title),
        ("name", "twitter:description", &summary),
    ];
    if let Some(image) = &image {
        tags.push(("property", "og:image", image));
        tags.push(("name", "twitter:image", image));
    }
    let mut head = String::new();
    for (kind, name, content) in tags {
        // Writing into memory does not fail; the same below.
        let _ = writeln!(head, "  <meta {kind}=\"{name}\" content=\"{}\">", Escaped(content));
    }
    let _ = writeln!(head, "  <link rel=\"canonical\" href=\"{}\">", Escaped(&address));
    let _ = writeln!(
        head,
        "  <link rel=\"alternate\" type=\"application/json+oembed\" href=\"{}/oembed?url={}\" title=\"{}\">",
        Escaped(site),
        in_query(&address),
        Escaped(&stream.title)
    );
    head
}

/// Scheme and host of the site's address: links of the API have its path already.
pub(super) fn origin(site: &str) -> &str {
    let host = site.find("://").map_or(0, |at| at + 3);
    site[host..].find('/').map_or(site, |end| &site[..host + end])
}

/// A text as the value of a query (RFC 3986 §2.3).
fn in_query(text: &str) -> String {
    let mut value = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// What an oEmbed consumer asks.
#[derive(Default, serde::Deserialize)]
pub(super) struct Wanted {
    url: String,
    format: Option<String>,
    maxwidth: Option<u32>,
    maxheight: Option<u32>,
}

/// `GET /oembed?url=…`: how to show a stream. Where the owner lets no other site show the player, that is a link.
pub(super) async fn oembed(
    state: Shared,
    client: Client,
    Extension(hosts): Extension<AskedHosts>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted: Wanted = axum::extract::Query::try_from_uri(&uri_of(query.as_deref()))
        .map_err(|_| Problem::InvalidQuery("url must be the address of a stream's page".to_owned()))?
        .0;
    if wanted.format.as_deref().is_some_and(|format| format != "json") {
        // As the specification wants it (§2.3.4.1).
        return Ok(StatusCode::NOT_IMPLEMENTED.into_response());
    }
    let site = site_address(client, &hosts);
    let id = asked(&wanted.url, &site).ok_or(Problem::NotFound)?;
    let stream = public(&state, client, id).await.ok_or(Problem::NotFound)?;
    let (width, height) = fit(&stream, &wanted);
    let mut answer = json!({
        "version": "1.0",
        "type": "link",
        "title": stream.title,
        "author_name": stream.user.name(),
        "author_url": format!("{site}/u/{}", in_query(&stream.user.username)),
        "provider_name": "Perch",
        "provider_url": format!("{site}/"),
    });
    if let Some(image) = &stream.thumbnail_url {
        answer["thumbnail_url"] = format!("{}{image}", origin(&site)).into();
        (answer["thumbnail_width"], answer["thumbnail_height"]) = (width.into(), height.into());
    }
    if !state.site.other_sites.get().frame_ancestors.is_empty() {
        answer["type"] = "video".into();
        (answer["width"], answer["height"]) = (width.into(), height.into());
        answer["html"] = format!(
            "<iframe src=\"{}/embed/{}\" width=\"{width}\" height=\"{height}\" title=\"{}\" allow=\"autoplay; fullscreen\" \
             allowfullscreen></iframe>",
            Escaped(&site),
            stream.id,
            Escaped(&stream.title)
        )
        .into();
    }
    Ok(super::json::tagged(&answer, &headers))
}

fn uri_of(query: Option<&str>) -> http::Uri {
    let uri = http::uri::PathAndQuery::try_from(format!("/?{}", query.unwrap_or(""))).map(http::Uri::from);
    uri.unwrap_or_default()
}

/// The id of the stream whose page or player `url` is, on this site.
fn asked<'a>(url: &'a str, site: &str) -> Option<&'a str> {
    let (_, own) = site.split_once("://")?;
    let (scheme, url) = url.split_once("://")?;
    let path = matches!(scheme, "http" | "https").then(|| url.strip_prefix(own)).flatten()?;
    let id = path.strip_prefix("/watch/").or_else(|| path.strip_prefix("/embed/"))?;
    id.split(['?', '#']).next().map(|id| id.trim_end_matches('/'))
}

/// The player's size: the picture's, made smaller to what is asked for.
fn fit(stream: &StreamItem, wanted: &Wanted) -> (u32, u32) {
    let (width, height) =
        if stream.width == 0 || stream.height == 0 { (WIDTH, HEIGHT) } else { (stream.width, stream.height) };
    let scale = |by: Option<u32>, whole: u32| by.map_or(1.0, |by| f64::from(by) / f64::from(whole));
    let scale = scale(wanted.maxwidth, width).min(scale(wanted.maxheight, height)).min(1.0);
    let scaled = |whole: u32| (f64::from(whole) * scale).round().max(1.0) as u32;
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_asked_for_by_the_address_of_its_page() {
        let site = "https://perch.example.org/perch";
        for (url, id) in [
            ("https://perch.example.org/perch/watch/01M8", Some("01M8")),
            ("http://perch.example.org/perch/embed/01M8?t=5", Some("01M8")),
            ("https://perch.example.org/watch/01M8", None),
            ("https://perch.example.org.evil.example/perch/watch/01M8", None),
            ("https://evil.example/https://perch.example.org/perch/watch/01M8", None),
            ("ftp://perch.example.org/perch/watch/01M8", None),
            ("01M8", None),
        ] {
            assert_eq!(asked(url, site), id, "{url}");
        }
    }

    #[test]
    fn an_address_has_an_origin() {
        assert_eq!(origin("https://perch.example.org/perch"), "https://perch.example.org");
        assert_eq!(origin("http://perch.local:8080"), "http://perch.local:8080");
        assert_eq!(in_query("http://a/b?c=é"), "http%3A%2F%2Fa%2Fb%3Fc%3D%C3%A9");
    }
}
