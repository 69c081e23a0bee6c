//! `MetricsObserver`: counts by the `metrics` facade.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, SharedString, Unit, describe_counter,
    describe_gauge, describe_histogram, with_recorder,
};

use super::{
    closing::Closing,
    observer::{Connection, Observer},
};
use crate::{head::Head, protocol::Protocol, refusal::Refusal};

/// An [`Observer`] that counts by the [`metrics`] facade.
///
/// | metric | kind | labels | |
/// |---|---|---|---|
/// | `http_upgrade_offered_total` | counter | | requests that offered to switch protocols |
/// | `http_upgrade_passed_total` | counter | | offers that were taken out of a request that passed |
/// | `http_upgrade_refused_total` | counter | `reason` | requests and acceptances that were refused |
/// | `http_upgrade_declined_total` | counter | `protocol` | offers the service was shown and did not accept |
/// | `http_upgrade_accepted_total` | counter | `protocol` | offers the service accepted |
/// | `http_upgrade_closed_total` | counter | `protocol`, `cause` | connections that ended |
/// | `http_upgrade_connections` | gauge | `protocol` | connections that were accepted and have not ended |
/// | `http_upgrade_connection_duration_seconds` | histogram | `protocol` | time from acceptance to end |
/// | `http_upgrade_connection_received_bytes` | histogram | `protocol` | bytes read from the peer, a connection |
/// | `http_upgrade_connection_sent_bytes` | histogram | `protocol` | bytes written to the peer, a connection |
///
/// `reason` is [`RefusalKind::as_str`](crate::RefusalKind::as_str), `cause` is
/// [`Cause::as_str`](super::Cause::as_str), and `protocol` is what the policy names, its name in lower
/// case: `websocket`, `echo/1.0`. No label holds what a peer sent, so there are no more series than the
/// policies have protocols, times the causes.
///
/// Not every refusal was an offer before: a route may require one. What was offered and neither
/// passed, nor was refused, declined or accepted, is still being answered.
///
/// # The recorder
///
/// Install the recorder before the layer is made: [`new`](Self::new) describes the metrics to it, and a
/// connection accepted before is counted at its end alone. For the same reason a recorder must not
/// forget a gauge that is idle. Any number of observers may count into one recorder.
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Policy, UpgradeLayer, WebSocket, observe::MetricsObserver};
///
/// let layer = UpgradeLayer::new(Policy::require(WebSocket::new())).observe(MetricsObserver::new());
/// # let _ = layer;
/// ```
pub struct MetricsObserver {
    /// By protocol, of which there are as many as the policies name.
    keys: RwLock<HashMap<Protocol, Arc<Keys>>>,
}

impl MetricsObserver {
    /// Returns an observer, and describes its metrics to the recorder.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            keys: RwLock::default(),
        }
    }

    fn keys(&self, protocol: &Protocol) -> Arc<Keys> {
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = known.get(protocol) {
            return Arc::clone(keys);
        }
        drop(known);
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Keys::new(protocol));
        Arc::clone(known.entry(protocol.clone()).or_insert_with(new))
    }
}

impl Default for MetricsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for MetricsObserver {
    fn offered(&self, _: &Head<'_>) {
        counter(&OFFERED_KEY).increment(1);
    }

    fn passed(&self, _: &Head<'_>) {
        counter(&PASSED_KEY).increment(1);
    }

    fn refused(&self, refusal: &Refusal) {
        let reason = Label::from_static_parts("reason", refusal.kind().as_str());
        counter(&Key::from_parts(REFUSED, vec![reason])).increment(1);
    }

    fn declined(&self, connection: &Connection<'_>) {
        counter(&self.keys(connection.protocol).declined).increment(1);
    }

    fn accepted(&self, connection: &Connection<'_>) {
        let keys = self.keys(connection.protocol);
        counter(&keys.accepted).increment(1);
        gauge(&keys.connections).increment(1);
    }

    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        let keys = self.keys(connection.protocol);
        counter(&keys.closed(closing)).increment(1);
        gauge(&keys.connections).decrement(1);
        histogram(&keys.duration).record(closing.duration);
        histogram(&keys.received).record(closing.received as f64);
        histogram(&keys.sent).record(closing.sent as f64);
    }
}

impl fmt::Debug for MetricsObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsObserver").finish_non_exhaustive()
    }
}

/// The metrics of one protocol.
///
/// Keys are kept and not the recorder's handles: a handle taken before there is a recorder, or one
/// whose metric the recorder has forgotten since, counts into the void.
struct Keys {
    protocol: Label,
    declined: Key,
    accepted: Key,
    connections: Key,
    duration: Key,
    received: Key,
    sent: Key,
}

