//! Ingest: streams that programs such as OBS, ffmpeg or a phone publish with an account's key: whose key it is, and what its
//! user has prepared.

use crate::accounts::secret::digest_of;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::ingest_switch::IngestSwitch;
use crate::relays;
use crate::site::Site;
use crate::stream_text;
use crate::turns::Turns;
use perch_store::{
    EndReason, IngestKey, PreparedStream, Role, Standing, Store, StoreError, Topic, User, UserId, Visibility,
};
use perch_studio::feed::Origin;
use perch_studio::ingest::{Admission, Admitting, Denied, Doorkeeper, StreamKey};
use perch_studio::relay::Destinations;
use std::sync::Arc;

/// Letters of a key: those that nobody mistakes for another when typing a key into a phone.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Letters of a key, in groups of four: 99 random bits.
const KEY_LETTERS: usize = 20;

/// An account's way to publish from another program.
#[derive(Debug, Clone)]
pub struct OwnIngest {
    /// Whether the owner wants it.
    pub is_on: bool,
    /// The port of RTMP.
    pub port: u16,
    /// The port of RTMPS; `None` without a certificate.
    pub encrypted_port: Option<u16>,
    /// `None`: none was made yet.
    pub key: Option<IngestKey>,
    /// What its stream is begun with.
    pub prepared: PreparedStream,
    /// The title of a stream for which none is prepared.
    pub usual_title: String,
}

impl OwnIngest {
    fn of(store: &Store, ingest: &IngestSwitch, user: UserId) -> Result<Self, StoreError> {
        let (account, mut prepared) = (store.user(user)?, store.prepared_stream(user)?);
        prepared.topics = known_topics(store, &prepared)?;
        let key = store.ingest_key(user)?;
        Ok(Self {
            is_on: ingest.is_on(),
            port: ingest.port(),
            encrypted_port: ingest.encrypted_port(),
            key,
            prepared,
            usual_title: usual_title(&account),
        })
    }
}

/// The title of a stream for which none is prepared.
fn usual_title(user: &User) -> String {
    let name = if user.full_name.is_empty() { &user.username } else { &user.full_name };
    format!("{name} live")
}

/// The prepared topics that still exist.
fn known_topics(store: &Store, prepared: &PreparedStream) -> Result<Vec<perch_store::TopicId>, StoreError> {
    let there: Vec<Topic> = store.topics()?;
    let is_there = |id: &&perch_store::TopicId| there.iter().any(|topic| topic.id == **id);
    Ok(prepared.topics.iter().filter(is_there).copied().collect())
}

/// The actor's key and what they have prepared; for streamers and owners.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for viewers and the console.
pub async fn show(site: &Site, actor: &Actor) -> Result<OwnIngest, SiteError> {
    let user = publisher(actor)?;
    let ingest = site.ingest.clone();
    site.store(move |store| OwnIngest::of(store, &ingest, user)).await
}

/// Changes to what is prepared; `None` keeps the present value.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// Up to 100 characters; empty: the usual title.
    pub title: Option<String>,
    /// Up to 5000 characters.
    pub description: Option<String>,
    /// Ids of topics.
    pub topics: Option<Vec<String>>,
    /// Who may watch.
    pub visibility: Option<Visibility>,
    /// True if it is recorded.
    pub record: Option<bool>,
    /// Names of relays.
    pub relays: Option<Vec<String>>,
}

/// Changes what the actor's next stream from another program is begun with.
///
/// # Errors
///
/// `Field` for an invalid value, and those of [`show`].
pub async fn prepare(site: &Site, actor: &Actor, change: Preparation) -> Result<OwnIngest, SiteError> {
    let user = publisher(actor)?;
    let title = match change.title {
        Some(title) if title.trim().is_empty() => Some(String::new()),
        title => title.map(|title| stream_text::title(&title)).transpose()?,
    };
    let description = change.description.map(|words| stream_text::description(&words)).transpose()?;
    if let Some(names) = &change.relays {
        relays::check(site, names)?;
    }
    let (ingest, relays, asked) = (site.ingest.clone(), change.relays, change.topics);
    site.store(move |store| {
        let topics = asked.map(|topics| stream_text::topics(store, &topics)).transpose()?;
        store.prepare_stream(user, |prepared| {
            set(&mut prepared.title, title.as_ref());
            set(&mut prepared.description, description.as_ref());
            set(&mut prepared.topics, topics.as_ref());
            set(&mut prepared.visibility, change.visibility.as_ref());
            set(&mut prepared.record, change.record.as_ref());
            set(&mut prepared.relays, relays.as_ref());
        })?;
        Ok::<_, SiteError>(OwnIngest::of(store, &ingest, user)?)
    })
    .await
}

