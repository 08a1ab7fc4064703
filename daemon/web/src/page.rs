//! The page, embedded in the binary. The browser revalidates the document each time; every file it refers to has the hash of the
//! whole page in its address and may be cached for ever. `build.rs` prepares both, compressed.
//!
//! Every screen has an address of its own, at which the same document is served; `webui/page.js` chooses the screen. Addresses of
//! no screen are not found.

use super::client::Client;
use super::content_coding::takes_gzip;
use super::markup::Escaped;
use super::problem::Problem;
use super::{caching, cookies, links};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

#[derive(rust_embed::Embed)]
#[folder = "$OUT_DIR/webui"]
struct Files;

/// The screen for choosing a Wi-Fi network.
pub(super) const WIFI: &str = "/wifi";
/// The screen that leads a device through trusting us.
pub(super) const TRUST: &str = "/trust";
/// A hash of all files of the page.
const VERSION: &str = env!("PERCH_PAGE_VERSION");
const HTML: &str = "text/html; charset=utf-8";

/// The document of a site that is not at `/`. It is 3 kB, so nothing compresses it. The modules find the path in their own
/// addresses (`webui/site/base.js`).
static BELOW_PATH: LazyLock<Option<String>> =
    LazyLock::new(|| (!links::path().is_empty()).then(|| whole("index.html")));

fn below(path: &str, document: &str) -> String {
    let own = ["/assets/", "/media/", "/feed.xml"].map(|own| (own, format!("{path}{own}")));
    own.iter().fold(document.to_owned(), |document, (own, below)| document.replace(own, below))
}

/// Addresses of the page's screens, as in `webui/page.js`; each has its rule in `rules.rs`.
pub(super) const SCREENS: [&str; 14] = [
    "/",
    "/u/{username}",
    "/u/{username}/followers",
    "/u/{username}/following",
    "/live",
    "/following",
    "/notifications",
    "/settings",
    "/settings/{part}",
    "/login",
    "/register",
    "/setup",
    TRUST,
    WIFI,
];

/// The screen of a stream, whose document has a card (`embed`).
pub(super) const WATCH: &str = "/watch/{id}";
/// The player alone.
pub(super) const EMBED: &str = "/embed/{id}";
/// For programs of other sites.
pub(super) const OEMBED: &str = "/oembed";
pub(super) const FEED: &str = "/feed.xml";
/// The router's address for the files of the page.
pub(super) const ASSETS: &str = "/assets/{version}/{*path}";

/// Only our own files, nothing inline. hls.js feeds a video through `blob:`; everything else is forbidden. Who may show a page in a
/// frame is added to it.
pub(super) const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'";
/// The same for pages that only our own may show in a frame.
pub(super) const OWN_FRAMES_ONLY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
);

/// True for an address (as the router writes it) that belongs to the page, or is made of it for other sites. None of them looks at a
/// login.
pub(super) fn is_part(path: &str) -> bool {
    [ASSETS, WATCH, EMBED, OEMBED, FEED].contains(&path) || SCREENS.contains(&path)
}

/// True for the address of a screen, as a browser asks for it.
pub(super) fn is_screen(path: &str) -> bool {
    let fits = |screen: &str| {
        let (mut asked, mut known) = (path.split('/'), screen.split('/'));
        loop {
            match (asked.next(), known.next()) {
                (None, None) => return true,
                (Some(part), Some(name)) if part == name || name.starts_with('{') && !part.is_empty() => {}
                _ => return false,
            }
        }
    };
    SCREENS.iter().chain([&WATCH]).any(|screen| fits(screen))
}

