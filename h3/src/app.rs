//! `App`: any Tower service that answers requests, by one name.

use std::future::poll_fn;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::RequestBody;

/// A service that can be called once for each clone of it.
pub(crate) trait App: Clone + Send + 'static {
    type Body: Body<Data: Send> + Send + 'static;

    /// Calls it when it is ready. An error has nobody to go to.
    fn answer(
        self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Option<Response<Self::Body>>> + Send;
}

impl<S, B> App for S
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send> + Send + 'static,
{
    type Body = B;

    async fn answer(mut self, request: Request<RequestBody>) -> Option<Response<B>> {
        poll_fn(|cx| self.poll_ready(cx)).await.ok()?;
        self.call(request).await.ok()
    }
}
