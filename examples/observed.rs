//! What can be seen of upgrades: a span for each connection in the terminal, and metrics for Prometheus
//! on a port of their own.
//!
//! ```text
//! cargo run --example observed --features axum,metrics,tracing -- [--addr 127.0.0.1:3004] [--metrics 127.0.0.1:9004]
//! curl http://127.0.0.1:9004/metrics    # empty before the first offer
//! ```
//!
//! The page at `/` opens a WebSocket to `/ws`, which echoes. `RUST_LOG` says what is shown.

use std::{env, error::Error, io, process::ExitCode, time::Duration};

use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::{Html, Response},
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, time::interval};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tower_upgrade::{
    OnUpgrade, Policy, UpgradeLayer, Upgraded, WebSocket,
    observe::{MetricsObserver, TracingObserver},
};
use tracing::Level;
use tracing_subscriber::EnvFilter;

const USAGE: &str = "usage: observed [--addr HOST:PORT] [--metrics HOST:PORT]";

/// Bounds of the histograms: of lives in seconds, and of bytes each way.
const SECONDS: [f64; 6] = [0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];
const BYTES: [f64; 5] = [64.0, 1024.0, 16384.0, 262_144.0, 4_194_304.0];

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = Options::parse(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,tower_upgrade=debug"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    // Before the layer is made: an observer describes its metrics to the recorder that is there.
    let prometheus = prometheus()?;

    let listener = TcpListener::bind(&options.addr).await?;
    let metrics_listener = TcpListener::bind(&options.metrics).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!(
        "metrics on http://{}/metrics",
        metrics_listener.local_addr()?
    );
    tokio::try_join!(async { axum::serve(listener, app()).await }, async {
        axum::serve(metrics_listener, metrics(prometheus)).await
    },)?;
    Ok(ExitCode::SUCCESS)
}

fn app() -> Router {
    let upgrade = UpgradeLayer::new(Policy::require(WebSocket::new()))
        .idle_timeout(Duration::from_secs(60))
        .observe(TracingObserver::new())
        .observe(MetricsObserver::new());
    // A span for each request, in which the handler runs. Connections follow from it.
    let requests =
        TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().level(Level::INFO));
    Router::new()
        .route("/ws", any(accept).layer(upgrade))
        .route("/", get(Html(include_str!("observed.html"))))
        .layer(requests)
}

async fn accept(upgrade: OnUpgrade) -> Response {
    upgrade.accept(echo)
}

async fn echo(io: Upgraded) {
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Installs the recorder that all metrics of this process go to.
fn prometheus() -> Result<PrometheusHandle, BuildError> {
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES)?
        .install_recorder()?;
    tokio::spawn({
        let prometheus = prometheus.clone();
        async move {
            // Else what histograms are told piles up until somebody asks for it.
            let mut tick = interval(Duration::from_secs(5));
            loop {
                tick.tick().await;
                prometheus.run_upkeep();
            }
        }
    });
    Ok(prometheus)
}

/// Serves the metrics, on a port that need not be open to the world.
fn metrics(prometheus: PrometheusHandle) -> Router {
    let render = move || async move {
        let text = "text/plain; version=0.0.4; charset=utf-8";
        ([(CONTENT_TYPE, text)], prometheus.render())
    };
    Router::new().route("/metrics", get(render))
}

struct Options {
    addr: String,
    metrics: String,
}

impl Options {
    /// `None` if an argument is unknown, or has no value.
    fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            addr: "127.0.0.1:3004".into(),
            metrics: "127.0.0.1:9004".into(),
        };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--addr" => options.addr = args.next()?,
                "--metrics" => options.metrics = args.next()?,
                _ => return None,
            }
        }
        Some(options)
    }
}
