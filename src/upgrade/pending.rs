//! `Pending`: how any server hands a connection to the layer (rule 23).

use std::{
    any::Any,
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection to come, left in a request's extensions by a server that is not hyper, or by a test.
///
/// It belongs on requests that can make an offer, those with an `Upgrade` field and extended CONNECTs;
/// the layer takes it out of them, and does not look for it on others. Where hyper left its own
/// handle, that one counts. It is awaited only after the service
/// accepted and the 101 (200 on HTTP/2 and 3) was returned; where that does not happen, it is dropped.
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

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// The future behind a [`Pending`].
pub(crate) type Fulfilment =
    Pin<Box<dyn Future<Output = Result<Box<dyn AnyIo>, Box<dyn Error + Send + Sync>>> + Send>>;

/// Any I/O, which can be asked for its type.
pub(crate) trait AnyIo: AsyncRead + AsyncWrite + Unpin + Send + Any {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AnyIo for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