fn set<T: Clone>(present: &mut T, asked: Option<&T>) {
    if let Some(asked) = asked {
        present.clone_from(asked);
    }
}

/// Gives the actor a new key. The one before is of no use from now on, and a stream that was published with it ends.
///
/// # Errors
///
/// Those of [`show`].
pub async fn renew_key(site: &Site, actor: &Actor) -> Result<OwnIngest, SiteError> {
    let user = publisher(actor)?;
    let (key, ingest) = (new_key()?, site.ingest.clone());
    let digest = digest_of(key.expose());
    let own = site.store(move |store| {
        store.set_ingest_key(user, Some((&digest, &key)))?;
        OwnIngest::of(store, &ingest, user)
    });
    let own = own.await?;
    end_published(site, user, EndReason::User).await?;
    Ok(own)
}

/// Takes an account's key away, for the account itself and owners. A stream that was published with it ends.
///
/// # Errors
///
/// `Refused` for an unknown name, `Unauthenticated` and `Forbidden`.
pub async fn revoke_key(site: &Site, actor: &Actor, username: String) -> Result<(), SiteError> {
    if !actor.is_member() {
        return Err(SiteError::Unauthenticated);
    }
    let asker = actor.clone();
    let revoked = site.store(move |store| {
        let user = store.user_by_name(&username)?.id;
        if !asker.may_act_for(user) {
            return Err(SiteError::Forbidden);
        }
        store.set_ingest_key(user, None)?;
        Ok(user)
    });
    let user = revoked.await?;
    let reason = if actor.user() == Some(user) { EndReason::User } else { EndReason::Owner };
    end_published(site, user, reason).await
}

/// Ends the stream that the account publishes.
async fn end_published(site: &Site, user: UserId, reason: EndReason) -> Result<(), SiteError> {
    let on_air = site.live.on_air().borrow().clone();
    let published = on_air.iter().find(|one| one.origin == Origin::Ingest(user) && one.ended.is_none());
    if let Some(published) = published {
        site.live.stop(published.stream, reason).await?;
    }
    Ok(())
}

fn publisher(actor: &Actor) -> Result<UserId, SiteError> {
    actor.streamer()?;
    Ok(actor.member()?.user)
}

/// A random key such as `abcd-efgh-jkmn-pqrs-tuvw`.
fn new_key() -> Result<IngestKey, SiteError> {
    let mut key = String::with_capacity(KEY_LETTERS + KEY_LETTERS / 4);
    let mut letters = 0;
    while letters < KEY_LETTERS {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        // Five bits of each byte. A number beyond the letters is left out, so that all letters are equally likely.
        for byte in random.map(|byte| usize::from(byte & 31)) {
            let Some(letter) = LETTERS.get(byte).filter(|_| letters < KEY_LETTERS) else { continue };
            if letters > 0 && letters % 4 == 0 {
                key.push('-');
            }
            key.push(char::from(*letter));
            letters += 1;
        }
    }
    Ok(IngestKey::new(&key))
}

/// Decides for the studio who may publish.
pub struct KeyHolders {
    store: Arc<Store>,
    ingest: IngestSwitch,
    relays: Destinations,
    turns: Turns,
}

impl KeyHolders {
    /// The accounts of this site.
    pub fn of(site: &Site) -> Self {
        Self {
            store: site.store.clone(),
            ingest: site.ingest.clone(),
            relays: site.relays.clone(),
            turns: site.turns.clone(),
        }
    }
}

