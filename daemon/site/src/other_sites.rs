//! Which other sites may show this one's player in a frame, and play its public streams. The owner decides.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::FieldError;
use perch_store::{OtherSites, StoreError};
use std::sync::Arc;

/// Sites in one list.
const MOST: usize = 50;
/// Bytes of an origin: a host name has 253 at most (RFC 1035 §3.1).
const LONGEST: usize = 280;

/// Changes; `None` keeps the present list.
#[derive(Debug, Default)]
pub struct OtherSitesChange {
    /// Sites whose pages may show the player in a frame.
    pub frame_ancestors: Option<Vec<String>>,
    /// Sites whose scripts may fetch public streams.
    pub media_origins: Option<Vec<String>>,
}

/// The decision; for owners.
///
/// # Errors
///
/// `Unauthenticated` and `Forbidden`.
pub fn show(site: &Site, actor: &Actor) -> Result<Arc<OtherSites>, SiteError> {
    actor.owner()?;
    Ok(site.other_sites.get())
}

/// Changes the decision; for owners.
///
/// # Errors
///
/// `Field` for what is no origin, `Unauthenticated` and `Forbidden`.
pub async fn change(
    site: &Site,
    actor: &Actor,
    change: OtherSitesChange,
) -> Result<Arc<OtherSites>, SiteError> {
    actor.owner()?;
    let frame_ancestors =
        change.frame_ancestors.map(|given| origins("frame_ancestors", &given)).transpose()?;
    let media_origins = change.media_origins.map(|given| origins("media_origins", &given)).transpose()?;
    let now = site.other_sites.clone();
    site.store(move |store| {
        store.change_other_sites(|sites| {
            if let Some(given) = &frame_ancestors {
                sites.frame_ancestors.clone_from(given);
            }
            if let Some(given) = &media_origins {
                sites.media_origins.clone_from(given);
            }
        })?;
        now.load(store)?;
        Ok::<_, StoreError>(now.get())
    })
    .await
}

fn origins(field: &'static str, given: &[String]) -> Result<Vec<String>, FieldError> {
    if given.len() > MOST {
        return Err(FieldError { field, why: format!("at most {MOST} sites") });
    }
    let read = |text: &String| {
        origin(text).ok_or_else(|| FieldError {
            field,
            why: format!("each must be a site such as https://example.org, or *: {text:?} is not"),
        })
    };
    let mut origins = given.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    origins.sort();
    origins.dedup();
    Ok(origins)
}

/// An origin (RFC 6454 §6.1) as browsers write it, or `*`. Nothing else may pass: it becomes part of a header.
fn origin(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
    if text == "*" {
        return Some(text);
    }
    let (scheme, authority) = text.split_once("://")?;
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (is_host, port) = if let Some((address, rest)) = bracketed {
        (address.parse::<std::net::Ipv6Addr>().is_ok(), rest.strip_prefix(':').or(Some(rest)))
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        (host.split('.').all(is_label), Some(port))
    };
    let is_port = port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok());
    let usual = matches!((scheme, port), ("http", Some("80")) | ("https", Some("443")));
    let is_origin = matches!(scheme, "http" | "https") && is_host && is_port && text.len() <= LONGEST;
    // Browsers leave the usual port out.
    is_origin.then(|| match text.rsplit_once(':') {
        Some((without, _)) if usual => without.to_owned(),
        _ => text.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::Role;

    #[test]
    fn origins_are_as_browsers_write_them_and_nothing_else() {
        for (text, read) in [
            ("*", Some("*")),
            ("https://Example.org/", Some("https://example.org")),
            (" http://nest.local:8080 ", Some("http://nest.local:8080")),
            ("https://example.org:443", Some("https://example.org")),
            ("http://192.0.2.1:80", Some("http://192.0.2.1")),
            ("http://[2001:db8::1]:81", Some("http://[2001:db8::1]:81")),
            ("https://[::1]", Some("https://[::1]")),
            ("example.org", None),
            ("ftp://example.org", None),
            ("https://", None),
            ("https://a..b", None),
            ("https://*.example.org", None),
            ("https://example.org/page", None),
            ("https://example.org; script-src *", None),
            ("https://example.org:99999", None),
            ("https://user@example.org", None),
            ("https://exämple.org", None),
            ("https://[::1", None),
            ("https://[::1]x", None),
            ("'self'", None),
            ("null", None),
        ] {
            assert_eq!(origin(text).as_deref(), read, "{text}");
        }
    }

    #[tokio::test]
    async fn owners_decide_and_one_list_at_a_time() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        assert_eq!(*show(&site, &olga).unwrap(), OtherSites::default());
        let frames = |given: &[&str]| OtherSitesChange {
            frame_ancestors: Some(given.iter().map(|&given| given.to_owned()).collect()),
            ..OtherSitesChange::default()
        };
        let given = ["https://b.example", "https://a.example", "https://b.example/"];
        let changed = change(&site, &olga, frames(&given)).await.unwrap();
        assert_eq!(changed.frame_ancestors, ["https://a.example", "https://b.example"]);
        assert_eq!(changed.media_origins, ["*"]);
        assert_eq!(*site.other_sites.get(), site.store.other_sites().unwrap());
        let refused = change(&site, &olga, frames(&["x"])).await;
        assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == "frame_ancestors"));
        let many: Vec<_> = (0..51).map(|number| format!("https://{number}.example")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(matches!(change(&site, &olga, frames(&many)).await, Err(SiteError::Field(_))));
        let refused = change(&site, &ann, frames(&[])).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        assert!(matches!(show(&site, &site.nobody), Err(SiteError::Unauthenticated)));
    }
}