impl Keys {
    fn new(protocol: &Protocol) -> Self {
        let protocol = Label::new("protocol", label(protocol));
        let key = |name| Key::from_parts(name, vec![protocol.clone()]).to_retained();
        Self {
            declined: key(DECLINED),
            accepted: key(ACCEPTED),
            connections: key(CONNECTIONS),
            duration: key(DURATION),
            received: key(RECEIVED),
            sent: key(SENT),
            protocol,
        }
    }

    fn closed(&self, closing: &Closing) -> Key {
        let cause = Label::from_static_parts("cause", closing.cause.as_str());
        Key::from_parts(CLOSED, vec![self.protocol.clone(), cause])
    }
}

/// The protocol's text, the same for all that are equal: a name has no case, a version has.
fn label(protocol: &Protocol) -> SharedString {
    let mut text = protocol.name().to_ascii_lowercase();
    if let Some(version) = protocol.version() {
        text.push('/');
        text.push_str(version);
    }
    SharedString::from_shared(text.into())
}

fn counter(key: &Key) -> Counter {
    with_recorder(|recorder| recorder.register_counter(key, &METADATA))
}

fn gauge(key: &Key) -> Gauge {
    with_recorder(|recorder| recorder.register_gauge(key, &METADATA))
}

fn histogram(key: &Key) -> Histogram {
    with_recorder(|recorder| recorder.register_histogram(key, &METADATA))
}

fn describe() {
    let count = Unit::Count;
    describe_counter!(OFFERED, count, "Requests that offered to switch protocols.");
    describe_counter!(PASSED, count, "Offers taken out of a request that passed.");
    describe_counter!(
        REFUSED,
        count,
        "Requests and acceptances that were refused."
    );
    describe_counter!(DECLINED, count, "Offers that the service did not accept.");
    describe_counter!(ACCEPTED, count, "Offers that the service accepted.");
    describe_counter!(CLOSED, count, "Upgraded connections that ended.");
    describe_gauge!(
        CONNECTIONS,
        count,
        "Upgraded connections that have not ended."
    );
    let seconds = Unit::Seconds;
    describe_histogram!(
        DURATION,
        seconds,
        "Time from acceptance to end of a connection."
    );
    let bytes = Unit::Bytes;
    describe_histogram!(RECEIVED, bytes, "Bytes read from the peer of a connection.");
    describe_histogram!(SENT, bytes, "Bytes written to the peer of a connection.");
}

const OFFERED: &str = "http_upgrade_offered_total";
const PASSED: &str = "http_upgrade_passed_total";
const REFUSED: &str = "http_upgrade_refused_total";
const DECLINED: &str = "http_upgrade_declined_total";
const ACCEPTED: &str = "http_upgrade_accepted_total";
const CLOSED: &str = "http_upgrade_closed_total";
const CONNECTIONS: &str = "http_upgrade_connections";
const DURATION: &str = "http_upgrade_connection_duration_seconds";
const RECEIVED: &str = "http_upgrade_connection_received_bytes";
const SENT: &str = "http_upgrade_connection_sent_bytes";

static OFFERED_KEY: Key = Key::from_static_name(OFFERED);
static PASSED_KEY: Key = Key::from_static_name(PASSED);