impl Doorkeeper for KeyHolders {
    fn admit(&self, key: StreamKey) -> Admitting {
        let (store, turns, relays) = (self.store.clone(), self.turns.clone(), self.relays.clone());
        let is_on = self.ingest.is_on();
        Box::pin(async move {
            if !is_on {
                return Err(Denied::SwitchedOff);
            }
            let digest = digest_of(key.expose());
            let found = turns.store(move || admitted(&store, &relays, &digest)).await;
            match found {
                Ok(Ok(admitted)) => admitted,
                Ok(Err(error)) => Err(Denied::Unavailable(error.to_string())),
                Err(error) => Err(Denied::Unavailable(error.to_string())),
            }
        })
    }
}

/// What the account with this key's digest may begin. Blocks.
fn admitted(
    store: &Store,
    relays: &Destinations,
    digest: &[u8; 32],
) -> Result<Result<Admission, Denied>, StoreError> {
    let Some(user) = store.user_by_ingest_key(digest)? else { return Ok(Err(Denied::WrongKey)) };
    if user.standing != Standing::Active || user.role == Role::Viewer {
        return Ok(Err(Denied::MayNotGoLive));
    }
    let prepared = store.prepared_stream(user.id)?;
    let topics = known_topics(store, &prepared)?;
    let is_there = |name: &String| relays.named(name).is_some();
    Ok(Ok(Admission {
        user: user.id,
        title: if prepared.title.is_empty() { usual_title(&user) } else { prepared.title },
        username: user.username,
        description: prepared.description,
        topics,
        record: prepared.record,
        visibility: prepared.visibility,
        relays: prepared.relays.into_iter().filter(is_there).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, SettingsChange};
    use crate::testing::TestSite;
    use crate::users::{self, AccountChange};
    use perch_store::Refusal;
    use perch_studio::config::{Relay, RtmpUrl, Secret};

    async fn switch(site: &TestSite, olga: &Actor, on: bool) {
        let change = SettingsChange { ingest: Some(on), ..SettingsChange::default() };
        assert_eq!(settings::change(site, olga, change).await.unwrap().is_ingest_on, on);
    }

    async fn asks(site: &TestSite, key: &str) -> Result<Admission, Denied> {
        KeyHolders::of(site).admit(StreamKey::new(key).unwrap()).await
    }

    async fn key_of(site: &TestSite, actor: &Actor) -> String {
        renew_key(site, actor).await.unwrap().key.unwrap().expose().to_owned()
    }

    #[tokio::test]
    async fn a_key_lets_its_account_in_with_what_it_has_prepared() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        switch(&site, &olga, true).await;
        assert!(show(&site, &ann).await.unwrap().key.is_none());
        let (anns, olgas) = (key_of(&site, &ann).await, key_of(&site, &olga).await);
        let usual = asks(&site, &anns).await.unwrap();
        assert_eq!((Some(usual.user), usual.title.as_str(), usual.record), (ann.user(), "ann live", false));
        assert_eq!(asks(&site, &olgas).await.unwrap().username, "olga");

        let relay = |name: &str| Relay {
            name: name.to_owned(),
            url: RtmpUrl::parse("rtmp://example.org/live").ok(),
            key: Some(Secret::new("x")),
            ..Relay::default()
        };
        site.relays.set(vec![relay("youtube"), relay("twitch")]);
        let topic = site.store_now(Store::topics).unwrap()[0].id;
        let preparation = Preparation {
            title: Some(" Owls ".to_owned()),
            description: Some("At night".to_owned()),
            topics: Some(vec![topic.to_string()]),
            visibility: Some(Visibility::Members),
            record: Some(true),
            relays: Some(vec!["youtube".to_owned(), "twitch".to_owned()]),
        };
        prepare(&site, &ann, preparation).await.unwrap();
        // Deleted meanwhile.
        site.relays.set(vec![relay("twitch")]);
        let admitted = asks(&site, &anns).await.unwrap();
        assert_eq!((admitted.title.as_str(), admitted.description.as_str()), ("Owls", "At night"));
        assert_eq!((admitted.topics, admitted.visibility), (vec![topic], Visibility::Members));
        assert_eq!((admitted.record, admitted.relays), (true, vec!["twitch".to_owned()]));
        site.store_now(|store| store.delete_topic(topic)).unwrap();
        assert_eq!(asks(&site, &anns).await.unwrap().topics, []);
        assert_eq!(show(&site, &ann).await.unwrap().prepared.topics, []);
        let untitled = Preparation { title: Some(" ".to_owned()), ..Preparation::default() };
        let own = prepare(&site, &ann, untitled).await.unwrap();
        assert_eq!((own.prepared.title.as_str(), own.prepared.description.as_str()), ("", "At night"));
        assert_eq!(asks(&site, &anns).await.unwrap().title, "ann live");
    }

    #[tokio::test]
    async fn who_may_not_go_live_is_not_let_in() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let first = key_of(&site, &ann).await;
        assert_eq!(asks(&site, &first).await.unwrap_err(), Denied::SwitchedOff);
        switch(&site, &olga, true).await;
        assert!(asks(&site, &first).await.is_ok());
        let second = key_of(&site, &ann).await;
        assert_ne!(first, second);
        assert_eq!(asks(&site, &first).await.unwrap_err(), Denied::WrongKey);
        let may = async |change: AccountChange| {
            users::change(&site, &olga, "ann".to_owned(), change).await.unwrap();
            asks(&site, &second).await.map(drop)
        };
        let role = |role: Role| AccountChange { role: Some(role), ..AccountChange::default() };
        let standing = |standing| AccountChange { standing: Some(standing), ..AccountChange::default() };
        assert_eq!(may(role(Role::Viewer)).await, Err(Denied::MayNotGoLive));
        assert_eq!(may(role(Role::Streamer)).await, Ok(()));
        assert_eq!(may(standing(Standing::Suspended)).await, Err(Denied::MayNotGoLive));
        assert_eq!(may(standing(Standing::Active)).await, Ok(()));
        revoke_key(&site, &olga, "ann".to_owned()).await.unwrap();
        assert_eq!(asks(&site, &second).await.unwrap_err(), Denied::WrongKey);
    }

    #[tokio::test]
    async fn keys_are_made_by_those_who_may_go_live_and_taken_away_by_their_users_and_owners() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        for actor in [&ben, &Actor::Console] {
            for refused in [show(&site, actor).await, renew_key(&site, actor).await] {
                assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
            }
        }
        assert!(matches!(show(&site, &site.nobody).await, Err(SiteError::Unauthenticated)));
        let key = key_of(&site, &ann).await;
        assert!(!format!("{:?}", show(&site, &ann).await).contains(&key));
        let refused = revoke_key(&site, &ben, "ann".to_owned()).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        let refused = revoke_key(&site, &site.nobody, "ann".to_owned()).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
        let refused = revoke_key(&site, &olga, "nobody".to_owned()).await;
        assert!(matches!(refused, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{refused:?}");
        revoke_key(&site, &ann, "ann".to_owned()).await.unwrap();
        assert!(show(&site, &ann).await.unwrap().key.is_none());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        for (field, change) in [
            ("title", Preparation { title: Some("x".repeat(101)), ..Preparation::default() }),
            ("description", Preparation { description: Some("x".repeat(5001)), ..Preparation::default() }),
            ("topics", Preparation { topics: Some(vec!["x".to_owned()]), ..Preparation::default() }),
            ("relays", Preparation { relays: Some(vec!["x".to_owned()]), ..Preparation::default() }),
        ] {
            let refused = prepare(&site, &ann, change).await;
            assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == field), "{refused:?}");
        }
        assert_eq!(show(&site, &ann).await.unwrap().prepared, PreparedStream::default());
    }

    #[test]
    fn keys_are_easy_to_type_and_differ() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one, other);
        let groups: Vec<_> = one.expose().split('-').collect();
        assert!(groups.len() == 5 && groups.iter().all(|group| group.len() == 4), "{}", one.expose());
        assert!(one.expose().bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)));
    }
}
