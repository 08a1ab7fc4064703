//! Following: `/api/v1/users/{username}/follow`, who follows whom, and `/api/v1/me/subscriptions`.

use super::caller::Caller;
use super::input::{Path, Query};
use super::json;
use super::list::{Asked, List};
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::{Shared, State};
use super::users::{self, UserRef};
use axum::response::Response;
use http::StatusCode;
use perch_store::{Store, StoreError, User as Account, UserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(follow, unfollow))
        .routes(routes!(followers))
        .routes(routes!(following))
        .routes(routes!(subscriptions))
}

/// Which page of a list of people.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// People of a page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Page {
    fn asked(&self) -> Result<Asked<UserId>, Problem> {
        Asked::new(self.limit, self.cursor.as_deref())
    }
}

/// Follows somebody; who does already goes on.
#[utoipa::path(put, path = "/api/v1/users/{username}/follow", tag = "people", params(("username" = String, Path)),
    responses((status = 204, description = "Followed"),
        (status = 409, description = "Nobody follows themselves", body = ProblemDocument, content_type = "application/problem+json")))]
async fn follow(state: Shared, caller: Caller, Path(username): Path<String>) -> Result<StatusCode, Problem> {
    let (login, now) = (caller.member()?.clone(), state.now());
    let followed = state.store(move |store| {
        let whom = users::named(store, &username, Some(&login))?;
        Ok::<_, Problem>((store.follow(login.user, whom.id, now)?, whom.id))
    });
    let (delivery, whom) = followed.await?;
    state.site.notices.deliver(&delivery);
    // A chat may be for followers alone.
    state.site.chat.look_again(Some(whom));
    Ok(StatusCode::NO_CONTENT)
}

/// Stops following somebody, also where it was not so.
#[utoipa::path(delete, path = "/api/v1/users/{username}/follow", tag = "people", params(("username" = String, Path)),
    responses((status = 204, description = "Not followed")))]
async fn unfollow(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<StatusCode, Problem> {
    let who = caller.member()?.user;
    // Also of an account that was suspended since.
    let unfollowed = state.store(move |store| {
        let whom = store.user_by_name(&username)?.id;
        store.unfollow(who, whom)?;
        Ok::<_, StoreError>(whom)
    });
    state.site.chat.look_again(Some(unfollowed.await?));
    Ok(StatusCode::NO_CONTENT)
}

/// Who follows somebody.
#[utoipa::path(get, path = "/api/v1/users/{username}/followers", tag = "people", params(("username" = String, Path), Page),
    responses((status = 200, description = "Newest accounts first", body = List<Neighbour>)))]
async fn followers(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    people(&state, &caller, username, &page, Store::followers).await
}

/// Whom somebody follows.
#[utoipa::path(get, path = "/api/v1/users/{username}/following", tag = "people", params(("username" = String, Path), Page),
    responses((status = 200, description = "Newest accounts first", body = List<Neighbour>)))]
async fn following(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    people(&state, &caller, username, &page, Store::following).await
}

/// Somebody in a list of followers, or of those followed.
#[derive(Serialize, ToSchema)]
struct Neighbour {
    #[serde(flatten)]
    user: UserRef,
    /// By the asker; null where nobody is logged in, and of oneself.
    #[schema(required)]
    is_following: Option<bool>,
}

impl Neighbour {
    fn seen_by(store: &Store, user: &Account, asker: Option<UserId>) -> Result<Self, StoreError> {
        let asker = asker.filter(|asker| *asker != user.id);
        let is_following = asker.map(|asker| store.is_following(asker, user.id)).transpose()?;
        Ok(Self { user: UserRef::from(user), is_following })
    }
}

type Neighbours = fn(&Store, UserId, Option<UserId>, usize) -> Result<Vec<Account>, StoreError>;

async fn people(
    state: &Shared,
    caller: &Caller,
    username: String,
    page: &Page,
    neighbours: Neighbours,
) -> Result<Response, Problem> {
    let (asked, login) = (page.asked()?, caller.login().cloned());
    let list = state.store(move |store| {
        let user = users::named(store, &username, login.as_ref())?;
        let who = login.map(|login| login.user);
        let found = neighbours(store, user.id, asked.before, asked.and_one())?;
        List::of(found, &asked, |user| user.id, |user| Neighbour::seen_by(store, &user, who)).transposed()
    });
    Ok(json::fresh(&list.await?))
}

