//! `/api/v1/system/wifi`: the board's wireless network, if Perch manages it; and the access point of a board that knows none,
//! where every other address redirects to the page for choosing one.

use super::api::{Api, routes};
use super::caller::{Caller, Peer};
use super::input::Json;
use super::json;
use super::page;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use perch_site::SiteError;
use perch_site::accounts::secret::Password;
use perch_site::appliance::wifi::{self, Choice, Report, Wifi, WifiState};
use perch_store::{Role, Store};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Addresses that this screen reads; on the access point all others redirect to it.
const SHOWN: [&str; 5] = [page::WIFI, "/login", "/api/v1/settings", "/api/v1/system/wifi", "/api/v1/me"];
/// Addresses that this screen writes to: it chooses a network, and an owner logs in to do so. On the access point, which is open to the whole
/// neighbourhood, all others are refused.
const WRITTEN: [&str; 4] =
    ["/api/v1/system/wifi", "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/logout"];

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show, choose))
}

/// The state of the Wi-Fi.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WifiNow)]
enum Now {
    /// It is an access point, for choosing a network.
    AccessPoint,
    Joining,
    Joined,
    /// No network is needed: there is a cable.
    Idle,
}

/// A network in range.
#[derive(Serialize, ToSchema)]
struct Network {
    ssid: String,
    #[schema(maximum = 100)]
    signal_percent: u8,
    /// True if it needs a password.
    secured: bool,
    /// False for a kind that Perch cannot join (WPA3 only, or with its own login page or user names).
    joinable: bool,
}

/// The board's Wi-Fi.
#[derive(Serialize, ToSchema)]
struct WifiReport {
    state: Now,
    /// The network it is in or joins, or the name of its access point.
    ssid: Option<String>,
    /// Why the last network could not be joined.
    problem: Option<String>,
    /// The networks found before the access point was opened, strongest first.
    networks: Vec<Network>,
    /// Perch's address in that network.
    address: String,
    /// The code that creates the owner's account, on the access point of a board without an owner.
    setup_code: Option<String>,
}

/// The board's Wi-Fi, and the networks in range. For owners; on the access point of a board without an owner, for everyone.
#[utoipa::path(get, path = "/api/v1/system/wifi", tag = "system",
    responses((status = 200, description = "The report", body = WifiReport),
        (status = 404, description = "Perch does not manage this machine's Wi-Fi", body = inline(crate::openapi::ProblemDocument), content_type = "application/problem+json")))]
async fn show(state: Shared, caller: Caller) -> Result<Response, Problem> {
    let (wifi, report) = at_hand(&state)?;
    let is_first = admit(&state, wifi, &caller).await?;
    let (now, ssid) = match report.state {
        WifiState::AccessPoint { name, .. } => (Now::AccessPoint, Some(name)),
        WifiState::Joining(name) => (Now::Joining, Some(name)),
        WifiState::Joined(name) => (Now::Joined, Some(name)),
        WifiState::Idle => (Now::Idle, None),
    };
    let networks =
        wifi.networks().into_iter().map(|wifi::Network { name, signal_percent, is_secured, is_joinable }| {
            Network { ssid: name, signal_percent, secured: is_secured, joinable: is_joinable }
        });
    Ok(json::fresh(&WifiReport {
        state: now,
        ssid,
        problem: report.failure.map(|failure| failure.to_string()),
        networks: networks.collect(),
        address: format!("http://{}.local", state.site.board.host_name().as_deref().unwrap_or("perch")),
        setup_code: is_first.then(|| state.accounts().setup_code.shown()).flatten(),
    }))
}

/// The network to join.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChosenNetwork {
    #[schema(min_length = 1, max_length = 32)]
    ssid: String,
    /// Missing or empty for an open network.
    #[schema(value_type = Option<String>, format = Password, max_length = 63)]
    password: Option<Password>,
    /// The board's country, in two capitals (ISO 3166-1), which determines the permitted channels.
    #[schema(pattern = "^[A-Z]{2}$")]
    country: Option<String>,
}

/// Joins a network. The board leaves its present one within seconds; if it cannot join the new one, it becomes an access point
/// again and says why.
#[utoipa::path(put, path = "/api/v1/system/wifi", tag = "system", request_body = ChosenNetwork,
    responses((status = 204, description = "The board is about to join it"),
        (status = 404, description = "Perch does not manage this machine's Wi-Fi", body = inline(crate::openapi::ProblemDocument), content_type = "application/problem+json")))]
async fn choose(
    state: Shared,
    caller: Caller,
    Json(chosen): Json<ChosenNetwork>,
) -> Result<Response, Problem> {
    let (wifi, _) = at_hand(&state)?;
    admit(&state, wifi, &caller).await?;
    let choice = Choice::new(chosen.ssid, chosen.password, chosen.country)
        .map_err(|(field, why)| Problem::field(field, why))?;
    wifi.choose(&choice).map_err(|error| Problem::internal(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The Wi-Fi, if Perch manages it.
pub(super) fn at_hand(state: &State) -> Result<(&Wifi, Report), Problem> {
    let wifi = state.site.wifi.as_ref().ok_or(Problem::NotFound)?;
    Ok((wifi, wifi.report().ok_or(Problem::NotFound)?))
}

/// Admits owners, and everyone on the access point while there is no owner. True in the second case, for an owner on it, too.
async fn admit(state: &State, wifi: &Wifi, caller: &Caller) -> Result<bool, Problem> {
    let is_first = wifi.access_point_of(caller.address()).is_some() && !state.store(Store::has_owner).await?;
    match caller.login() {
        Some(login) if login.role == Role::Owner => Ok(is_first),
        _ if is_first => Ok(true),
        Some(_) => Err(Problem::Site(SiteError::Forbidden)),
        None => Err(Problem::Site(SiteError::Unauthenticated)),
    }
}

/// The answer to a client on the access point who asks for anything but the page that chooses a network: a redirection, or a refusal. Phones request addresses of their makers to detect internet access, and show
/// the page to which they are redirected.
pub(super) fn leads_away(wifi: Option<&Wifi>, peer: Peer, method: &Method, path: &str) -> Option<Response> {
    let us = wifi?.access_point_of(peer.address())?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        let is_written = WRITTEN.contains(&path);
        return (!is_written).then(|| Problem::AccessPoint.into_response().map(axum::body::Body::new));
    }
    if SHOWN.contains(&path) || path.starts_with("/assets/") {
        return None;
    }
    let there =
        HeaderValue::try_from(format!("http://{us}{}", page::WIFI)).expect("an address is a header value");
    let headers = [(LOCATION, there), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Some((StatusCode::FOUND, headers).into_response())
}
