//! `Http2`: a client that keeps one HTTP/2 connection to each upstream.
//!
//! hyper-util's knows a connection by the `:authority` of its requests, so that an upstream would see its
//! own name there, and its check of `Origin` would fail. This one puts the client's host in its place. It
//! also waits for the upstream's word that it takes extended CONNECTs (RFC 8441 section 3).

use std::{
    collections::HashMap,
    error::Error,
    io,
    pin::Pin,
    sync::{self, Arc, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{
    Request, Response, Uri,
    uri::{Authority, InvalidUriParts},
};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tower::Service;
use tower_upgrade::tunnel::OriginalHost;

use crate::{CONNECT, balance::AnyError, content::Content, log};

#[derive(Clone, Default)]
pub(crate) struct Http2 {
    links: Arc<sync::Mutex<HashMap<Authority, Arc<Mutex<Link>>>>>,
}

/// The connection to one upstream. Who waits for it waits for no other.
#[derive(Default)]
struct Link {
    sender: Option<SendRequest<Content>>,
    failed: Option<Instant>,
}

impl Http2 {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The connection to an upstream: the one that is there, or a new one.
    async fn sender(&self, upstream: Authority) -> Result<SendRequest<Content>, AnyError> {
        let began = Instant::now();
        let link = self.link(&upstream);
        let mut link = link.lock().await;
        if let Some(sender) = link.sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        // Else those who waited would fail one after the other, each in its own time.
        if link.failed.is_some_and(|failed| failed > began) {
            return Err(io::Error::other("another request just tried to connect").into());
        }
        let connected = match timeout(CONNECT, connect(&upstream)).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        match &connected {
            Ok(sender) => link.sender = Some(sender.clone()),
            Err(_) => link.failed = Some(Instant::now()),
        }
        connected
    }

    fn link(&self, upstream: &Authority) -> Arc<Mutex<Link>> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(links.entry(upstream.clone()).or_default())
    }
}

impl Service<Request<Content>> for Http2 {
    type Response = Response<Incoming>;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, AnyError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Content>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let upstream = request.uri().authority().cloned();
            let mut sender = this.sender(upstream.ok_or("no upstream")?).await?;
            restore_host(&mut request)?;
            sender.ready().await?;
            Ok(sender.send_request(request).await?)
        })
    }
}

fn restore_host(request: &mut Request<Content>) -> Result<(), InvalidUriParts> {
    let host = request.extensions_mut().remove::<OriginalHost>();
    let host = host.and_then(|host| Authority::try_from(host.get().as_bytes()).ok());
    if let Some(host) = host {
        let mut uri = request.uri().clone().into_parts();
        uri.authority = Some(host);
        *request.uri_mut() = Uri::from_parts(uri)?;
    }
    Ok(())
}

/// Connects, and waits a while for the settings.
async fn connect(upstream: &Authority) -> Result<SendRequest<Content>, AnyError> {
    let port = upstream.port_u16().unwrap_or(80);
    let tcp = TcpStream::connect((upstream.host().trim_matches(['[', ']']), port)).await?;
    tcp.set_nodelay(true)?;
    let builder = Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(tcp)).await?;
    let mut connection = Box::pin(connection);
    for _ in 0..TRIES {
        if connection.is_extended_connect_protocol_enabled() {
            break;
        }
        tokio::select! {
            ended = &mut connection => {
                let why = ended.map_or_else(AnyError::from, |()| "it hung up".into());
                return Err(no_http2(&*why).into());
            }
            () = sleep(PAUSE) => {}
        }
    }
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("a connection to an upstream ended: {error}");
        }
    });
    Ok(sender)
}

/// What comes of it where the preface of HTTP/2 is not understood.
fn no_http2(why: &(dyn Error + 'static)) -> io::Error {
    let why = log::chain(why);
    io::Error::other(format!("the upstream probably speaks no HTTP/2: {why}"))
}

/// An upstream that has not said so by then takes no extended CONNECT; ordinary requests it may.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(2);
