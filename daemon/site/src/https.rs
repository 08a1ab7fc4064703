//! Who may see and change HTTPS: everyone sees how to trust it, the owner decides.

use crate::actor::Actor;
use crate::certificates::{HttpsError, PART, Report, Trusted, in_words};
use crate::error::SiteError;
use crate::site::Site;

/// HTTPS as people see it; for everyone, because each device has to be told whom to trust.
///
/// # Errors
///
/// That the daemon is stopping.
pub async fn show(site: &Site) -> Result<Report, SiteError> {
    let https = site.https.clone();
    Ok(tokio::task::spawn_blocking(move || https.report()).await?)
}

/// The authority's certificate; for everyone.
///
/// # Errors
///
/// `NotFound` while there is none.
pub async fn authority(site: &Site) -> Result<Trusted, SiteError> {
    show(site).await?.authority.ok_or(SiteError::NotFound)
}

/// Changes; `None` keeps the present value.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpsChange {
    /// Whether there is HTTPS with a certificate of Perch's own.
    pub is_on: Option<bool>,
    /// Whether browsers are led from HTTP to HTTPS.
    pub redirects: Option<bool>,
}

/// Switches HTTPS on or off; for owners. The authority stays, so that devices need not be told again.
///
/// # Errors
///
/// `Field` if files have the certificate, or if it cannot be made; `Unauthenticated` and `Forbidden`.
pub async fn change(site: &Site, actor: &Actor, change: HttpsChange) -> Result<Report, SiteError> {
    actor.owner()?;
    let https = site.https.clone();
    if change.is_on.is_some() && https.has_files() {
        let why = "is decided by the configuration: the certificate comes from tls.certificate_file";
        return Err(field("enabled", why.to_owned()));
    }
    let changed = site
        .store(move |store| {
            store.change_https(|settings| {
                settings.is_on = change.is_on.unwrap_or(settings.is_on);
                settings.redirects = change.redirects.unwrap_or(settings.redirects);
            })?;
            https.load(store)?;
            Ok::<_, perch_store::StoreError>(https.report())
        })
        .await?;
    match site.faults.of(PART) {
        Some(why) if change.is_on == Some(true) => Err(field("enabled", why)),
        _ => Ok(changed),
    }
}

/// Makes another authority, for the names and networks of now; for owners. Every device has to be told again.
///
/// # Errors
///
/// `Field` if it cannot be made; `Unauthenticated` and `Forbidden`.
pub async fn renew_authority(site: &Site, actor: &Actor) -> Result<Report, SiteError> {
    actor.owner()?;
    let https = site.https.clone();
    let renewed = tokio::task::spawn_blocking(move || {
        https.renew_authority()?;
        Ok::<_, HttpsError>(https.report())
    })
    .await?;
    renewed.map_err(|error| field("enabled", in_words(&error)))
}

fn field(field: &'static str, why: String) -> SiteError {
    crate::text::FieldError { field, why }.into()
}

#[cfg(test)]
mod tests;