static METADATA: Metadata<'static> = Metadata::new("tower_upgrade", Level::INFO, None);

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use http::{Request, Version};
    use metrics::{Unit, with_local_recorder};
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::MetricsObserver;
    use crate::{
        head::Head,
        observe::{Cause, Clock, Closing, Connection, Observer},
        protocol::Protocol,
        refusal::{Refusal, RefusalKind},
    };

    type Metrics = BTreeMap<String, (Option<Unit>, DebugValue)>;

    /// What was counted while `observe` ran, each as `name{label=value}`.
    fn counted(observe: impl FnOnce(MetricsObserver)) -> Metrics {
        let recorder = DebuggingRecorder::new();
        with_local_recorder(&recorder, || observe(MetricsObserver::new()));
        let all = recorder.snapshotter().snapshot().into_vec();
        let named = all.into_iter().map(|(key, unit, description, value)| {
            let (_, key) = key.into_parts();
            assert!(description.is_some_and(|text| text.ends_with('.')), "{key}");
            let labels = key.labels().map(|l| format!("{}={}", l.key(), l.value()));
            let labels: Vec<_> = labels.collect();
            let name = format!("{}{{{}}}", key.name(), labels.join(","));
            (name, (unit, value))
        });
        named.collect()
    }

    #[track_caller]
    fn counts(observe: impl FnOnce(MetricsObserver), expected: &[(&str, u64)]) {
        let expected = expected.iter().map(|(name, count)| {
            let value = DebugValue::Counter(*count);
            ((*name).to_owned(), (Some(Unit::Count), value))
        });
        assert_eq!(counted(observe), expected.collect());
    }

    fn connection(protocol: &Protocol) -> Connection<'_> {
        Connection {
            id: 0,
            protocol,
            subprotocol: None,
            version: Version::HTTP_2,
        }
    }

    const fn closing(cause: Cause) -> Closing {
        Closing {
            cause,
            duration: Duration::from_millis(1500),
            received: 3,
            sent: 5,
        }
    }

    #[test]
    fn offers_are_counted_and_what_became_of_them() {
        let request = Request::new(());
        let head = Head::from(&request);
        let websocket = Protocol::websocket();
        let observe = |observer: MetricsObserver| {
            observer.offered(&head);
            observer.offered(&head);
            observer.passed(&head);
            observer.declined(&connection(&websocket));
        };
        let expected = [
            ("http_upgrade_offered_total{}", 2),
            ("http_upgrade_passed_total{}", 1),
            ("http_upgrade_declined_total{protocol=websocket}", 1),
        ];
        counts(observe, &expected);
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let observe = |observer: MetricsObserver| {
            observer.refused(&Refusal::new(RefusalKind::Origin, ""));
            observer.refused(&Refusal::new(RefusalKind::Origin, ""));
            observer.refused(&Refusal::new(RefusalKind::NotOffered, ""));
        };
        let expected = [
            ("http_upgrade_refused_total{reason=origin}", 2),
            ("http_upgrade_refused_total{reason=not-offered}", 1),
        ];
        counts(observe, &expected);
    }

    #[test]
    fn a_connection_is_counted_measured_and_let_go() {
        let echo = Protocol::new("Echo/1.0a").unwrap();
        let same = Protocol::new("eCHO/1.0a").unwrap();
        let metrics = counted(|observer| {
            observer.accepted(&connection(&echo));
            observer.accepted(&connection(&same));
            observer.handed_over(&connection(&echo));
            observer.closed(&connection(&same), &closing(Cause::PeerEnded));
        });
        let value = |name: &str| {
            let value = metrics
                .get(name)
                .unwrap_or_else(|| panic!("{name}: {metrics:?}"));
            (value.0, &value.1)
        };
        let accepted = value("http_upgrade_accepted_total{protocol=echo/1.0a}");
        assert_eq!(accepted, (Some(Unit::Count), &DebugValue::Counter(2)));
        let closed = value("http_upgrade_closed_total{protocol=echo/1.0a,cause=peer-ended}");
        assert_eq!(closed, (Some(Unit::Count), &DebugValue::Counter(1)));
        let live = value("http_upgrade_connections{protocol=echo/1.0a}");
        assert_eq!(live, (Some(Unit::Count), &DebugValue::Gauge(1.0.into())));
        let one = |value: f64| DebugValue::Histogram(vec![value.into()]);
        let duration = value("http_upgrade_connection_duration_seconds{protocol=echo/1.0a}");
        assert_eq!(duration, (Some(Unit::Seconds), &one(1.5)));
        let received = value("http_upgrade_connection_received_bytes{protocol=echo/1.0a}");
        assert_eq!(received, (Some(Unit::Bytes), &one(3.0)));
        let sent = value("http_upgrade_connection_sent_bytes{protocol=echo/1.0a}");
        assert_eq!(sent, (Some(Unit::Bytes), &one(5.0)));
        assert_eq!(metrics.len(), 6, "{metrics:?}");
    }

    #[test]
    fn the_gauge_is_balanced_however_it_ends() {
        let websocket = Protocol::websocket();
        let connection = connection(&websocket);
        let metrics = counted(|observer| {
            // Of those never handed over, some are closed by clocks and drains before.
            let early = [
                Cause::NotHandedOver,
                Cause::Expired(Clock::HandOver),
                Cause::Drained,
            ];
            for cause in early {
                observer.accepted(&connection);
                observer.closed(&connection, &closing(cause));
            }
            let late = [Cause::Dropped, Cause::Panicked, Cause::Drained];
            for cause in late {
                observer.accepted(&connection);
                observer.handed_over(&connection);
                observer.closed(&connection, &closing(cause));
            }
        });
        let live = metrics.get("http_upgrade_connections{protocol=websocket}");
        assert_eq!(live.unwrap().1, DebugValue::Gauge(0.0.into()));
        let drained = metrics.get("http_upgrade_closed_total{protocol=websocket,cause=drained}");
        assert_eq!(drained.unwrap().1, DebugValue::Counter(2));
    }

    #[test]
    fn a_recorder_that_comes_late_is_found() {
        let websocket = Protocol::websocket();
        let observer = MetricsObserver::new();
        observer.declined(&connection(&websocket));
        let recorder = DebuggingRecorder::new();
        with_local_recorder(&recorder, || observer.declined(&connection(&websocket)));
        let counted = recorder.snapshotter().snapshot().into_vec();
        assert!(
            matches!(*counted, [(.., DebugValue::Counter(1))]),
            "{counted:?}"
        );
    }
}
