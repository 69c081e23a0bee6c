//! `TracingObserver`: a span a connection, and an event for whatever becomes of an offer.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{Method, Version};
use tracing::{Span, debug, error, field, info, info_span};

use super::{
    closing::{Cause, Clock, Closing},
    observer::{Connection, Observer},
};
use crate::{head::Head, protocol::Protocol, refusal::Refusal};

/// An [`Observer`] for [`tracing`]: a span for each upgraded connection, and events.
///
/// # Spans
///
/// The span `upgraded`, at level `INFO`, lives as long as the connection. It is no child of the
/// request's span, but [follows from](Span::follows_from) the span that was current when the service's
/// answer was seen. (A handler given to [`OnUpgrade::accept`](crate::OnUpgrade::accept) runs in that
/// span, which is closed when the handler ends.)
/// Its fields, by the [semantic conventions] of OpenTelemetry where those have a name:
///
/// | field | |
/// |---|---|
/// | `otel.name`, `otel.kind` | the protocol as `websocket` or `echo/1.0`; `server` |
/// | `network.protocol.name`, `network.protocol.version` | the protocol that was selected; its version if it has one |
/// | `upgrade.connection.id` | [`Connection::id`] |
/// | `upgrade.subprotocol` | that of a WebSocket, if there is one |
/// | `upgrade.http.version` | `1.1`, `2` or `3`: what the request came in |
/// | `upgrade.close.cause` | [`Cause::as_str`], from here on when it is closed |
/// | `upgrade.duration` | seconds since it was accepted |
/// | `upgrade.received`, `upgrade.sent` | bytes read from the peer and written to it |
/// | `error.type`, `otel.status_code` | if it failed: the kind of the I/O error or the cause; `ERROR` |
///
/// # Events
///
/// | event | level | span | fields |
/// |---|---|---|---|
/// | `upgrade offered` | `DEBUG` | the request's | `http.request.method`, `url.path`, `network.protocol.name`, `network.protocol.version` |
/// | `upgrade passed` | `DEBUG` | the request's | the same |
/// | `upgrade refused` | `INFO`, or `ERROR` if the service is at fault | the request's | `http.response.status_code`, `error.type` (the [`RefusalKind`](crate::RefusalKind)), `upgrade.refusal.hint` |
/// | `upgrade declined` | `DEBUG` | the request's | `upgrade.connection.id`, `network.protocol.name`, `network.protocol.version` |
/// | `upgrade accepted` | `DEBUG` | the request's | the same |
/// | `connection handed over` | `DEBUG` | the connection's | |
/// | `connection closed` | `INFO`, or `ERROR` if the handler panicked | the connection's | |
///
/// The request's span is whatever is current, such as that of tower-http's `TraceLayer` around the
/// layer. On `offered` and `passed` the protocol is `http`. The target of all is `tower_upgrade`, so the
/// filter `tower_upgrade=debug` shows everything.
///
/// # Bounds
///
/// Of what a peer sends, the path alone is repeated, its first 256 bytes. A method that no RFC
/// knows is `_OTHER`. Where the span is not enabled nothing is kept for its connection.
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Policy, UpgradeLayer, WebSocket, observe::TracingObserver};
///
/// let layer = UpgradeLayer::new(Policy::require(WebSocket::new())).observe(TracingObserver::new());
/// # let _ = layer;
/// ```
///
/// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/
#[derive(Default)]
pub struct TracingObserver {
    /// The spans of the connections that are accepted and not yet closed, by [`Connection::id`].
    live: Mutex<HashMap<u64, Span>>,
}

impl TracingObserver {
    /// Returns an observer that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn live(&self) -> MutexGuard<'_, HashMap<u64, Span>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No event is sent with the lock held: a subscriber is foreign code, and may be slow.
impl Observer for TracingObserver {
    fn offered(&self, head: &Head<'_>) {
        debug!(
            target: TARGET,
            {
                http.request.method = method(head.method),
                url.path = start(head.uri.path()),
                network.protocol.name = "http",
                network.protocol.version = http_version(head.version),
            },
            "upgrade offered"
        );
    }

    fn passed(&self, head: &Head<'_>) {
        debug!(
            target: TARGET,
            {
                http.request.method = method(head.method),
                url.path = start(head.uri.path()),
                network.protocol.name = "http",
                network.protocol.version = http_version(head.version),
            },
            "upgrade passed"
        );
    }

