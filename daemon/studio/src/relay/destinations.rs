//! Where streams may be sent on to: what the configuration says, and what the owner has set up on the page, which may change while streams run.

use crate::config::{Camera, Relay};
use std::sync::Arc;
use tokio::sync::watch;

/// All destinations; clones are the same.
#[derive(Clone, Debug)]
pub struct Destinations {
    configured: Arc<[Relay]>,
    others: watch::Sender<Arc<[Relay]>>,
}

impl Destinations {
    /// Those of the configuration, and so far no others.
    pub fn new(configured: Vec<Relay>) -> Self {
        Self { configured: configured.into(), others: watch::Sender::new(Arc::from([])) }
    }

    /// Those of the configuration.
    pub fn configured(&self) -> &[Relay] {
        &self.configured
    }

    /// The others are these from now on. One with a name of the configuration is left out.
    pub fn set(&self, others: Vec<Relay>) {
        let is_new = |relay: &Relay| self.configured.iter().all(|known| known.name != relay.name);
        self.others.send_replace(others.into_iter().filter(is_new).collect());
    }

    /// All of them.
    pub fn all(&self) -> Vec<Relay> {
        self.configured.iter().chain(self.others.borrow().iter()).cloned().collect()
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<Relay> {
        let others = self.others.borrow();
        self.configured.iter().chain(others.iter()).find(|relay| relay.name == name).cloned()
    }

    /// Names of those that a camera's streams are sent to unless whoever goes live chooses others: those that its configuration names, and those of the page that name it.
    pub fn defaults_of(&self, camera: &Camera) -> Vec<String> {
        let others = self.others.borrow();
        let takes_it = others.iter().filter(|relay| relay.cameras.contains(&camera.name));
        camera.relays.iter().chain(takes_it.map(|relay| &relay.name)).cloned().collect()
    }

    /// Tells of changes.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<[Relay]>> {
        self.others.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RtmpUrl;

    fn relay(name: &str, url: &str) -> Relay {
        Relay { name: name.to_owned(), url: RtmpUrl::parse(url).ok(), ..Relay::default() }
    }

    #[test]
    fn a_camera_is_sent_to_those_it_names_and_those_that_name_it() {
        let destinations = Destinations::new(vec![relay("a", "rtmp://a/x/y")]);
        let camera = Camera { relays: vec!["a".to_owned()], ..crate::capture::testing::camera() };
        assert_eq!(destinations.defaults_of(&camera), ["a"]);
        let of = |name, cameras: &[&str]| Relay {
            cameras: cameras.iter().map(|camera| (*camera).to_owned()).collect(),
            ..relay(name, "rtmp://b/x/y")
        };
        destinations.set(vec![of("b", &["back", &camera.name]), of("c", &["back"]), of("d", &[])]);
        assert_eq!(destinations.defaults_of(&camera), ["a", "b"]);
    }

    #[test]
    fn the_configuration_goes_before_the_page() {
        let destinations = Destinations::new(vec![relay("a", "rtmp://a/x/y")]);
        let mut changes = destinations.changes();
        destinations.set(vec![relay("a", "rtmp://b/x/y"), relay("c", "rtmp://c/x/y")]);
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        let names: Vec<_> = destinations.all().into_iter().map(|relay| relay.name).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(destinations.named("a"), Some(relay("a", "rtmp://a/x/y")));
        assert_eq!(destinations.named("b"), None);
    }
}
