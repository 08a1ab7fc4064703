//! RTMP servers that streams are sent on to. The configuration names some; owners set up others, whose keys go in and never come out.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::FieldError;
use perch_store::{RelayKey, Store, StoreError, StoredRelay, StreamId};
use perch_studio::config::{Relay, RtmpUrl, Secret};
use perch_studio::relay::{Destinations, RelayStatus};
use std::time::Duration;

/// Characters of a stream key.
const KEY_MOST: usize = 500;

/// A relay as owners and streamers see it: without its key.
#[derive(Debug, Clone)]
pub struct SeenRelay {
    /// Unique.
    pub name: String,
    /// Address of the server and its application.
    pub url: String,
    /// Written in the configuration, and changed only there.
    pub is_configured: bool,
    /// Whether there is a key, or a file that has one.
    pub has_key: bool,
    /// Cameras whose streams are sent there unless whoever goes live chooses otherwise.
    pub cameras: Vec<String>,
    /// The streams on the air that are sent there.
    pub streams: Vec<(StreamId, RelayStatus)>,
}

/// All relays, and how each is doing; for streamers and owners. The time is that of the monotonic clock, which the states refer to.
///
/// # Errors
///
/// `Unauthenticated` and `Forbidden`.
pub fn list(site: &Site, actor: &Actor) -> Result<(Vec<SeenRelay>, Duration), SiteError> {
    actor.streamer()?;
    let seen = site.relays.all().iter().map(|relay| see(site, relay)).collect();
    Ok((seen, site.clock.monotonic()))
}

fn see(site: &Site, relay: &Relay) -> SeenRelay {
    let on_air = site.live.on_air().borrow().clone();
    let carried = on_air.iter().filter(|on_air| on_air.ended.is_none()).flat_map(|on_air| {
        let all = on_air.relays.status().into_iter();
        all.filter(|status| *status.name == *relay.name).map(|status| (on_air.stream, status))
    });
    let takes_it = |camera: &&perch_studio::live::LiveCamera| {
        site.relays.defaults_of(&camera.config).contains(&relay.name)
    };
    SeenRelay {
        name: relay.name.clone(),
        url: relay.shown_url(),
        is_configured: site.relays.configured().iter().any(|known| known.name == relay.name),
        has_key: relay.application_and_key().is_some(),
        cameras: site.cameras.iter().filter(takes_it).map(|camera| camera.config.name.clone()).collect(),
        streams: carried.collect(),
    }
}

/// A relay to add.
pub struct NewRelay {
    /// 1 to 32 of a-z, 0-9 and -.
    pub name: String,
    /// Address of the server and its application.
    pub url: String,
    /// `None`: the last part of the address is the key.
    pub key: Option<String>,
    /// Names of cameras whose streams are sent there unless whoever goes live chooses otherwise.
    pub cameras: Vec<String>,
}

/// Adds a relay; for owners.
///
/// # Errors
///
/// `Field` for an invalid value, `Refused` if the name is taken or there are too many, `Unauthenticated` and `Forbidden`.
pub async fn add(site: &Site, actor: &Actor, new: NewRelay) -> Result<SeenRelay, SiteError> {
    actor.owner()?;
    let name = checked_name(site, &new.name)?;
    let (url, key) = address_and_key(&new.url, new.key.as_deref())?;
    let Some(key) = key else {
        return Err(refused("key", "must be the stream key that the service shows"));
    };
    check_cameras(site, &new.cameras)?;
    let relay = StoredRelay { name: name.clone(), url, key: Some(key), cameras: new.cameras };
    let destinations = site.relays.clone();
    site.store(move |store| {
        store.add_relay(&relay)?;
        load(store, &destinations)
    })
    .await?;
    shown(site, &name)
}

/// Changes to a relay; `None` keeps the present value.
#[derive(Default)]
pub struct RelayChange {
    /// Another address.
    pub url: Option<String>,
    /// Another key.
    pub key: Option<String>,
    /// Other cameras whose streams are sent there unless whoever goes live chooses otherwise.
    pub cameras: Option<Vec<String>>,
}

