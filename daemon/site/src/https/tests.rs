//! The owner's switch, the files, and what a clock or a network that changes does to the certificate.

use super::*;
use crate::certificates::Source;
use crate::testing::TestSite;
use perch_store::Role;
use std::time::Duration;

fn on() -> HttpsChange {
    HttpsChange { is_on: Some(true), ..HttpsChange::default() }
}

fn names_of(report: &Report) -> Vec<String> {
    report.certificate.as_ref().unwrap().names.clone()
}

#[tokio::test]
async fn the_owner_switches_it_on_and_off_and_nobody_else() {
    let site = TestSite::new();
    let olga = site.account("olga", Role::Owner).await;
    let ann = site.account("ann", Role::Streamer).await;
    let before = show(&site).await.unwrap();
    assert_eq!((before.source, before.redirects), (Source::Off, false));
    assert!(matches!(authority(&site).await, Err(SiteError::NotFound)));
    assert!(matches!(change(&site, &ann, on()).await, Err(SiteError::Forbidden)));
    assert!(matches!(change(&site, &site.nobody, on()).await, Err(SiteError::Unauthenticated)));
    assert!(matches!(renew_authority(&site, &ann).await, Err(SiteError::Forbidden)));

    let now = change(&site, &olga, on()).await.unwrap();
    assert_eq!(now.source, Source::Own);
    assert!(names_of(&now).contains(&"nest.local".to_owned()), "{now:?}");
    assert!(!site.https.redirects(), "only if the owner asks");
    let first = authority(&site).await.unwrap();
    let redirects = HttpsChange { redirects: Some(true), ..HttpsChange::default() };
    assert!(change(&site, &olga, redirects).await.unwrap().redirects && site.https.redirects());

    let off = HttpsChange { is_on: Some(false), ..HttpsChange::default() };
    assert_eq!(change(&site, &olga, off).await.unwrap().source, Source::Off);
    assert!(!site.https.redirects(), "there is nothing to lead to");
    change(&site, &olga, on()).await.unwrap();
    assert_eq!(authority(&site).await.unwrap(), first, "devices trust it already");
    renew_authority(&site, &olga).await.unwrap();
    assert_ne!(authority(&site).await.unwrap().fingerprint, first.fingerprint);
}

#[tokio::test]
async fn it_is_the_same_after_a_restart_and_another_in_a_site_restored_elsewhere() {
    let site = TestSite::new();
    let olga = site.account("olga", Role::Owner).await;
    change(&site, &olga, on()).await.unwrap();
    let first = show(&site).await.unwrap();
    let again = site.https_at(site.data_dir());
    again.load(&site.store).unwrap();
    let second = again.report();
    assert_eq!(second.authority, first.authority);
    assert_eq!(second.certificate.unwrap().not_after, first.certificate.unwrap().not_after);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = site.https_at(elsewhere.path());
    other.load(&site.store).unwrap();
    let other = other.report();
    assert_eq!(other.source, Source::Own);
    assert_ne!(other.authority, first.authority);
}

#[tokio::test]
async fn a_damaged_authority_is_not_replaced_by_itself_and_a_damaged_certificate_is() {
    let site = TestSite::new();
    let olga = site.account("olga", Role::Owner).await;
    change(&site, &olga, on()).await.unwrap();
    let first = show(&site).await.unwrap().authority;
    let kept = site.data_dir().join("tls");
    std::fs::write(kept.join("certificate.pem"), "no").unwrap();
    let again = site.https_at(site.data_dir());
    again.load(&site.store).unwrap();
    assert_eq!(again.report().authority, first);
    assert_eq!(again.report().source, Source::Own);

    std::fs::write(kept.join("authority.pem"), "no").unwrap();
    let again = site.https_at(site.data_dir());
    again.load(&site.store).unwrap();
    assert!(site.faults.of(PART).unwrap().contains("Make a new authority"));
    assert_eq!(std::fs::read_to_string(kept.join("authority.pem")).unwrap(), "no");
}

#[tokio::test]
async fn the_certificate_follows_the_clock_and_the_network() {
    let site = TestSite::new();
    let olga = site.account("olga", Role::Owner).await;
    change(&site, &olga, on()).await.unwrap();
    let until = |site: &TestSite| site.https.report().certificate.unwrap().not_after;
    let first = until(&site);
    site.https.look();
    assert_eq!(until(&site), first);
    site.clock.turn(Duration::from_hours(24 * 120));
    site.https.look();
    assert!(until(&site) > first, "renewed by itself");
    let second = until(&site);
    site.clock.set_wall(Duration::from_secs(1000));
    site.https.look();
    assert_eq!(until(&site), second, "the board has lost its clock");

    site.names.lock().unwrap().add_host("owl.nest.local");
    site.names.lock().unwrap().add_host("other.example.org");
    site.https.look();
    let report = site.https.report();
    assert!(names_of(&report).contains(&"owl.nest.local".to_owned()));
    assert_eq!(report.authority.unwrap().uncovered, ["other.example.org"]);
    assert_eq!(until(&site), second, "by a clock that is not set");
}