/// `GET` of any screen.
pub(super) async fn index(client: Client, headers: HeaderMap) -> Response {
    let tag = HeaderValue::from_static(concat!("\"", env!("PERCH_PAGE_VERSION"), "\""));
    if caching::is_known(&headers, &tag) {
        let mut response = (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
        cookies::name_viewer(&headers, client.secure, response.headers_mut());
        return response;
    }
    let mut response = match BELOW_PATH.as_deref() {
        None => file("index.html", &headers),
        Some(document) => ([(CONTENT_TYPE, HTML)], document).into_response(),
    };
    cookies::name_viewer(&headers, client.secure, response.headers_mut());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(ETAG, tag);
    response
}

/// The document of a screen with more in its head, and another title.
pub(super) fn with_head(head: &str, title: &str, client: Client, headers: &HeaderMap) -> Response {
    let mut document = whole("index.html");
    document = document.replace("<title>Perch</title>", &format!("<title>{}</title>", Escaped(title)));
    document = document.replace("</head>", &format!("{head}</head>"));
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:x}\"", hasher.finish())).expect("digits are a header value");
    let mut response = if caching::is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, HTML)], document).into_response()
    };
    cookies::name_viewer(headers, client.secure, response.headers_mut());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(ETAG, tag);
    response
}

/// The document of the player alone. No cookie names its viewer: browsers keep none for a frame of another site.
pub(super) fn embed() -> Response {
    ([(CONTENT_TYPE, HTML), (CACHE_CONTROL, "no-cache")], whole("embed.html")).into_response()
}

/// A document as the site's path wants it.
fn whole(name: &str) -> String {
    let document = Files::get(name).expect("the page has this document");
    let document = String::from_utf8_lossy(&document.data);
    if links::path().is_empty() { document.into_owned() } else { below(links::path(), &document) }
}

/// `GET /assets/{version}/{path}`
pub(super) async fn asset(Path((version, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if version != VERSION {
        return IntoResponse::into_response(Problem::NotFound);
    }
    let mut response = file(&path, &headers);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CACHE_CONTROL, caching::FOR_EVER);
    }
    response
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(content_type) = content_type(path) else {
        return IntoResponse::into_response(Problem::NotFound);
    };
    let compressed = takes_gzip(headers).then(|| Files::get(&format!("{path}.gz"))).flatten();
    let is_compressed = compressed.is_some();
    let Some(found) = compressed.or_else(|| Files::get(path)) else {
        return IntoResponse::into_response(Problem::NotFound);
    };
    let body = match found.data {
        Cow::Borrowed(embedded) => axum::body::Body::from(embedded),
        Cow::Owned(read) => axum::body::Body::from(read),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn content_type(path: &str) -> Option<HeaderValue> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(HeaderValue::from_static(match extension {
        "html" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::net::{IpAddr, Ipv4Addr};

    const CLIENT: Client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false };

    fn accepting(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(coding))])
    }

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_address_in_the_page_leads_to_a_file_that_may_be_kept_for_ever() {
        let page = text(index(CLIENT, HeaderMap::new()).await).await;
        let addresses: Vec<_> =
            page.split('"').filter_map(|part| part.strip_prefix("/assets/")?.split_once('/')).collect();
        assert!(addresses.len() >= 3, "{page}");
        for (version, path) in addresses {
            let response = asset(Path((version.to_owned(), path.to_owned())), HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        }
    }

    #[tokio::test]
    async fn a_browser_that_has_the_page_is_not_sent_it_again() {
        let first = index(CLIENT, accepting("gzip")).await;
        assert_eq!(first.headers()[CONTENT_ENCODING], "gzip");
        let mut headers = HeaderMap::new();
        headers.insert(http::header::IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(index(CLIENT, headers).await.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn below_a_path_everything_the_document_refers_to_is_below_it() {
        let page = text(index(CLIENT, HeaderMap::new()).await).await;
        let below = below("/perch", &page);
        let addresses = |page: &str| -> Vec<String> {
            page.split('"').filter(|part| part.starts_with('/')).map(str::to_owned).collect()
        };
        let expected: Vec<_> = addresses(&page).iter().map(|address| format!("/perch{address}")).collect();
        assert_eq!(addresses(&below), expected);
        assert!(expected.len() > 20 && below.contains(">/perch/media/live/index.m3u8<"), "{below}");
    }

    #[tokio::test]
    async fn what_is_not_part_of_the_page_is_not_there() {
        for (version, path) in [(VERSION, "vendor/update.sh"), (VERSION, "../Cargo.toml"), ("0", "page.js")] {
            let response = asset(Path((version.to_owned(), path.to_owned())), HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