    fn refused(&self, refusal: &Refusal) {
        let (status, kind) = (refusal.status().as_u16(), refusal.kind());
        if kind.is_service_fault() {
            error!(
                target: TARGET,
                {
                    http.response.status_code = status,
                    "error.type" = kind.as_str(),
                    upgrade.refusal.hint = refusal.hint(),
                },
                "upgrade refused"
            );
        } else {
            info!(
                target: TARGET,
                {
                    http.response.status_code = status,
                    "error.type" = kind.as_str(),
                    upgrade.refusal.hint = refusal.hint(),
                },
                "upgrade refused"
            );
        }
    }

    fn declined(&self, connection: &Connection<'_>) {
        debug!(
            target: TARGET,
            {
                upgrade.connection.id = connection.id,
                network.protocol.name = lower_name(connection.protocol),
                network.protocol.version = connection.protocol.version(),
            },
            "upgrade declined"
        );
    }

    fn accepted(&self, connection: &Connection<'_>) {
        debug!(
            target: TARGET,
            {
                upgrade.connection.id = connection.id,
                network.protocol.name = lower_name(connection.protocol),
                network.protocol.version = connection.protocol.version(),
            },
            "upgrade accepted"
        );
        let span = open(connection);
        if !span.is_disabled() {
            span.follows_from(Span::current());
            self.live().insert(connection.id, span);
        }
    }

    fn handed_over(&self, connection: &Connection<'_>) {
        let span = self.live().get(&connection.id).cloned();
        if let Some(span) = span {
            debug!(target: TARGET, parent: &span, "connection handed over");
        }
    }

    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        let span = self.live().remove(&connection.id);
        if let Some(span) = span {
            close(&span, closing);
        }
    }
}

impl fmt::Debug for TracingObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingObserver")
            .field("live", &self.live().len())
            .finish()
    }
}

fn open(connection: &Connection<'_>) -> Span {
    info_span!(
        target: TARGET,
        parent: None,
        "upgraded",
        otel.name = connection.protocol.as_str(),
        otel.kind = "server",
        otel.status_code = field::Empty,
        network.protocol.name = lower_name(connection.protocol),
        network.protocol.version = connection.protocol.version(),
        upgrade.connection.id = connection.id,
        upgrade.subprotocol = connection.subprotocol,
        upgrade.http.version = http_version(connection.version),
        upgrade.close.cause = field::Empty,
        upgrade.duration = field::Empty,
        upgrade.received = field::Empty,
        upgrade.sent = field::Empty,
        "error.type" = field::Empty,
    )
}

/// Writes how it ended into the span, where exporters look for it, and says so by an event there.
fn close(span: &Span, closing: &Closing) {
    let cause = closing.cause;
    span.record("upgrade.close.cause", cause.as_str());
    span.record("upgrade.duration", closing.duration.as_secs_f64());
    span.record("upgrade.received", closing.received);
    span.record("upgrade.sent", closing.sent);
    match cause {
        Cause::Failed(kind) => span.record("error.type", field::debug(kind)),
        Cause::Panicked | Cause::NotHandedOver | Cause::Expired(Clock::HandOver) => {
            span.record("error.type", cause.as_str())
        }
        Cause::Dropped | Cause::PeerEnded | Cause::Drained | Cause::Expired(_) => {
            info!(target: TARGET, parent: span, "connection closed");
            return;
        }
    };
    span.record("otel.status_code", "ERROR");
    if cause == Cause::Panicked {
        error!(target: TARGET, parent: span, "connection closed");
    } else {
        info!(target: TARGET, parent: span, "connection closed");
    }
}

/// The method, if it is one of RFC 9110 or RFC 5789.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::PATCH => "PATCH",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

fn http_version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

fn lower_name(protocol: &Protocol) -> String {
    protocol.name().to_ascii_lowercase()
}

/// As much of a path as is repeated.
fn start(path: &str) -> &str {
    let whole = |end: &usize| path.is_char_boundary(*end);
    let end = (0..=MAX_PATH.min(path.len())).rev().find(whole);
    end.and_then(|end| path.get(..end)).unwrap_or_default()
}

/// How much of a path is repeated, in bytes.
const MAX_PATH: usize = 256;

/// Not the path of this module, which may change.
const TARGET: &str = "tower_upgrade";

#[cfg(test)]
mod tests {
    use std::{
        io::{self, ErrorKind, Write},
        sync::{Arc, Mutex},
        time::Duration,
    };

    use http::{Request, StatusCode, Version};
    use tracing::{
        Level, Subscriber,
        span::{self, Id},
        subscriber::with_default,
    };
    use tracing_subscriber::{
        Layer,
        fmt::{MakeWriter, format::FmtSpan},
        layer::{Context, SubscriberExt},
        registry::LookupSpan,
    };