/// Changes a relay that was set up on the page; for owners. Streams that are sent there connect anew.
///
/// # Errors
///
/// `Field` for an invalid value, `Refused` for an unknown relay, `Unauthenticated` and `Forbidden`.
pub async fn change(
    site: &Site,
    actor: &Actor,
    name: &str,
    change: RelayChange,
) -> Result<SeenRelay, SiteError> {
    actor.owner()?;
    must_be_the_pages(site, name)?;
    if let Some(cameras) = &change.cameras {
        check_cameras(site, cameras)?;
    }
    let change = perch_store::RelayChange {
        // Without a new key the old one stays, and the address has none.
        url: change.url.as_deref().map(checked_url).transpose()?,
        key: change.key.as_deref().map(checked_key).transpose()?,
        cameras: change.cameras,
    };
    let (name, destinations) = (name.to_owned(), site.relays.clone());
    let changed = name.clone();
    site.store(move |store| {
        store.change_relay(&changed, &change)?;
        load(store, &destinations)
    })
    .await?;
    shown(site, &name)
}

/// Deletes a relay that was set up on the page, and its key; for owners. Nothing is sent there any more.
///
/// # Errors
///
/// `Refused` for an unknown relay, `Unauthenticated` and `Forbidden`.
pub async fn delete(site: &Site, actor: &Actor, name: &str) -> Result<(), SiteError> {
    actor.owner()?;
    must_be_the_pages(site, name)?;
    let (name, destinations) = (name.to_owned(), site.relays.clone());
    site.store(move |store| {
        store.delete_relay(&name)?;
        load(store, &destinations)
    })
    .await
}

/// Tells the studio of the relays that the store has. Blocks.
///
/// # Errors
///
/// Those of the store.
pub fn load(store: &Store, destinations: &Destinations) -> Result<(), StoreError> {
    let relay = |stored: StoredRelay| Relay {
        name: stored.name,
        // It was checked when it was stored.
        url: RtmpUrl::parse(&stored.url).ok(),
        key: Some(Secret::new(stored.key.as_ref().map_or("", RelayKey::expose))),
        key_file: None,
        ca_file: None,
        cameras: stored.cameras,
    };
    destinations.set(store.relays()?.into_iter().map(relay).collect());
    Ok(())
}

fn shown(site: &Site, name: &str) -> Result<SeenRelay, SiteError> {
    site.relays.named(name).map(|relay| see(site, &relay)).ok_or(SiteError::NotFound)
}

/// Names of relays, each once.
///
/// # Errors
///
/// `Field` for `relays`.
pub fn check(site: &Site, names: &[String]) -> Result<(), SiteError> {
    let there: Vec<_> = site.relays.all().into_iter().map(|relay| relay.name).collect();
    let is_twice = |at: usize| names[..at].contains(&names[at]);
    if names.iter().all(|name| there.contains(name)) && !(0..names.len()).any(is_twice) {
        return Ok(());
    }
    let why = if there.is_empty() {
        "there is no relay".to_owned()
    } else {
        format!("must be names of relays, each once; there is {}", there.join(", "))
    };
    Err(refused("relays", &why))
}

fn must_be_the_pages(site: &Site, name: &str) -> Result<(), SiteError> {
    if site.relays.configured().iter().any(|relay| relay.name == name) {
        return Err(refused("name", "is a relay of perch.toml: change it there"));
    }
    Ok(())
}

/// Names of cameras, each once.
fn check_cameras(site: &Site, names: &[String]) -> Result<(), SiteError> {
    let is_there = |name: &String| site.cameras.iter().any(|camera| camera.config.name == *name);
    let is_twice = |at: usize| names[..at].contains(&names[at]);
    if names.iter().all(is_there) && !(0..names.len()).any(is_twice) {
        return Ok(());
    }
    Err(refused("cameras", "must be names of cameras, each once"))
}

fn checked_name(site: &Site, name: &str) -> Result<String, SiteError> {
    let name = name.trim();
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        return Err(refused("name", "must be 1 to 32 of a-z, 0-9 and -"));
    }
    if site.relays.configured().iter().any(|relay| relay.name == name) {
        return Err(refused("name", "is a relay of perch.toml already"));
    }
    Ok(name.to_owned())
}

/// The address without a key, and the key. What is refused is not repeated: it may hold a key.
fn address_and_key(url: &str, key: Option<&str>) -> Result<(String, Option<RelayKey>), SiteError> {
    if let Some(key) = key {
        return Ok((checked_url(url)?, Some(checked_key(key)?)));
    }
    let parsed = RtmpUrl::parse(url.trim()).map_err(|error| refused("url", &format!("must be {error}")))?;
    let split = parsed.application_and_key();
    Ok(match split {
        Some((application, key)) => (parsed.of_application(application), Some(checked_key(key.expose())?)),
        None => (parsed.of_application(parsed.application()), None),
    })
}

fn checked_url(url: &str) -> Result<String, SiteError> {
    let parsed = RtmpUrl::parse(url.trim()).map_err(|error| refused("url", &format!("must be {error}")))?;
    Ok(parsed.of_application(parsed.application()))
}

