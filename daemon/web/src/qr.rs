//! `/api/v1/qr.svg`: the address of a page as a QR code, to open it on a phone.

use super::api::{Api, routes};
use super::client::Client;
use super::hosts::AskedHosts;
use super::input::Query;
use super::links::site_address;
use super::problem::Problem;
use axum::Extension;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use utoipa::IntoParams;

/// Least width of the code, pixels.
const PIXELS: u32 = 240;
/// Bytes of an address within the site: a longer one makes a code that a phone does not read off a screen.
const LONGEST: usize = 300;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show))
}

/// Selects the page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Its address within the site, such as `/watch/01M8…`.
    #[param(min_length = 1, max_length = 300, pattern = "^/([^/]|$)")]
    path: String,
}

/// The address of a page as a QR code.
#[utoipa::path(get, path = "/api/v1/qr.svg", tag = "system", params(Page),
    responses((status = 200, description = "The code", content_type = "image/svg+xml", body = String)))]
async fn show(
    client: Client,
    Extension(hosts): Extension<AskedHosts>,
    Query(Page { path }): Query<Page>,
) -> Result<Response, Problem> {
    let is_within = path.starts_with('/') && !path.starts_with("//");
    if !is_within || path.len() > LONGEST || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = "path must be an address within this site, such as /watch/01M8…";
        return Err(Problem::InvalidQuery(what.to_owned()));
    }
    let code = QrCode::new(format!("{}{path}", site_address(client, &hosts)))
        .map_err(|error| Problem::InvalidQuery(error.to_string()))?;
    // Black on white also on a dark page: not every camera reads the reverse.
    let svg = code.render::<svg::Color<'_>>().min_dimensions(PIXELS, PIXELS).build();
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache")], svg).into_response())
}