    use super::{MAX_PATH, TracingObserver, start};
    use crate::{
        head::Head,
        observe::{Cause, Clock, Closing, Connection, Observer},
        protocol::Protocol,
        refusal::{Refusal, RefusalKind},
    };

    /// The lines of a log, and which span followed from which.
    #[derive(Clone, Default)]
    struct Log {
        text: Arc<Mutex<Vec<u8>>>,
        follows: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    }

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.lock().unwrap().write(bytes)
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

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
        fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &Id, _: Context<'_, S>) {
            let is_ours = attributes.metadata().name() == "upgraded";
            assert_eq!(attributes.is_root(), is_ours, "{attributes:?}");
        }

        fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
            let name = |id| context.span(id).unwrap().name();
            let mut all = self.follows.lock().unwrap();
            all.push((name(span), name(follows)));
        }
    }

    /// What is logged at this level while `observe` runs in a span named `request`.
    fn log(level: Level, observe: impl FnOnce()) -> (Vec<String>, Log) {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone())
            .finish()
            .with(log.clone());
        with_default(subscriber, || {
            tracing::trace_span!("request").in_scope(observe);
        });
        let text = String::from_utf8(log.text.lock().unwrap().clone()).unwrap();
        (
            text.lines().map(|line| line.trim().to_owned()).collect(),
            log,
        )
    }

    #[track_caller]
    fn logs(level: Level, observe: impl FnOnce(), expected: &[&str]) {
        assert_eq!(log(level, observe).0, expected);
    }

    fn connection(protocol: &Protocol, id: u64) -> Connection<'_> {
        Connection {
            id,
            protocol,
            subprotocol: None,
            version: Version::HTTP_11,
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
    fn a_span_a_connection() {
        let websocket = Protocol::new("WebSocket").unwrap();
        let connection = Connection {
            subprotocol: Some("chat"),
            ..connection(&websocket, 7)
        };
        let observer = TracingObserver::new();
        let (lines, log) = log(Level::DEBUG, || {
            observer.accepted(&connection);
            observer.handed_over(&connection);
            observer.closed(&connection, &closing(Cause::PeerEnded));
        });
        let span = r#"upgraded{otel.name="WebSocket" otel.kind="server" network.protocol.name="websocket" upgrade.connection.id=7 upgrade.subprotocol="chat" upgrade.http.version="1.1""#;
        let end = r#"upgrade.close.cause="peer-ended" upgrade.duration=1.5 upgrade.received=3 upgrade.sent=5}"#;
        let expected = [
            r#"DEBUG tower_upgrade: upgrade accepted upgrade.connection.id=7 network.protocol.name="websocket""#.to_owned(),
            format!("INFO {span}}}: tower_upgrade: new"),
            format!("DEBUG {span}}}: tower_upgrade: connection handed over"),
            format!("INFO {span} {end}: tower_upgrade: connection closed"),
            format!("INFO {span} {end}: tower_upgrade: close"),
        ];
        assert_eq!(lines, expected);
        assert!(
            log.follows.lock().unwrap().is_empty(),
            "of no span that is off"
        );
    }

    #[test]
    fn it_follows_from_the_request() {
        let echo = Protocol::new("echo/1.0").unwrap();
        let connection = connection(&echo, 1);
        let observer = TracingObserver::new();
        let (lines, log) = log(Level::TRACE, || observer.accepted(&connection));
        assert_eq!(*log.follows.lock().unwrap(), [("upgraded", "request")]);
        let new = lines.get(2).unwrap();
        assert!(new.contains(r#"otel.name="echo/1.0""#), "{new}");
        assert!(new.contains(r#"network.protocol.version="1.0""#), "{new}");
        assert_eq!(
            lines.last().unwrap(),
            "TRACE request: tower_upgrade::observe::tracing::tests: close"
        );
        assert_eq!(observer.live().len(), 1, "it is open yet");
    }

    #[test]
    fn what_fails_says_so() {
        fn ends(cause: Cause, level: &str, error: Option<&str>) {
            let echo = Protocol::new("echo").unwrap();
            let observer = TracingObserver::new();
            let (lines, _) = log(Level::INFO, || {
                observer.accepted(&connection(&echo, 1));
                observer.closed(&connection(&echo, 1), &closing(cause));
            });
            let line = lines.get(1).unwrap();
            assert!(line.starts_with(level), "{line}");
            let error =
                error.map(|error| format!(r#" error.type={error} otel.status_code="ERROR"}}"#));
            let end = error.as_deref().unwrap_or(" upgrade.sent=5}");
            assert!(
                line.contains(&format!("{end}: tower_upgrade: connection closed")),
                "{line}"
            );
        }
        ends(Cause::Dropped, "INFO", None);
        ends(Cause::PeerEnded, "INFO", None);
        ends(Cause::Drained, "INFO", None);
        ends(Cause::Expired(Clock::Idle), "INFO", None);
        ends(Cause::Expired(Clock::Lifetime), "INFO", None);
        ends(
            Cause::Failed(ErrorKind::BrokenPipe),
            "INFO",
            Some("BrokenPipe"),
        );
        ends(Cause::NotHandedOver, "INFO", Some(r#""not-handed-over""#));
        ends(
            Cause::Expired(Clock::HandOver),
            "INFO",
            Some(r#""hand-over-timeout""#),
        );
        ends(Cause::Panicked, "ERROR", Some(r#""panicked""#));
    }

    #[test]
    fn offers_are_events_of_the_request() {
        let request = Request::connect("http://a/chat?token=1").version(Version::HTTP_2);
        let request = request.body(()).unwrap();
        let head = Head::from(&request);
        let observer = TracingObserver::new();
        let fields = r#"http.request.method="CONNECT" url.path="/chat" network.protocol.name="http" network.protocol.version="2""#;
        let expected = [
            &format!("DEBUG tower_upgrade: upgrade offered {fields}"),
            &format!("DEBUG tower_upgrade: upgrade passed {fields}"),
            r#"DEBUG tower_upgrade: upgrade declined upgrade.connection.id=9 network.protocol.name="websocket""#,
        ];
        let websocket = Protocol::websocket();
        let observe = || {
            observer.offered(&head);
            observer.passed(&head);
            observer.declined(&connection(&websocket, 9));
        };
        logs(Level::DEBUG, observe, &expected);
        logs(Level::INFO, observe, &[]);
    }

    #[test]
    fn refusals_are_the_clients_fault_or_the_services() {
        let observer = TracingObserver::new();
        let origin = Refusal::new(RefusalKind::Origin, "not from there");
        let origin_event = r#"INFO tower_upgrade: upgrade refused http.response.status_code=403 error.type="origin" upgrade.refusal.hint="not from there""#;
        logs(Level::INFO, || observer.refused(&origin), &[origin_event]);
        let bug = Refusal::new(RefusalKind::UnexpectedSwitch, "a bug")
            .with_status(StatusCode::BAD_GATEWAY);
        let bug_event = r#"ERROR tower_upgrade: upgrade refused http.response.status_code=502 error.type="unexpected-switch" upgrade.refusal.hint="a bug""#;
        logs(Level::ERROR, || observer.refused(&bug), &[bug_event]);
    }

    #[test]
    fn what_is_kept_ends_with_the_connection() {
        let echo = Protocol::new("echo").unwrap();
        let observer = TracingObserver::new();
        log(Level::INFO, || {
            for id in 0..100 {
                observer.accepted(&connection(&echo, id));
            }
            assert_eq!(format!("{observer:?}"), "TracingObserver { live: 100 }");
            for id in (0..100).rev() {
                observer.closed(&connection(&echo, id), &closing(Cause::NotHandedOver));
            }
            assert_eq!(observer.live().len(), 0);
        });
    }

    #[test]
    fn where_the_span_is_off_nothing_is_kept() {
        let echo = Protocol::new("echo").unwrap();
        let observer = TracingObserver::new();
        let observe = || {
            observer.accepted(&connection(&echo, 1));
            assert_eq!(observer.live().len(), 0);
            observer.handed_over(&connection(&echo, 1));
            observer.closed(&connection(&echo, 1), &closing(Cause::Panicked));
        };
        logs(Level::WARN, observe, &[]);
        observe();
    }

    #[test]
    fn what_a_peer_writes_is_bounded() {
        assert_eq!(start("/chat"), "/chat");
        assert_eq!(start(&"/".repeat(MAX_PATH + 1)), "/".repeat(MAX_PATH));
        let two_bytes = format!("/{}", "\u{e9}".repeat(MAX_PATH));
        assert_eq!(start(&two_bytes).len(), MAX_PATH - 1);
        let request = Request::builder().method("BREW").body(()).unwrap();
        assert_eq!(super::method(request.method()), "_OTHER");
    }
}
