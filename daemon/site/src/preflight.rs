//! What the servers of relays will refuse of a stream, said before it begins.

use crate::actor::Actor;
use crate::cameras;
use crate::error::SiteError;
use crate::site::Site;
use perch_studio::config::{Camera, MicrophoneChoice, Relay, SourceKind};

/// A service and its limits.
struct Service {
    name: &'static str,
    /// Ends of its servers' host names.
    hosts: &'static [&'static str],
    /// Kilobits per second of a picture at most.
    most_kbps: Option<u32>,
}

/// Services that publish their limits. All want a key frame every 4 s at most, and sound.
const SERVICES: [Service; 2] = [
    // support.google.com/youtube/answer/2853702: 40 Mb/s for 2160p at 60 fps, "do not exceed 4 seconds".
    Service { name: "YouTube", hosts: &["youtube.com"], most_kbps: Some(40_000) },
    // help.twitch.tv, broadcasting guidelines: 6000 kb/s.
    Service { name: "Twitch", hosts: &["twitch.tv", "live-video.net"], most_kbps: Some(6000) },
];
/// Seconds between key frames at most.
const KEY_FRAMES_WITHIN: f64 = 4.0;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The server will refuse the stream, or end it.
    Refused,
    /// Something to know; the stream can be sent.
    Note,
}

/// Something about a stream and a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A sentence for people.
    pub detail: String,
}

/// What is found about a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The relay's name.
    pub relay: String,
    /// Empty: nothing speaks against it.
    pub findings: Vec<Finding>,
}

/// Looks at a stream of a camera at this bit rate, for every relay; for streamers and owners. No server is asked.
///
/// # Errors
///
/// `NotFound` for an unknown camera, `Unauthenticated` and `Forbidden`.
pub fn look(
    site: &Site,
    actor: &Actor,
    camera: &str,
    bitrate_kbps: Option<u32>,
) -> Result<Vec<Preflight>, SiteError> {
    actor.streamer()?;
    let camera = &cameras::named(site, camera)?.config;
    let kbps = bitrate_kbps.unwrap_or(camera.bitrate_kbps);
    let relays = site.relays.all();
    Ok(relays
        .iter()
        .map(|relay| Preflight { relay: relay.name.clone(), findings: findings(relay, camera, kbps) })
        .collect())
}