/// Somebody that one follows.
#[derive(Serialize, ToSchema)]
struct Subscription {
    #[serde(flatten)]
    user: UserRef,
    /// The id of the stream that is on the air.
    #[schema(required)]
    live_stream: Option<String>,
}

/// Whom one follows: those on the air first, all on the first page, there are never many.
#[utoipa::path(get, path = "/api/v1/me/subscriptions", tag = "me", params(Page),
    responses((status = 200, description = "Those on the air first, then newest accounts first", body = List<Subscription>)))]
async fn subscriptions(state: Shared, caller: Caller, Query(page): Query<Page>) -> Result<Response, Problem> {
    let (asked, user) = (page.asked()?, caller.member()?.user);
    Ok(json::fresh(&state.store(move |store| subscribed(store, user, asked)).await?))
}

fn subscribed(store: &Store, user: UserId, asked: Asked<UserId>) -> Result<List<Subscription>, StoreError> {
    let live: HashMap<UserId, String> = store
        .unfinished_streams()?
        .into_iter()
        .map(|stream| (stream.facts.user, stream.facts.id.to_string()))
        .collect();
    let subscription =
        |user: Account| Subscription { user: UserRef::from(&user), live_stream: live.get(&user.id).cloned() };
    let mut on_air = Vec::new();
    if asked.before.is_none() {
        for streamer in live.keys() {
            if store.is_following(user, *streamer)? {
                on_air.push(subscription(store.user(*streamer)?));
            }
        }
        on_air.sort_by(|one, other| one.user.username.cmp(&other.user.username));
    }
    // Among those of the page may be all who are on the air.
    let found = store.following(user, asked.before, asked.and_one() + live.len())?;
    let quiet = found.into_iter().filter(|user| !live.contains_key(&user.id)).collect();
    Ok(List::of(quiet, &asked, |user| user.id, subscription).after(on_air))
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{NewStream, NewUser, PasswordHash, Role, Timestamp, VideoMode, Visibility};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn user(store: &Store, name: &str, made: i64) -> UserId {
        let new = NewUser {
            username: name.to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        store.add_user(&new, Role::Streamer, at(made)).unwrap().id
    }

    fn go_live(store: &Store, user: UserId, camera: &str) {
        let new = NewStream {
            user,
            title: "nest".to_owned(),
            description: String::new(),
            topics: Vec::new(),
            camera: camera.to_owned(),
            mode: VideoMode { width: 640, height: 360, frames_per_second: 30, bitrate_kbps: 500 },
            duration_seconds: None,
            record: false,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        store.start_stream(&new, at(1)).unwrap();
    }

    #[test]
    fn those_on_the_air_come_first_and_nobody_is_missing_or_twice() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        let ann = user(&store, "ann", 0);
        let others = [("ben", 1), ("cid", 2), ("dan", 3), ("eve", 4), ("fay", 5)]
            .map(|(name, made)| user(&store, name, made));
        for followed in &others[..4] {
            store.follow(ann, *followed, at(1)).unwrap();
        }
        // Cid and Dan are followed; Fay is not.
        for (streamer, camera) in [(others[1], "one"), (others[2], "two"), (others[4], "three")] {
            go_live(&store, streamer, camera);
        }
        let page = |before| {
            let asked = Asked { limit: 1, before };
            let list = serde_json::to_value(subscribed(&store, ann, asked).unwrap()).unwrap();
            let names: Vec<String> = list["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| {
                    format!(
                        "{}{}",
                        user["username"].as_str().unwrap(),
                        if user["live_stream"].is_null() { "" } else { "!" }
                    )
                })
                .collect();
            (names, list["next_cursor"].as_str().map(|cursor| cursor.parse().unwrap()))
        };
        let (first, next) = page(None);
        assert_eq!(first, ["cid!", "dan!", "eve"]);
        assert_eq!(page(Some(next.unwrap())), (vec!["ben".to_owned()], None));
    }
}
