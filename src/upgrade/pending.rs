//! `Pending`: how any server hands a connection to the layer (rule 23), or to a service (rule 5).

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    error::{Kind, UpgradeError},
    io::{AnyIo, Io, Source},
};

/// A connection to come, left in a request's extensions by a server that is not hyper, or by a test.
///
/// It belongs on requests that can make an offer, those with an `Upgrade` field and extended CONNECTs;
/// the layer takes it out of them, and does not look for it on others. Where hyper left its own
/// handle, that one counts. It is awaited only after the service
/// accepted and the 101 (200 on HTTP/2 and 3) was returned; where that does not happen, it is dropped.
///
/// It belongs on a plain CONNECT too, which is no offer and passes: the service that answers it 2xx, a
/// forward proxy, takes this out of the extensions and [awaits it](#impl-IntoFuture-for-Pending), as it
/// takes hyper's handle by `hyper::upgrade::on`.
///
/// # Examples
///
/// A test needs no socket:
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_upgrade::{OnUpgrade, Pending, Policy, Protocol, UpgradeLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = UpgradeLayer::new(Policy::require(Protocol::new("hello")?));
/// let service = layer.layer(service_fn(async |mut request: Request<String>| {
///     let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
///     Ok::<Response<String>, &str>(on_upgrade.accept(|mut io| async move {
///         let _ = io.write_all(b"hello").await;
///     }))
/// }));
///
/// let (mut client, server) = tokio::io::duplex(64);
/// let request = Request::get("/")
///     .header("connection", "upgrade")
///     .header("upgrade", "hello")
///     .extension(Pending::ready(server))
///     .body(String::new())?;
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
///
/// let mut greeting = String::new();
/// client.read_to_string(&mut greeting).await?;
/// assert_eq!(greeting, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pending(Arc<Mutex<Option<Fulfilment>>>);

impl Pending {
    /// Makes a handle of a future that yields the connection once the head of the answer was sent.
    pub fn new<F, T, E>(connection: F) -> Self
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let connection = async {
            let io = connection.await.map_err(Into::into)?;
            Ok(Box::new(io) as Box<dyn AnyIo>)
        };
        Self(Arc::new(Mutex::new(Some(Box::pin(connection)))))
    }

    /// Makes a handle of a connection that is there already.
    pub fn ready<T>(io: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::new(async { Ok::<T, std::convert::Infallible>(io) })
    }

    /// Takes the future out; of several clones, one gets it.
    pub(crate) fn take(&self) -> Option<Fulfilment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Yields the connection of a plain CONNECT.
///
/// Of an offer a service awaits the [`OnUpgrade`](crate::OnUpgrade): the layer has taken this out.
///
/// Await it in a task of its own, as here: before the answer it would wait for ever, where the server
/// hands over after it.
///
/// # Errors
///
/// It yields an error with [`is_taken`](UpgradeError::is_taken) if the connection went to a clone, and
/// one with [`is_connection`](UpgradeError::is_connection) if the server did not hand it over: it was
/// lost, or the answer was no 2xx. The source says which.
///
/// # Cancel safety
///
/// It takes the connection at once; to drop the future is to drop the connection.
///
/// # Examples
///
/// ```
/// use http::{Method, Request, Response, StatusCode};
/// use tokio::{io::copy_bidirectional, net::TcpStream};
/// use tower_upgrade::Pending;
///
/// async fn proxy<B>(mut request: Request<B>) -> Response<String> {
///     let mut response = Response::default();
///     let pending = request.extensions_mut().remove::<Pending>();
///     let (&Method::CONNECT, Some(pending), Some(target)) =
///         (request.method(), pending, request.uri().authority())
///     else {
///         *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
///         return response;
///     };
///     // A proxy should look at the target before it goes there.
///     let Ok(mut upstream) = TcpStream::connect(target.as_str()).await else {
///         *response.status_mut() = StatusCode::BAD_GATEWAY;
///         return response;
///     };
///     tokio::spawn(async move {
///         match pending.await {
///             Ok(mut client) => drop(copy_bidirectional(&mut client, &mut upstream).await),
///             Err(error) => eprintln!("no tunnel: {error}"),
///         }
///     });
///     response
/// }
///
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let (mut client, server) = tokio::io::duplex(64);
/// let target = listener.local_addr()?.to_string();
/// let request = Request::connect(target).extension(Pending::ready(server)).body(())?;
/// assert_eq!(proxy(request).await.status(), StatusCode::OK);
///
/// let (mut accepted, _) = listener.accept().await?;
/// client.write_all(b"through the tunnel").await?;
/// client.shutdown().await?;
/// let mut read = String::new();
/// accepted.read_to_string(&mut read).await?;
/// assert_eq!(read, "through the tunnel");
/// # Ok(())
/// # }
/// ```
impl IntoFuture for Pending {
    type Output = Result<Io, UpgradeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let connection = self.take();
        Box::pin(async {
            let connection = connection.ok_or(UpgradeError::new(Kind::Taken))?;
            let io = connection.await.map_err(UpgradeError::connection)?;
            Ok(Io(Source::Other(io)))
        })
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// The future behind a [`Pending`].
pub(crate) type Fulfilment =
    Pin<Box<dyn Future<Output = Result<Box<dyn AnyIo>, Box<dyn Error + Send + Sync>>> + Send>>;
