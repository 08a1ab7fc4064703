//! `/metrics`: counters of the whole daemon in the text format of Prometheus, read from their owners at each scrape.

use super::slots::Slots;
use super::traffic::Traffic;
use perch_site::Site;
use perch_studio::capture::status::{CameraState, CaptureCounters};
use perch_studio::feed::FeedStatus;
use perch_studio::hls::HlsMetrics;
use perch_studio::live::{LiveCamera, OnAir};
use perch_studio::memory_budget::{MemoryBudget, Part};
use perch_studio::relay::{RelayState, RelayStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// All metrics.
pub(super) struct Metrics(Registry);

impl Metrics {
    pub(super) fn new(site: &Site, traffic: Arc<Traffic>, slots: Arc<Slots>) -> Self {
        let mut registry = Registry::with_prefix("perch");
        let listing = site.hls_metrics.listing_seconds.clone();
        registry.register(
            "segment_listing_seconds",
            "Time from an IDR leaving the encoder until the segment it completes is listed",
            listing,
        );
        registry.register_collector(Box::new(Daemon {
            cameras: site.cameras.clone(),
            on_air: site.live.on_air(),
            hls: site.hls_metrics.clone(),
            memory: site.memory.clone(),
            traffic,
            slots,
        }));
        Self(registry)
    }

    /// All present values.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        encode(&mut text, &self.0).expect("a String takes any text");
        text
    }
}

struct Daemon {
    cameras: Arc<[LiveCamera]>,
    on_air: watch::Receiver<Arc<[OnAir]>>,
    hls: Arc<HlsMetrics>,
    memory: MemoryBudget,
    traffic: Arc<Traffic>,
    slots: Arc<Slots>,
}

type OfFeed = fn(&CaptureCounters) -> &AtomicU64;
type OfRelay = fn(&RelayStatus) -> u64;

/// Name, help text, and the counter.
const OF_FEEDS: [(&str, &str, OfFeed); 7] = [
    ("access_units", "Coded pictures published", |counters| &counters.access_units),
    ("key_frames", "Key frames among the coded pictures", |counters| &counters.key_frames),
    ("b_pictures", "Pictures with B slices, whose display order differs from decoding order", |counters| {
        &counters.b_pictures
    }),
    ("coded_bytes", "Bytes of coded pictures and sound", |counters| &counters.bytes),
    ("seams", "Discontinuities: the source was reopened or changed its format", |counters| &counters.seams),
    ("source_reopened", "Times that a source was reopened after a failure", |counters| &counters.reopened),
    ("capture_times_changed", "Timestamps that jumped and were corrected", |counters| {
        &counters.times_changed
    }),
];

/// Name, help text, and the counter of a relay of a stream on the air.
const OF_RELAYS: [(&str, &str, OfRelay); 3] = [
    ("relay_connections", "Connections to the relay's server", |status| status.connections),
    (
        "relay_dropped",
        "Pictures and frames of sound left out because the way to the server is too slow",
        |status| status.dropped,
    ),
    ("relay_sent_bytes", "Bytes that the relay's server has taken", |status| status.taken_bytes),
];

/// The kinds of `capture_errors`.
const ERRORS: [(&str, OfFeed); 2] =
    [("discarded", |counters| &counters.discarded), ("lost_frames", |counters| &counters.lost_frames)];

/// Every camera, on the air or not, and the publishers that are on the air.
fn feeds(cameras: &[LiveCamera], on_air: &[OnAir]) -> Vec<FeedStatus> {
    let published = on_air.iter().filter(|on_air| on_air.origin.camera().is_none() && on_air.ended.is_none());
    cameras.iter().map(LiveCamera::handle).chain(published.map(|on_air| on_air.feed.clone())).collect()
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").finish_non_exhaustive()
    }
}

impl Collector for Daemon {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let feeds = feeds(&self.cameras, &self.on_air.borrow());
        for (name, help, counter) in OF_FEEDS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for feed in &feeds {
                ConstCounter::new(counter(feed.counters()).load(Ordering::Relaxed))
                    .encode(family.encode_family(&[("feed", feed.name())])?)?;
            }
        }
        let help = "Pictures discarded, and frames that the driver dropped";
        let mut family = encoder.encode_descriptor("capture_errors", help, None, MetricType::Counter)?;
        for feed in &feeds {
            for (kind, counter) in ERRORS {
                ConstCounter::new(counter(feed.counters()).load(Ordering::Relaxed))
                    .encode(family.encode_family(&[("feed", feed.name()), ("kind", kind)])?)?;
            }
        }
        let mut family =
            encoder.encode_descriptor("feed_live", "1 while pictures arrive", None, MetricType::Gauge)?;
        for feed in &feeds {
            let live = matches!(*feed.state().borrow(), CameraState::Live { .. });
            ConstGauge::new(i64::from(live)).encode(family.encode_family(&[("feed", feed.name())])?)?;
        }
        self.encode_hls(&mut encoder)?;
        self.encode_relays(&mut encoder)?;
        self.encode_memory(&mut encoder)?;
        self.encode_traffic(&mut encoder)
    }
}