fn findings(relay: &Relay, camera: &Camera, kbps: u32) -> Vec<Finding> {
    let host = relay.url.as_ref().map(|url| url.host.to_ascii_lowercase()).unwrap_or_default();
    let is_at =
        |end: &&str| host.strip_suffix(*end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let service = SERVICES.iter().find(|service| service.hosts.iter().any(&is_at));
    let who = service.map_or("Many servers", |service| service.name);
    let refuses = if service.is_some() { "refuses" } else { "refuse" };
    let severity = if service.is_some() { Severity::Refused } else { Severity::Note };
    let mut found = Vec::new();
    let mut say = |severity, detail| found.push(Finding { severity, detail });
    if relay.application_and_key().is_none() {
        say(Severity::Refused, "It has no stream key. The owner enters it in the settings.".to_owned());
    }
    if let Some(most) = service.and_then(|service| service.most_kbps).filter(|most| kbps > *most) {
        say(Severity::Refused, format!("{who} takes {most} kbit/s at most. Choose a lower bitrate."));
    }
    let interval = camera.keyframe_interval_seconds;
    if camera.source == SourceKind::Command {
        if service.is_some() {
            let detail =
                format!("{who} wants a key frame every 4 s at most: the camera's program decides that.");
            say(Severity::Note, detail);
        }
    } else if interval > KEY_FRAMES_WITHIN {
        say(
            severity,
            format!(
                "{who} {refuses} a stream with more than 4 s between key frames, and this camera makes one every \
                 {interval} s: keyframe_interval_seconds in perch.toml."
            ),
        );
    }
    if has_sound(camera) == Some(false) {
        say(
            Severity::Note,
            format!("The camera has no sound. {who} {refuses} such streams, so Perch adds silence."),
        );
    }
    found
}

/// `None`: nobody knows before it runs.
fn has_sound(camera: &Camera) -> Option<bool> {
    match (camera.source, &camera.microphone) {
        (SourceKind::TestPattern, _) => Some(camera.tone),
        (SourceKind::Auto | SourceKind::V4l2, MicrophoneChoice::None) => Some(false),
        (SourceKind::Auto | SourceKind::V4l2, MicrophoneChoice::Device(_)) => Some(true),
        (SourceKind::Command | SourceKind::Auto | SourceKind::V4l2, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::Role;
    use perch_studio::config::{RtmpUrl, Secret};

    fn relay(name: &str, host: &str) -> Relay {
        Relay {
            name: name.to_owned(),
            url: RtmpUrl::parse(&format!("rtmp://{host}/live")).ok(),
            key: Some(Secret::new("x")),
            ..Relay::default()
        }
    }

    fn pattern() -> Camera {
        Camera { source: SourceKind::TestPattern, tone: true, ..Camera::default() }
    }

    fn refused(host: &str, camera: &Camera, kbps: u32) -> Vec<String> {
        let found = findings(&relay("a", host), camera, kbps).into_iter();
        found.filter(|finding| finding.severity == Severity::Refused).map(|finding| finding.detail).collect()
    }

    #[test]
    fn what_a_service_refuses_is_said_with_what_to_do() {
        let camera = pattern();
        assert_eq!(findings(&relay("a", "a.rtmp.youtube.com"), &camera, 20_000), []);
        assert_eq!(findings(&relay("a", "live.twitch.tv"), &camera, 6000), []);
        let [detail] = &refused("fra05.contribute.live-video.net", &camera, 6001)[..] else { panic!() };
        assert_eq!(detail, "Twitch takes 6000 kbit/s at most. Choose a lower bitrate.");
        // Not one of theirs.
        assert_eq!(findings(&relay("a", "nottwitch.tv"), &camera, 20_000), []);
        let seldom = Camera { keyframe_interval_seconds: 5.0, ..pattern() };
        let [detail] = &refused("a.rtmp.youtube.com", &seldom, 1000)[..] else { panic!() };
        assert!(detail.contains("YouTube refuses") && detail.contains("every 5 s"), "{detail}");
        assert_eq!(refused("live.example.org", &seldom, 1000), [""; 0]);
        assert_eq!(findings(&relay("a", "live.example.org"), &seldom, 1000).len(), 1);
        let keyless = Relay { key: Some(Secret::new("")), ..relay("a", "live.example.org") };
        assert_eq!(findings(&keyless, &camera, 1000)[0].severity, Severity::Refused);
    }

    #[test]
    fn silence_is_announced_and_what_a_program_does_is_its_own_matter() {
        let silent = Camera { tone: false, ..pattern() };
        let [finding] = &findings(&relay("a", "a.rtmp.youtube.com"), &silent, 1000)[..] else { panic!() };
        assert_eq!(finding.severity, Severity::Note);
        assert!(finding.detail.contains("adds silence"), "{finding:?}");
        let program = Camera { source: SourceKind::Command, keyframe_interval_seconds: 9.0, ..pattern() };
        let [finding] = &findings(&relay("a", "a.rtmp.youtube.com"), &program, 1000)[..] else { panic!() };
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(findings(&relay("a", "live.example.org"), &program, 1000), []);
        let silent = Camera { source: SourceKind::V4l2, microphone: MicrophoneChoice::None, ..pattern() };
        assert_eq!(findings(&relay("a", "live.example.org"), &silent, 1000).len(), 1);
        // Found when the camera is opened.
        let found = Camera { microphone: MicrophoneChoice::Auto, ..silent };
        assert_eq!(findings(&relay("a", "live.example.org"), &found, 1000), []);
    }

    #[tokio::test]
    async fn streamers_look_before_they_go_live() {
        let site = TestSite::with_cameras(&["front"]);
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        site.relays.set(vec![relay("a", "live.twitch.tv"), relay("b", "live.example.org")]);
        let found = look(&site, &ann, "front", Some(9000)).unwrap();
        let names: Vec<_> = found.iter().map(|one| (one.relay.as_str(), one.findings.len())).collect();
        // Both are told of the silence.
        assert_eq!(names, [("a", 2), ("b", 1)]);
        assert!(matches!(look(&site, &ann, "back", None), Err(SiteError::NotFound)));
        assert!(matches!(look(&site, &ben, "front", None), Err(SiteError::Forbidden)));
        assert!(matches!(look(&site, &site.nobody, "front", None), Err(SiteError::Unauthenticated)));
    }
}
