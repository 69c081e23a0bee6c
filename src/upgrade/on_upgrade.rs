//! `OnUpgrade`: the future of an upgraded connection (rules 18 and 21).

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Extensions, Request, Response, StatusCode, Version};

use super::{
    content::ContentBody,
    error::{Kind, UpgradeError},
    handle::Handle,
    io::Io,
    serve::{Serve, Watch},
    slot::Slot,
    span::in_current_span,
    upgraded::Upgraded,
};
use crate::protocol::Protocol;

/// The future of an upgraded connection: in the extensions of every request whose offer the layer
/// let through.
///
/// A service accepts by answering `101 Switching Protocols`, over every version of HTTP; the layer
/// writes the fields. It declines by any other answer, or by dropping this. The future yields the
/// connection once the answer is on its way.
///
/// # Examples
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use tower_upgrade::OnUpgrade;
///
/// async fn serve(mut request: Request<String>) -> Response<String> {
///     let Some(on_upgrade) = OnUpgrade::take(&mut request) else {
///         return Response::new("no offer was let through".into());
///     };
///     tokio::spawn(async move {
///         if let Ok(io) = on_upgrade.await {
///             println!("this is {} now", io.protocol());
///         }
///     });
///     let mut response = Response::default();
///     *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
///     response
/// }
/// # let _ = serve;
/// ```
///
/// Await it in a task of its own, as here or by [`accept`](Self::accept): in the handler, before the
/// answer, it would wait for ever.
///
/// # Errors
///
/// It yields an [`UpgradeError`] if the service declined, if the request ended without an answer,
/// if the layer refused the acceptance, if the connection was taken before, or if the server did not hand it over.
///
/// # Cancel safety
///
/// It may be polled, left and polled again, `&mut` in a `select!` included. Dropping it declines, or
/// closes the connection if the 101 is out already.
#[must_use = "dropping it declines the upgrade"]
pub struct OnUpgrade {
    pub(super) slot: Slot,
    stage: Stage,
}

enum Stage {
    Waiting,
    Handed(Handle),
    Done,
}

/// The slot in a request's extensions, which must be `Clone`.
#[derive(Clone)]
pub(crate) struct Offered(pub(crate) Slot);

impl OnUpgrade {
    pub(crate) fn insert(slot: &Slot, extensions: &mut Extensions) {
        extensions.insert(Offered(slot.clone()));
    }

    /// Takes the future out of a request; `None` if the layer let no offer through.
    ///
    /// Of several takers, as from clones of a request, the first gets the connection; what the
    /// others get yields [`is_taken`](UpgradeError::is_taken).
    pub fn take<B>(request: &mut Request<B>) -> Option<Self> {
        Self::take_from(request.extensions_mut())
    }

    /// Takes the future out of a request's extensions, as [`take`](Self::take) does.
    pub fn take_from(extensions: &mut Extensions) -> Option<Self> {
        let Offered(slot) = extensions.remove()?;
        let stage = if slot.claim() {
            Stage::Waiting
        } else {
            Stage::Done
        };
        Some(Self { slot, stage })
    }

    /// Accepts: gives the 101 to answer with, and the connection to `serve` in a task of its own.
    ///
    /// `serve` should move the connection into its future: `|_| async {}` drops it at once.
    ///
    /// If no connection comes, `serve` is not called. If it panics, that is the
    /// [cause](crate::observe::Cause::Panicked) its observers are told. A [`Drain`](crate::Drain) waits
    /// for the task to end, and at its deadline polls it once more and drops it. With the feature
    /// `tracing` it runs in the current span. The response has any body that has a default,
    /// so a handler has to name its type: `-> Response`; a closure cannot.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::Response;
    /// use tokio::io::{copy, split};
    /// use tower_upgrade::OnUpgrade;
    ///
    /// fn echo(on_upgrade: OnUpgrade) -> Response<String> {
    ///     on_upgrade.accept(|io| async move {
    ///         let (mut read, mut write) = split(io);
    ///         let _ = copy(&mut read, &mut write).await;
    ///     })
    /// }
    /// # let _ = echo;
    /// ```
    #[must_use = "the request must be answered with it"]
    pub fn accept<F, Fut, B>(self, serve: F) -> Response<B>
    where
        F: FnOnce(Upgraded) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        B: Default,
    {
        self.accept_or(serve, drop)
    }