fn checked_key(key: &str) -> Result<RelayKey, SiteError> {
    let key = key.trim();
    if key.is_empty() || key.len() > KEY_MOST || key.contains(char::is_control) {
        return Err(refused("key", "must be a stream key of up to 500 characters"));
    }
    Ok(RelayKey::new(key))
}

fn refused(field: &'static str, why: &str) -> SiteError {
    FieldError { field, why: why.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{Refusal, Role};

    fn new(name: &str, url: &str, key: Option<&str>) -> NewRelay {
        let (name, url, key) = (name.to_owned(), url.to_owned(), key.map(str::to_owned));
        NewRelay { name, url, key, cameras: Vec::new() }
    }

    #[tokio::test]
    async fn owners_set_relays_up_and_nobody_sees_their_keys() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let seen =
            add(&site, &olga, new("youtube", "rtmp://a.example.org/live2", Some(" SECRET "))).await.unwrap();
        assert_eq!((seen.url.as_str(), seen.has_key), ("rtmp://a.example.org/live2", true));
        // The key is the last part of the address.
        let seen =
            add(&site, &olga, new("other", "rtmp://b.example.org:1936/app/SECRET", None)).await.unwrap();
        assert_eq!((seen.url.as_str(), seen.is_configured), ("rtmp://b.example.org:1936/app", false));
        assert_eq!(site.relays.named("other").unwrap().key.unwrap().expose(), "SECRET");
        let (relays, _) = list(&site, &ann).unwrap();
        assert_eq!(relays.len(), 2);
        assert!(!format!("{relays:?}").contains("SECRET"));

        let to = RelayChange { url: Some("rtmp://c.example.org/live".to_owned()), ..RelayChange::default() };
        assert_eq!(change(&site, &olga, "youtube", to).await.unwrap().url, "rtmp://c.example.org/live");
        assert_eq!(site.relays.named("youtube").unwrap().key.unwrap().expose(), "SECRET");
        let to = RelayChange { key: Some("NEW".to_owned()), ..RelayChange::default() };
        change(&site, &olga, "youtube", to).await.unwrap();
        assert_eq!(site.relays.named("youtube").unwrap().key.unwrap().expose(), "NEW");
        delete(&site, &olga, "youtube").await.unwrap();
        let gone = delete(&site, &olga, "youtube").await;
        assert!(matches!(gone, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{gone:?}");
        assert_eq!(list(&site, &ann).unwrap().0.len(), 1);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named_without_what_was_typed() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        for (field, name, url, key) in [
            ("name", "You Tube", "rtmp://a/live", Some("SECRET")),
            ("url", "a", "https://a/live/SECRET", Some("SECRET")),
            ("url", "a", "rtmp://u:SECRET@a/live", None),
            ("key", "a", "rtmp://a/live", None),
            ("key", "a", "rtmp://a/live", Some("SECRET\n2")),
        ] {
            match add(&site, &olga, new(name, url, key)).await {
                Err(SiteError::Field(error)) => {
                    assert!(error.field == field && !error.why.contains("SECRET"), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
        let refused = add(&site, &ann, new("a", "rtmp://a/live", Some("x"))).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        assert!(matches!(list(&site, &site.nobody), Err(SiteError::Unauthenticated)));
    }

    #[tokio::test]
    async fn a_relay_of_the_page_is_a_cameras_default_if_the_owner_says_so() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let olga = site.account("olga", Role::Owner).await;
        let front = NewRelay { cameras: vec!["front".to_owned()], ..new("a", "rtmp://a/live", Some("x")) };
        assert_eq!(add(&site, &olga, front).await.unwrap().cameras, ["front"]);
        assert_eq!(site.relays.defaults_of(&site.cameras[0].config), ["a"]);
        assert_eq!(site.relays.defaults_of(&site.cameras[1].config), [""; 0]);
        let to = |cameras: &[&str]| RelayChange {
            cameras: Some(cameras.iter().map(|name| (*name).to_owned()).collect()),
            ..RelayChange::default()
        };
        assert_eq!(
            change(&site, &olga, "a", to(&["back", "front"])).await.unwrap().cameras,
            ["front", "back"]
        );
        assert_eq!(change(&site, &olga, "a", to(&[])).await.unwrap().cameras, [""; 0]);
        for wrong in [&["side"][..], &["front", "front"]] {
            let refused = change(&site, &olga, "a", to(wrong)).await;
            assert!(
                matches!(&refused, Err(SiteError::Field(error)) if error.field == "cameras"),
                "{refused:?}"
            );
        }
    }
}
