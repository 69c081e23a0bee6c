//! One request stream: from its head to the end of its answer, or to the tunnel that it becomes.

use std::net::SocketAddr;

use http::{Extensions, Method, Request, Response, StatusCode, header::DATE};
use tokio::sync::oneshot;
use tokio_quiche::quiche::h3::Header;
use tower_upgrade::{PeerAddress, Pending};

use crate::{
    answer::{self, Cut},
    app::App,
    body::RequestBody,
    code,
    head::{self, Malformed},
    settings::Settings,
    stream::{Inlet, Outlet},
    tunnel::Tunnel,
};

/// What all streams of a connection share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) peer: SocketAddr,
}

/// A request stream whose head has come.
pub(crate) struct Asked {
    pub(crate) fields: Vec<Header>,
    /// There may be content, or trailers.
    pub(crate) has_more: bool,
    pub(crate) inlet: Inlet,
    pub(crate) outlet: Outlet,
}

/// Serves a request stream.
pub(crate) async fn serve<A: App>(shared: Shared, app: A, asked: Asked) {
    let Asked {
        fields,
        has_more,
        inlet,
        outlet,
    } = asked;
    let head = match read_head(&fields, shared.settings.max_header_size) {
        Ok(head) => head,
        Err(unfit) => return refuse(unfit, &outlet, inlet).await,
    };
    drop(fields);
    // A client that wants no answer any more takes its request back.
    let stopped = outlet.stopped();
    tokio::select! {
        biased;
        () = exchange(&shared, app, head, has_more, outlet, inlet) => {}
        () = stopped => {}
    }
}

/// Why there is no request to serve.
enum Unfit {
    TooLarge,
    Malformed,
}

impl From<Malformed> for Unfit {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

fn read_head(fields: &[Header], max: usize) -> Result<Request<()>, Unfit> {
    if head::size(fields) > max {
        return Err(Unfit::TooLarge);
    }
    Ok(head::request(fields)?)
}

async fn refuse(unfit: Unfit, outlet: &Outlet, mut inlet: Inlet) {
    match unfit {
        Unfit::Malformed => {
            inlet.unwanted(code::MESSAGE_ERROR);
            outlet.reset(code::MESSAGE_ERROR);
        }
        Unfit::TooLarge => {
            inlet.unwanted(code::EXCESSIVE_LOAD);
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let _ = answer::empty(outlet, status).await;
        }
    }
}

async fn exchange<A: App>(
    shared: &Shared,
    app: A,
    head: Request<()>,
    has_more: bool,
    outlet: Outlet,
    inlet: Inlet,
) {
    let Ok(length) = head::content_length(head.headers()) else {
        return refuse(Unfit::Malformed, &outlet, inlet).await;
    };
    let method = head.method().clone();
    if method == Method::CONNECT {
        // What follows a CONNECT is not its content.
        if length.is_some_and(|length| length > 0) {
            return refuse(Unfit::Malformed, &outlet, inlet).await;
        }
        return connect(shared, app, head, outlet, inlet).await;
    }
    let max = shared.settings.max_header_size;
    let mut request = head.map(|()| match length {
        // A client or an origin that it goes on to sees that there is none.
        None | Some(0) if !has_more => RequestBody::empty(),
        _ => RequestBody::new(inlet, length, max),
    });
    introduce(shared, request.extensions_mut());
    if let Some(response) = call(app, request).await {
        let response = answer::fit(response, &method);
        let sent = answer::send(&outlet, response, &method).await;
        finish(sent, &outlet);
    }
}

/// A CONNECT becomes a tunnel if a 2xx answers it and somebody waits for the connection.
async fn connect<A: App>(shared: &Shared, app: A, head: Request<()>, outlet: Outlet, inlet: Inlet) {
    let (give, taken) = oneshot::channel::<Tunnel>();
    let mut request = head.map(|()| RequestBody::empty());
    introduce(shared, request.extensions_mut());
    request.extensions_mut().insert(Pending::new(taken));
    let Some(response) = call(app, request).await else {
        return;
    };
    if !response.status().is_success() {
        let response = answer::fit(response, &Method::CONNECT);
        let sent = answer::send(&outlet, response, &Method::CONNECT).await;
        return finish(sent, &outlet);
    }
    if give.is_closed() {
        let sent = answer::empty(&outlet, StatusCode::NOT_IMPLEMENTED).await;
        return finish(sent, &outlet);
    }
    if answer::open(&outlet, response).is_ok() {
        // Whoever waited may have left. Then the tunnel is dropped, and so ends.
        drop(give.send(Tunnel::new(inlet, outlet)));
    }
}

/// The client's address, and what else the server knows.
fn introduce(shared: &Shared, extensions: &mut Extensions) {
    extensions.insert(PeerAddress(shared.peer));
}

/// Calls the service. If it fails its stream is reset, as by a panic.
async fn call<A: App>(app: A, request: Request<RequestBody>) -> Option<Response<A::Body>> {
    let mut response = app.answer(request).await?;
    if !response.headers().contains_key(DATE) {
        response.headers_mut().insert(DATE, answer::now());
    }
    Some(response)
}

/// Whatever was cut short is reset, for nobody may take it for the whole.
fn finish(sent: Result<(), Cut>, outlet: &Outlet) {
    if sent.is_err() {
        outlet.reset(code::INTERNAL_ERROR);
    }
}
