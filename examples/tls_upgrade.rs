//! TLS on a connection that began without it (RFC 2817).
//!
//! ```text
//! cargo run --example tls_upgrade --features axum -- [--addr 127.0.0.1:3006]
//! ```
//!
//! `/` is for everybody; `/secret` is told in TLS alone, and a request in clear text gets 426 with `Upgrade:
//! TLS/1.2, HTTP/1.1`. A request for anything, `OPTIONS *` too, may offer `TLS/1.2`: the answer is 101, the TLS
//! handshake follows on the same connection, and then the answer to that request, inside.
//!
//! Beware: whoever stands between can take the offer or the 426 away, and everything goes on in clear text. No
//! browser does this. It is for clients of your own that give up unless they get the 101, where no second
//! port can be had; everybody else uses `https`.

use std::{
    convert::Infallible,
    error::Error,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, Uri, header, request},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_upgrade::{Head, OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded};

/// How long a client may take over a TLS handshake or the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(addr) = addr(std::env::args().skip(1)) else {
        eprintln!("usage: tls_upgrade [--addr HOST:PORT]");
        std::process::exit(2);
    };
    let tls = self_signed()?;
    let listener = TcpListener::bind(addr).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let layer = UpgradeLayer::new(policy()?).hand_over_timeout(PATIENCE);
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            // Out of descriptors, or the client is gone already: neither ends the server.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let tls = tls.clone();
        let service = layer.layer(service_fn(move |request| {
            in_the_clear(request, tls.clone())
        }));
        tokio::spawn(serve(tcp, service));
    }
}

/// What is offered in clear text: HTTP inside of TLS, and nothing else.
fn policy() -> Result<Policy, Box<dyn Error>> {
    let inside = |tls| -> Result<_, Box<dyn Error>> {
        let http = Protocol::new("HTTP/1.1")?;
        Ok(Protocol::new(tls)?.carrying(http).content_limit(64 << 10))
    };
    Ok(Policy::offer(inside("TLS/1.3")?).or(inside("TLS/1.2")?))
}

/// Left in every request that came inside of TLS, by the one who knows: the server.
#[derive(Clone)]
struct Tls;

fn app() -> Router {
    let is_tls = |head: &Head<'_>| head.extensions.get::<Tls>().is_some();
    let confidential = UpgradeLayer::new(Policy::forbid().require_tls(is_tls));
    Router::new()
        .route("/", get("for everybody\n"))
        .route(
            "/secret",
            get("for you alone\n").post(told).layer(confidential),
        )
        .fallback(otherwise)
}

async fn told(content: Bytes) -> String {
    format!("you said {} bytes\n", content.len())
}

/// `OPTIONS *` asks for no resource, but what the server can do (RFC 9110 9.3.7).
async fn otherwise(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS && uri.path() == "*" {
        return [(header::ALLOW, "GET, HEAD, POST, OPTIONS")].into_response();
    }
    StatusCode::NOT_FOUND.into_response()
}

/// Answers in clear text, or says 101 and answers inside of TLS.
async fn in_the_clear(
    mut request: Request<Incoming>,
    tls: TlsAcceptor,
) -> Result<Response, Infallible> {
    let Some(on_upgrade) = OnUpgrade::take(&mut request) else {
        return app().oneshot(request.map(Body::new)).await;
    };
    let (head, body) = request.into_parts();
    // All of it, for what is left would be taken for the first bytes of TLS.
    let Ok(content) = on_upgrade.content(body).collect().await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let first = written(&head, &content.to_bytes());
    Ok(on_upgrade.accept(move |io| answer_inside(io, tls, first)))
}

/// Serves HTTP inside of TLS, of which the first request was sent in clear text.
async fn answer_inside(io: Upgraded, tls: TlsAcceptor, first: Bytes) {
    let Ok(parts) = io.downcast::<TcpStream>() else {
        return;
    };
    if !parts.read_buf.is_empty() {
        // Whoever sends on without having seen the 101 speaks no TLS.
        return;
    }
    if let Ok(Ok(io)) = timeout(PATIENCE, tls.accept(parts.io)).await {
        let io = Ahead { first, io };
        let app = app().layer(axum::Extension(Tls));
        serve(
            io,
            app.map_request(|request: Request<Incoming>| request.map(Body::new)),
        )
        .await;
    }
    drop(parts.lease);
}

async fn serve<I, S, B>(io: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    let service = TowerToHyperService::new(service);
    let connection = server.serve_connection(TokioIo::new(io), service);
    let _ = connection.with_upgrades().await;
}

/// A request as it would have come inside of TLS, without the offer that it made.
fn written(head: &request::Parts, content: &[u8]) -> Bytes {
    let target = head.uri.path_and_query().map_or("*", |path| path.as_str());
    let mut text = format!("{} {target} HTTP/1.1\r\n", head.method).into_bytes();
    for (name, value) in end_to_end(&head.headers) {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    }
    if !content.is_empty() {
        text.extend_from_slice(format!("content-length: {}\r\n", content.len()).as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(content);
    text.into()
}

fn end_to_end(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    const HOP: [header::HeaderName; 5] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let fields = headers.iter().filter(|(name, _)| !HOP.contains(name));
    fields.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// I/O with something to read ahead of what comes.
struct Ahead<I> {
    first: Bytes,
    io: I,
}

impl<I: AsyncRead + Unpin> AsyncRead for Ahead<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let length = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Ahead<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

fn self_signed() -> Result<TlsAcceptor, Box<dyn Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn addr(mut arguments: impl Iterator<Item = String>) -> Option<String> {
    match arguments.next() {
        None => Some("127.0.0.1:3006".into()),
        Some(flag) if flag == "--addr" => arguments.next(),
        Some(_) => None,
    }
}