impl Daemon {
    fn encode_hls(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let hls = &self.hls;
        for (name, help, value) in [
            ("segments", "Segments listed", &hls.segments),
            ("hls_lagged", "Access units that were lost before they were put into a segment", &hls.lagged),
            ("segments_lost", "Segments that could not be kept in memory", &hls.lost_segments),
        ] {
            let value = ConstCounter::new(value.load(Ordering::Relaxed));
            value.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let bytes = ConstGauge::new(hls.window_bytes.load(Ordering::Relaxed));
        let help = "Bytes of segments in memory";
        bytes.encode(encoder.encode_descriptor("window_bytes", help, None, MetricType::Gauge)?)
    }

    fn encode_relays(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let on_air = self.on_air.borrow().clone();
        let running = on_air.iter().filter(|on_air| on_air.ended.is_none());
        let relays: Vec<_> = running
            .flat_map(|on_air| {
                on_air.relays.status().into_iter().map(|status| (on_air.feed.name().to_owned(), status))
            })
            .collect();
        let help = "1 while the relay's server takes the stream";
        let mut family = encoder.encode_descriptor("relay_live", help, None, MetricType::Gauge)?;
        for (feed, status) in &relays {
            let is_live = matches!(status.state, RelayState::Live { .. });
            let labels = [("feed", &**feed), ("relay", &*status.name)];
            ConstGauge::new(i64::from(is_live)).encode(family.encode_family(&labels)?)?;
        }
        for (name, help, counter) in OF_RELAYS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (feed, status) in &relays {
                let labels = [("feed", &**feed), ("relay", &*status.name)];
                ConstCounter::new(counter(status)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn encode_memory(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let bytes = ConstGauge::new(self.memory.bytes());
        let help = "Memory that streams and connections may use together, bytes";
        bytes.encode(encoder.encode_descriptor("memory_budget_bytes", help, None, MetricType::Gauge)?)?;
        let help = "Memory that streams and connections use, bytes";
        let mut family = encoder.encode_descriptor("memory_used_bytes", help, None, MetricType::Gauge)?;
        for part in Part::ALL {
            ConstGauge::new(self.memory.used(part))
                .encode(family.encode_family(&[("part", part.name())])?)?;
        }
        Ok(())
    }

    fn encode_traffic(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let traffic = &self.traffic;
        for (name, help, counter) in [
            ("http_connections", "Connections accepted", &traffic.accepted),
            ("tls_handshakes", "TLS handshakes that succeeded, of HTTPS", &traffic.handshakes),
            (
                "http_connections_refused",
                "Connections refused because all slots were taken",
                &traffic.refused,
            ),
            (
                "http_connections_sent_away",
                "Idle connections closed in favour of new ones",
                &traffic.sent_away,
            ),
            (
                "http_connections_failed",
                "Connections closed over malformed HTTP or a deadline",
                &traffic.failed,
            ),
            (
                "http_answers_cut",
                "Responses cut because slow viewers held too many segments that are no longer listed",
                &traffic.cut,
            ),
            ("http_accept_errors", "Failed accept calls", &traffic.accept_errors),
            ("http_requests", "Requests", &traffic.requests),
            ("http_sent_bytes", "Bytes of responses", &traffic.bytes_sent),
        ] {
            let value = ConstCounter::new(counter.get());
            value.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let open = ConstGauge::new(self.slots.in_use() as u64);
        let help = "Connections open now";
        open.encode(encoder.encode_descriptor("http_connections_open", help, None, MetricType::Gauge)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{EndReason, StreamId, StreamState, Timestamp, UserId, VideoMode, Visibility};
    use perch_studio::broadcast;
    use perch_studio::clock::SystemClock;
    use perch_studio::config::{Camera, EncoderKind, SourceKind};
    use perch_studio::feed::Origin;
    use perch_studio::hls::{self, HlsSettings};
    use perch_studio::relay::RelaysHandle;
    use std::time::Duration;

    fn on_air(origin: Origin) -> OnAir {
        let second = Duration::from_secs(1);
        let settings = HlsSettings { segment: second, window: second, keyframe_interval: second };
        let (_, broadcast) = broadcast::channel();
        let (hls, _) = hls::spawn(&broadcast, settings, Arc::new(SystemClock), Arc::default()).unwrap();
        OnAir {
            stream: StreamId::from_number(1),
            user: None,
            feed: FeedStatus::idle(&origin.name()),
            origin,
            asked: VideoMode { width: 0, height: 0, frames_per_second: 0, bitrate_kbps: 0 },
            visibility: Visibility::Public,
            state: StreamState::Live,
            zero: Duration::ZERO,
            hls,
            relays: RelaysHandle::default(),
            viewers: Arc::default(),
            is_pinned: false,
            fault: None,
            ended: None,
        }
    }

    #[tokio::test]
    async fn cameras_count_always_and_publishers_while_they_are_on_the_air() {
        let camera = LiveCamera::new(Camera {
            name: "front".to_owned(),
            source: SourceKind::TestPattern,
            device: None,
            command: Vec::new(),
            encoder: EncoderKind::Software,
            width: 320,
            height: 180,
            frames_per_second: 5.0,
            bitrate_kbps: 500,
            keyframe_interval_seconds: 1.0,
            tone: false,
            ..Camera::default()
        });
        let names = |all: &[OnAir]| -> Vec<String> {
            feeds(std::slice::from_ref(&camera), all).iter().map(|feed| feed.name().to_owned()).collect()
        };
        assert_eq!(names(&[]), ["front"]);
        let publisher = Origin::Ingest(UserId::from_number(7));
        let mut all = [on_air(Origin::Camera("front".into())), on_air(publisher.clone())];
        assert_eq!(names(&all), ["front".to_owned(), publisher.name()]);
        all[1].ended = Some((EndReason::User, Timestamp::from_unix_millis(0)));
        assert_eq!(names(&all), ["front"]);
    }
}
