//! Profiles, and the owners' management of accounts.

use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::password;
use crate::profile::{self, Profile};
use crate::site::Site;
use crate::text;
use perch_store::{
    EndReason, NewUser, Refusal, Role, Standing, Store, StoreError, StreamId, User, UserId, UserQuery,
};

/// How often an account may go live again while it is being deleted. It has at most one stream per camera.
const STREAMS_AT_ONCE: usize = 16;

/// A user's profile.
///
/// # Errors
///
/// `NotFound`, also for an account hidden from the actor.
pub async fn show(site: &Site, actor: &Actor, username: String) -> Result<Profile, SiteError> {
    let actor = actor.clone();
    site.store(move |store| {
        let user = profile::named(store, &username, &actor)?;
        Profile::seen_by(store, user, &actor)
    })
    .await
}

/// An account as owners see it.
#[derive(Debug, Clone)]
pub struct ManagedAccount {
    /// The account.
    pub user: User,
    /// True if it has a key for publishing from other programs.
    pub has_ingest_key: bool,
}

impl ManagedAccount {
    fn of(store: &Store, user: User) -> Result<Self, StoreError> {
        Ok(Self { has_ingest_key: store.ingest_key(user.id)?.is_some(), user })
    }
}

/// Accounts, newest first; for owners.
///
/// # Errors
///
/// `Unauthenticated` and `Forbidden`.
pub async fn find(site: &Site, actor: &Actor, query: UserQuery) -> Result<Vec<ManagedAccount>, SiteError> {
    actor.owner()?;
    site.store(move |store| {
        store.find_users(&query)?.into_iter().map(|user| ManagedAccount::of(store, user)).collect()
    })
    .await
}

/// An account that an owner creates.
#[derive(Debug)]
pub struct NewAccount {
    /// Up to 20 characters.
    pub username: String,
    /// 8 to 128 characters.
    pub password: Password,
    /// Its role.
    pub role: Role,
}

/// Creates an account, whatever the settings say about registration; for owners.
///
/// # Errors
///
/// `Field` for `username` or `password`, `Refused` if the name is taken, `Unauthenticated` and `Forbidden`.
pub async fn add(site: &Site, actor: &Actor, new: NewAccount) -> Result<User, SiteError> {
    actor.owner()?;
    actor.not_by_token()?;
    let username = text::username(&new.username)?;
    let password = password::acceptable("password", new.password)?;
    let password = site.accounts.passwords.hash(password).await?;
    let account = NewUser { username, full_name: String::new(), email: String::new(), password };
    let (role, now, accounts) = (new.role, site.now(), site.accounts.clone());
    site.store(move |store| {
        let user = store.add_user(&account, role, now)?;
        if user.role == Role::Owner {
            // An owner created on the console before setup replaces setup.
            accounts.setup_code.forget();
        }
        Ok::<_, StoreError>(user)
    })
    .await
}

/// An owner's changes to an account; `None` keeps the present value.
#[derive(Debug, Default)]
pub struct AccountChange {
    /// Its role.
    pub role: Option<Role>,
    /// `Active` approves or readmits. `Suspended` closes all logins and ends the account's streams.
    pub standing: Option<Standing>,
    /// A new password closes all logins except the one that made the change.
    pub password: Option<Password>,
}

/// Changes an account's role, standing or password; for owners.
///
/// # Errors
///
/// `Field` for `password`, `Refused` for the last owner and for an unknown name, `Unauthenticated` and `Forbidden`. After a
/// refusal the remaining changes are not made.
pub async fn change(
    site: &Site,
    actor: &Actor,
    username: String,
    change: AccountChange,
) -> Result<ManagedAccount, SiteError> {
    actor.owner()?;
    actor.not_by_token()?;
    let AccountChange { role, standing, password } = change;
    let password = match password {
        Some(password) => {
            let password = password::acceptable("password", password)?;
            Some(site.accounts.passwords.hash(password).await?)
        }
        None => None,
    };
    let own = actor.login().cloned();
    let changed = site.change_accounts(move |store| {
        let user = store.user_by_name(&username)?.id;
        // Changes that can be refused come first.
        if let Some(standing) = standing {
            store.set_standing(user, standing)?;
        }
        if let Some(role) = role {
            store.set_role(user, role)?;
        }
        if let Some(password) = &password {
            // An owner who changes their own password stays logged in here.
            let keep = own.filter(|own| own.user == user).and_then(|own| own.session);
            store.change_password(user, password, keep)?;
        }
        ManagedAccount::of(store, store.user(user)?)
    });
    let changed = changed.await?;
    if standing.is_some() {
        // There may be one account less that waits for the owners.
        site.notices.recount_all();
    }
    if changed.user.standing != Standing::Active {
        end_streams(site, changed.user.id, EndReason::Owner).await?;
    }
    Ok(changed)
}

/// Deletes an account with everything in it; for owners. A stream on the air ends first.
///
/// # Errors
///
/// `Refused` for the last owner and for an unknown name, `Unauthenticated` and `Forbidden`.
pub async fn delete(site: &Site, actor: &Actor, username: String) -> Result<(), SiteError> {
    actor.owner()?;
    actor.not_by_token()?;
    let user = site.store(move |store| store.user_by_name(&username)).await?;
    delete_account(site, user.id, EndReason::Owner).await
}