    /// Accepts, and calls `failed` if no connection comes.
    pub(crate) fn accept_or<F, Fut, E, B>(self, serve: F, failed: E) -> Response<B>
    where
        F: FnOnce(Upgraded) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        E: FnOnce(UpgradeError) + Send + 'static,
        B: Default,
    {
        // Not for a second taker, whose task ends before that of the first.
        let is_first = !matches!(self.stage, Stage::Done);
        let watched = self.slot.guard().filter(|_| is_first);
        let watch = watched.map(|guard| Watch::new(Arc::clone(guard)));
        tokio::spawn(in_current_span(Serve::new(self, watch, serve, failed)));
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
    }

    /// Wraps the request's content, so that reading it to its end is proof that it was read.
    ///
    /// `body` must be the request's own, as it came: a proof of another is none, and is found out
    /// where `Content-Length` tells the length, but not where the content comes in chunks.
    ///
    /// Only where the policy allows content ([`Spoken::content_limit`](crate::negotiate::Spoken::content_limit))
    /// and the request has some; on others it changes nothing. A service that answers 101 without
    /// having read it gets its acceptance turned into a 500 and the connection closed, for what is
    /// left of the content would be taken for bytes of the new protocol.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower_upgrade::OnUpgrade;
    ///
    /// # type Body = Full<bytes::Bytes>;
    /// # type Error = Box<dyn std::error::Error + Send + Sync>;
    /// async fn exec(mut request: Request<Body>) -> Result<Response<Body>, Error> {
    ///     let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
    ///     let content = on_upgrade.content(request.into_body()).collect().await?.to_bytes();
    ///     Ok(on_upgrade.accept(|io| async move {
    ///         // .. what `content` asks for, over `io`
    /// #       drop((io, content));
    ///     }))
    /// }
    /// # let _ = exec;
    /// ```
    pub fn content<B>(&self, body: B) -> ContentBody<B> {
        ContentBody::new(body, self.slot.clone())
    }

    /// Returns the protocol that was selected.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        self.slot.acceptance().protocol()
    }

    /// Returns the subprotocol that was selected, if this is a WebSocket and there is one.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.slot.acceptance().subprotocol()
    }

    /// Returns the version of HTTP that the request came in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.slot.acceptance().version()
    }
}

impl Future for OnUpgrade {
    type Output = Result<Upgraded, UpgradeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            // Before the slot, which a service's answer closes first and says why.
            let closed = this.poll_closed(cx);
            let polled = match &mut this.stage {
                Stage::Waiting => match this.slot.poll_handle(cx) {
                    Poll::Ready(Ok(handle)) => {
                        this.stage = Stage::Handed(handle);
                        continue;
                    }
                    Poll::Ready(Err(why)) => Poll::Ready(Err(UpgradeError::new(why))),
                    Poll::Pending => closed.map(|error| {
                        this.slot.abandon();
                        Err(error)
                    }),
                },
                Stage::Handed(handle) => match handle.poll(cx) {
                    Poll::Ready(Ok(io)) => Poll::Ready(this.open(io)),
                    Poll::Ready(Err(source)) => {
                        this.slot.fail();
                        Poll::Ready(Err(UpgradeError::connection(source)))
                    }
                    Poll::Pending => closed.map(Err),
                },
                Stage::Done => Poll::Ready(Err(UpgradeError::new(Kind::Taken))),
            };
            let outcome = ready!(polled);
            this.stage = Stage::Done;
            return Poll::Ready(outcome);
        }
    }
}

impl OnUpgrade {
    /// The connection is there, and goes into the hands of its guard.
    fn open(&self, io: Io) -> Result<Upgraded, UpgradeError> {
        let Some(guard) = self.slot.guard() else {
            let agreed = self.slot.acceptance().agreed();
            return Ok(Upgraded::bare(io, agreed.clone()));
        };
        match guard.open(io) {
            Ok(()) => Ok(Upgraded::guarded(Arc::clone(guard))),
            Err((_, cause)) => Err(UpgradeError::closed(cause)),
        }
    }

    /// A clock or a drain may close what nobody has yet.
    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<UpgradeError> {
        match (&self.stage, self.slot.guard()) {
            (Stage::Done, _) | (_, None) => Poll::Pending,
            (_, Some(guard)) => guard.poll_closed(cx).map(UpgradeError::closed),
        }
    }
}

impl Drop for OnUpgrade {
    fn drop(&mut self) {
        match self.stage {
            Stage::Waiting => self.slot.abandon(),
            Stage::Handed(_) => self.slot.fail(),
            Stage::Done => {}
        }
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnUpgrade")
            .field("protocol", self.protocol())
            .field("subprotocol", &self.subprotocol())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
