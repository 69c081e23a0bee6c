//! A client over TLS, which speaks HTTP/2 or HTTP/1.1 as it likes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{client::conn::http2, ext::Protocol, upgrade};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

use crate::process::within;
use crate::proxy::Proxy;

/// Connects, and agrees on one protocol by ALPN.
pub(super) async fn tls(proxy: &Proxy, alpn: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(proxy.certificate()).expect("a certificate");
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let tcp = TcpStream::connect(proxy.address())
        .await
        .expect("it accepts");
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let stream = within(30, "TLS", connecting).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
    stream
}

/// A connection of HTTP/2.
pub(super) struct Client {
    sender: http2::SendRequest<Empty<Bytes>>,
    connection: Arc<Mutex<Connection>>,
    authority: String,
}

type Connection = http2::Connection<TokioIo<TlsStream<TcpStream>>, Empty<Bytes>, TokioExecutor>;

/// The client's end of a stream that a CONNECT opened.
pub(super) type Stream = TokioIo<upgrade::Upgraded>;

impl Client {
    pub(super) async fn connect(proxy: &Proxy) -> Self {
        let io = TokioIo::new(tls(proxy, b"h2").await);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = within(30, "HTTP/2", handshake).await.expect("HTTP/2");
        let connection = Arc::new(Mutex::new(connection));
        // It is shared, for only the connection itself knows the settings.
        let polled = connection.clone();
        tokio::spawn(poll_fn(move |context| {
            let mut polled = polled.lock().expect("nobody panics with it");
            Pin::new(&mut *polled).poll(context).map(drop)
        }));
        Self {
            sender,
            connection,
            authority: format!("localhost:{}", proxy.port()),
        }
    }

    /// Sends a GET, and returns what came of it.
    pub(super) async fn get(&self, path: &str) -> hyper::Result<Response<String>> {
        let request = self.request(Method::GET, path);
        let request = request.body(Empty::new()).expect("a request");
        let response = within(30, "an answer", self.sender.clone().send_request(request)).await?;
        let (head, body) = response.into_parts();
        let content = within(30, "content", body.collect()).await?.to_bytes();
        let content = String::from_utf8_lossy(&content).into_owned();
        Ok(Response::from_parts(head, content))
    }

    /// Waits for an answer, before which the proxy's settings come, and tells whether they allow an
    /// extended CONNECT.
    pub(super) async fn may_connect(&self) -> bool {
        let answer = self.get("/").await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let connection = self.connection.lock().expect("nobody panics with it");
        connection.is_extended_connect_protocol_enabled()
    }

    /// Sends an extended CONNECT, and returns the status with the stream if it opened one.
    pub(super) async fn open(
        &self,
        protocol: &'static str,
        path: &str,
    ) -> (StatusCode, Option<Stream>) {
        assert!(self.may_connect().await, "the settings forbid it");
        let mut request = self.request(Method::CONNECT, path);
        if protocol.eq_ignore_ascii_case("websocket") {
            request = request.header("sec-websocket-version", "13");
        }
        let request = request.extension(Protocol::from_static(protocol));
        let request = request.body(Empty::new()).expect("a request");
        let answer = within(30, "an answer", self.sender.clone().send_request(request)).await;
        let mut answer = answer.expect("an answer");
        let status = answer.status();
        if status != StatusCode::OK {
            return (status, None);
        }
        let io = within(30, "the stream", upgrade::on(&mut answer)).await;
        (status, Some(TokioIo::new(io.expect("a stream"))))
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("https://{}{path}", self.authority);
        Request::builder().method(method).uri(uri)
    }
}
