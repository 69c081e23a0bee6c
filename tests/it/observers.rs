//! What `TracingObserver` and `MetricsObserver` tell of connections that go through the layer.
//!
//! Both look at what is set for the thread, so a test's server and client share one.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::io::DuplexStream;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_upgrade::{
    Pending, Policy, Protocol, ResponseBody, UpgradeLayer, WebSocket,
    observe::{Closing, Connection, MetricsObserver, Observer, TracingObserver},
    testing::TestOffer,
};
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

use crate::{
    echo::{Echo, PLAIN},
    wire::{Client, patiently},
};

type Body = Full<Bytes>;

/// Lets a test wait for the end of a connection, which the client cannot see.
#[derive(Clone, Default)]
struct Ends(Arc<tokio::sync::Notify>);

impl Observer for Ends {
    fn closed(&self, _: &Connection<'_>, _: &Closing) {
        self.0.notify_one();
    }
}

impl Ends {
    async fn next(&self) {
        patiently("a connection to be closed", self.0.notified()).await;
    }
}

fn layer(observer: impl Observer) -> (UpgradeLayer, Ends) {
    let ends = Ends::default();
    // The last in turn: when it was told, so was the other.
    let layer = UpgradeLayer::new(policy())
        .observe(observer)
        .observe(ends.clone());
    (layer, ends)
}

fn policy() -> Policy {
    let websocket = WebSocket::new().subprotocols(["chat"]);
    Policy::offer(websocket).or(Protocol::new("Echo/1.0").unwrap())
}

/// Offers, exchanges `ping`, and leaves.
async fn visit<S>(service: S, offer: TestOffer, ends: &Ends)
where
    S: Service<Request<Body>, Response = Response<ResponseBody<Body>>, Error = Infallible>,
{
    let Ok(answer) = offer.send(service).await;
    let mut client = Client::over(answer.into_client());
    client.send("ping").await;
    client.expect("ping").await;
    drop(client);
    ends.next().await;
}

/// What a recorder was told, each as `name{label=value}`.
fn told(snapshotter: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    let named = all.map(|(key, _, _, value)| {
        let (_, key) = key.into_parts();
        let labels = key.labels().map(|l| format!("{}={}", l.key(), l.value()));
        let labels: Vec<_> = labels.collect();
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    });
    named.collect()
}

#[tokio::test]
async fn metrics_add_up_over_visits() {
    // Every connection is counted in, measured, and counted out.
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let (layer, ends) = layer(MetricsObserver::new());
    let websocket = TestOffer::websocket("/chat").subprotocols(["chat"]);
    let other = TestOffer::new("/echo", "echo/1.0");
    for offer in [websocket.clone(), websocket, other] {
        visit(layer.layer(Echo::default()), offer, &ends).await;
    }
    let told = told(&recorder.snapshotter());
    let counter = |name: &str| match told.get(name) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name}: {other:?} in {told:?}"),
    };
    assert_eq!(counter("http_upgrade_offered_total{}"), 3);
    assert_eq!(
        counter("http_upgrade_accepted_total{protocol=websocket}"),
        2
    );
    assert_eq!(counter("http_upgrade_accepted_total{protocol=echo/1.0}"), 1);
    let closed = "http_upgrade_closed_total{protocol=websocket,cause=peer-ended}";
    assert_eq!(counter(closed), 2);
    let live = told.get("http_upgrade_connections{protocol=websocket}");
    assert_eq!(live, Some(&DebugValue::Gauge(0.0.into())));
    let four = DebugValue::Histogram(vec![4.0.into(); 2]);
    for name in ["received", "sent"] {
        let name = format!("http_upgrade_connection_{name}_bytes{{protocol=websocket}}");
        assert_eq!(told.get(&name), Some(&four), "{name}");
    }
}