/// Deletes an account; its streams on the air end for `reason`.
pub(crate) async fn delete_account(site: &Site, user: UserId, reason: EndReason) -> Result<(), SiteError> {
    // The store checks in the deleting transaction whether a stream is on the air; before that it refuses the last owner.
    for _ in 0..STREAMS_AT_ONCE {
        match site.change_accounts(move |store| store.delete_user(user)).await {
            Err(SiteError::Refused(Refusal::NotEnded { stream })) => end_stream(site, stream, reason).await?,
            done => {
                done?;
                site.notices.recount_all();
                site.live.user_deleted(user).await;
                return Ok(());
            }
        }
    }
    Err(SiteError::Busy("the account keeps going live"))
}

async fn end_streams(site: &Site, user: UserId, reason: EndReason) -> Result<(), SiteError> {
    for stream in site.store(Store::unfinished_streams).await? {
        if stream.facts.user == user {
            end_stream(site, stream.facts.id, reason).await?;
        }
    }
    Ok(())
}

async fn end_stream(site: &Site, stream: StreamId, reason: EndReason) -> Result<(), SiteError> {
    site.live.stop(stream, reason).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, TestSite, password};

    fn everybody() -> UserQuery {
        UserQuery { text: String::new(), standing: None, before: None, limit: 10 }
    }

    fn suspended() -> AccountChange {
        AccountChange { standing: Some(Standing::Suspended), ..AccountChange::default() }
    }

    #[tokio::test]
    async fn accounts_are_the_owners_and_the_consoles_to_manage() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let new = |name: &str| NewAccount {
            username: name.to_owned(),
            password: password(PASSWORD),
            role: Role::Viewer,
        };
        for (actor, name) in [(&olga, "ben"), (&Actor::Console, "cid")] {
            assert_eq!(add(&site, actor, new(name)).await.unwrap().username, name);
            assert!(
                find(&site, actor, everybody())
                    .await
                    .unwrap()
                    .iter()
                    .any(|found| found.user.username == name)
            );
            change(&site, actor, name.to_owned(), suspended()).await.unwrap();
            delete(&site, actor, name.to_owned()).await.unwrap();
        }
        for (actor, expected) in [(&ann, "Forbidden"), (&site.nobody, "Unauthenticated")] {
            let refused = [
                add(&site, actor, new("eve")).await.map(drop),
                find(&site, actor, everybody()).await.map(drop),
                change(&site, actor, "ann".to_owned(), suspended()).await.map(drop),
                delete(&site, actor, "ann".to_owned()).await,
            ];
            for refused in refused {
                assert_eq!(format!("{:?}", refused.unwrap_err()), expected);
            }
        }
        assert!(site.store_now(|store| store.user_by_name("eve")).is_err());
    }

    #[tokio::test]
    async fn a_change_leaves_alone_what_it_does_not_name() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Viewer).await;
        let same = change(&site, &olga, "ann".to_owned(), AccountChange::default()).await.unwrap().user;
        assert_eq!((same.role, same.standing), (Role::Viewer, Standing::Active));
        let role = AccountChange { role: Some(Role::Streamer), ..AccountChange::default() };
        let changed = change(&site, &olga, "ann".to_owned(), role).await.unwrap().user;
        assert_eq!((changed.role, changed.standing), (Role::Streamer, Standing::Active));
        assert!(site.is_open(&ann).await);
        let new = AccountChange { password: Some(password("another password")), ..AccountChange::default() };
        change(&site, &olga, "ann".to_owned(), new).await.unwrap();
        assert!(!site.is_open(&ann).await);
        // The actor's own login stays.
        let new = AccountChange { password: Some(password("another password")), ..AccountChange::default() };
        change(&site, &olga, "olga".to_owned(), new).await.unwrap();
        assert!(site.is_open(&olga).await);
    }

    #[tokio::test]
    async fn who_is_suspended_or_deleted_is_off_the_air() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        for streams in [1, 2] {
            let name = format!("streamer{streams}");
            let streamer = site.account(&name, Role::Streamer).await;
            let mut ids: Vec<StreamId> =
                (0..streams).map(|camera| site.stream(&streamer, &format!("camera{camera}"))).collect();
            change(&site, &olga, name.clone(), suspended()).await.unwrap();
            for id in &ids {
                let facts = site.store_now(|store| store.stream(*id)).unwrap().facts;
                assert_eq!(facts.end_reason, Some(EndReason::Owner));
            }
            assert!(!site.is_open(&streamer).await);
            ids.extend((0..streams).map(|camera| site.stream(&streamer, &format!("camera{camera}"))));
            delete(&site, &olga, name.clone()).await.unwrap();
            for id in ids {
                assert!(site.store_now(|store| store.stream(id)).is_err());
            }
        }
    }

    #[tokio::test]
    async fn the_last_owner_stays() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let role = AccountChange { role: Some(Role::Viewer), ..AccountChange::default() };
        let refused = [
            change(&site, &olga, "olga".to_owned(), role).await.map(drop),
            change(&site, &olga, "olga".to_owned(), suspended()).await.map(drop),
            delete(&site, &Actor::Console, "olga".to_owned()).await,
        ];
        for refused in refused {
            assert!(matches!(refused, Err(SiteError::Refused(Refusal::LastOwner))), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn suspended_accounts_are_seen_by_owners_alone() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        site.account("ann", Role::Viewer).await;
        assert!(show(&site, &site.nobody, "ann".to_owned()).await.is_ok());
        change(&site, &olga, "ann".to_owned(), suspended()).await.unwrap();
        assert!(show(&site, &olga, "ann".to_owned()).await.is_ok());
        let hidden = show(&site, &site.nobody, "ann".to_owned()).await;
        assert!(matches!(hidden, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{hidden:?}");
    }
}