#[tokio::test]
async fn metrics_tell_of_offers_that_come_to_nothing() {
    // An offer that is refused, one that passes and one that is declined: each is counted as that.
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let (layer, _) = layer(MetricsObserver::new());
    let plain = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::from("plain")))
    });
    let refused = TestOffer::websocket("/").insert_header("sec-websocket-key", "short");
    let passed = TestOffer::new("/", "other");
    let declined = TestOffer::websocket("/");
    for (offer, status) in [(refused, 400), (passed, 200), (declined, 200)] {
        let Ok(answer) = offer.send(layer.layer(plain)).await;
        assert_eq!(answer.client.unwrap_err().status(), status);
    }
    let told = told(&recorder.snapshotter());
    let expected = [
        ("http_upgrade_declined_total{protocol=websocket}", 1),
        ("http_upgrade_offered_total{}", 3),
        ("http_upgrade_passed_total{}", 1),
        ("http_upgrade_refused_total{reason=websocket-key}", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), DebugValue::Counter(count)));
    assert_eq!(told, BTreeMap::from(expected));
}

#[tokio::test]
async fn requests_without_an_offer_are_not_told() {
    // They pay for nothing, and are not counted.
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let (layer, _) = layer(MetricsObserver::new());
    let plain = TestOffer::from(Request::new(Body::default()));
    let Ok(answer) = plain.send(layer.layer(Echo::default())).await;
    let content = answer.response.into_body().collect().await.unwrap();
    assert_eq!(content.to_bytes(), PLAIN);
    assert_eq!(told(&recorder.snapshotter()), BTreeMap::new());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines that spans and events of the layer left, without what differs from run to run.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let ours = text.lines().filter(|line| line.contains("tower_upgrade: "));
        let fields = |line: &str| {
            let words = line.split_whitespace();
            let words = words.filter(|word| {
                !word.contains("upgrade.duration=") && !word.contains("upgrade.connection.id=")
            });
            words.collect::<Vec<_>>().join(" ")
        };
        ours.map(fields).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes what this thread traces into a log.
fn trace() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_connection_has_a_span_that_ends_with_it() {
    // From the offer in the request's span to the end of a span of the connection's own.
    let (log, _guard) = trace();
    let (layer, ends) = layer(TracingObserver::new());
    let mut service = layer.layer(Echo::default());
    let in_span = service_fn(move |request: Request<Body>| {
        let answer = service.call(request);
        tracing::Instrument::instrument(answer, tracing::info_span!("request"))
    });
    let offer = TestOffer::websocket("/chat?secret").subprotocols(["chat"]);
    visit(in_span, offer, &ends).await;
    let offered = r#"DEBUG tower_upgrade: upgrade offered http.request.method="GET" url.path="/chat" network.protocol.name="http" network.protocol.version="1.1""#;
    let accepted =
        r#"DEBUG request: tower_upgrade: upgrade accepted network.protocol.name="websocket""#;
    let span = r#"upgraded{otel.name="websocket" otel.kind="server" network.protocol.name="websocket" upgrade.subprotocol="chat" upgrade.http.version="1.1""#;
    let end = r#"upgrade.close.cause="peer-ended" upgrade.received=4 upgrade.sent=4}"#;
    let expected = [
        offered.to_owned(),
        accepted.to_owned(),
        format!("INFO {span}}}: tower_upgrade: new"),
        format!("DEBUG {span}}}: tower_upgrade: connection handed over"),
        format!("INFO {span} {end}: tower_upgrade: connection closed"),
        format!("INFO {span} {end}: tower_upgrade: close"),
    ];
    assert_eq!(log.lines(), expected);
}

#[tokio::test]
async fn a_connection_that_never_comes_leaves_no_span() {
    // The server loses it after the 101: its span ends all the same, and says why.
    let (log, _guard) = trace();
    let observer = Arc::new(TracingObserver::new());
    let (layer, ends) = layer(Arc::clone(&observer));
    let request = Request::get("/")
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
        .extension(Pending::new(async { Err::<DuplexStream, _>("lost") }))
        .body(());
    let response = layer
        .layer(Echo::default())
        .oneshot(request.unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    ends.next().await;
    let last = log.lines().pop().unwrap_or_default();
    let end = r#"error.type="not-handed-over" otel.status_code="ERROR"}: tower_upgrade: close"#;
    assert!(last.ends_with(end), "{last}");
    assert_eq!(format!("{observer:?}"), "TracingObserver { live: 0 }");
}
