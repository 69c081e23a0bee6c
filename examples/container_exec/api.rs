//! The routes of the Docker Engine API.

use std::{error::Error, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, RawQuery, State, rejection::JsonRejection},
    http::{HeaderValue, Method, Request, Response as HttpResponse, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_upgrade::{
    Drain, Head, Limit, OnUpgrade, Policy, Protocol, Refusal, UpgradeLayer, axum::Content,
};

use crate::{
    container::{Asked, Container, Problem},
    process::Process,
    stream::{self as streams, Streams},
};

/// The newest version of the API that is spoken; a client takes the older of this and its own.
const API: &str = "1.45";

type Shared = State<Arc<Container>>;

pub(crate) fn app(
    container: Arc<Container>,
    limit: usize,
    drain: Drain,
) -> Result<Router, Box<dyn Error>> {
    let hijack = Protocol::new("tcp")?.methods([Method::POST]);
    // A 200, as old clients of Docker take it, is no switch: who does not offer is told so.
    let layer = UpgradeLayer::new(Policy::require(hijack.content_limit(4 << 10)))
        .limit(Limit::total(limit))
        .drain(drain)
        .refuse_with(refuse);
    let routes = Router::new()
        .route("/_ping", get(ping))
        .route("/version", get(version))
        .route("/containers/{id}/json", get(inspect))
        .route("/containers/{id}/wait", post(wait))
        .route("/containers/{id}/attach", any(attach).layer(layer.clone()))
        .route("/containers/{id}/resize", post(resize))
        .route("/containers/{id}/exec", post(create))
        .route("/exec/{id}/start", any(start).layer(layer))
        .route("/exec/{id}/resize", post(resize_exec))
        .route("/exec/{id}/json", get(inspect_exec))
        .fallback(async || Problem::new(404, "page not found"))
        .layer(DefaultBodyLimit::max(64 << 10))
        .with_state(container);
    Ok(Router::new().fallback_service(routes.map_request(without_version)))
}

/// Tells a refusal as this API tells what went wrong.
fn refuse(refusal: &Refusal, head: &Head<'_>) -> HttpResponse<axum::body::Bytes> {
    let mut response = refusal.to_response(head.headers);
    *response.body_mut() = json!({ "message": refusal.hint() }).to_string().into();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Takes the version off a path: `/v1.41/_ping` is `/_ping`.
fn without_version(mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path_and_query().map(|path| path.as_str());
    let rest = path
        .and_then(|path| path.strip_prefix("/v1."))
        .and_then(|path| path.split_once('/'))
        .filter(|(minor, _)| minor.parse::<u16>().is_ok())
        .and_then(|(_, rest)| Uri::try_from(format!("/{rest}")).ok());
    if let Some(rest) = rest {
        *request.uri_mut() = rest;
    }
    request
}

async fn ping() -> impl IntoResponse {
    let fields = [("api-version", API), ("ostype", "linux")];
    (fields, "OK")
}

async fn version() -> Json<Value> {
    Json(json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": API,
        "MinAPIVersion": "1.24",
        "Os": std::env::consts::OS,
        "Arch": std::env::consts::ARCH,
    }))
}

async fn inspect(State(container): Shared, Path(id): Path<String>) -> Response {
    answer(container.inspect(&id))
}

/// Says at once that it will answer, and answers when the container's command has ended.
async fn wait(State(container): Shared, Path(id): Path<String>) -> Response {
    let ended = match container.wait(&id) {
        Ok(ended) => ended,
        Err(problem) => return problem.into_response(),
    };
    let told = async move {
        let code = ended.await;
        Ok::<_, std::convert::Infallible>(json!({ "StatusCode": code }).to_string())
    };
    let content = Body::from_stream(stream::once(told));
    ([(header::CONTENT_TYPE, "application/json")], content).into_response()
}

async fn create(
    State(container): Shared,
    Path(id): Path<String>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let created = asked
        .map_err(Problem::from)
        .and_then(|Json(asked)| container.create(&id, asked));
    match created {
        Ok(exec) => (StatusCode::CREATED, Json(json!({ "Id": exec }))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Start {
    detach: bool,
    /// Whether the client expects bytes without frames, whatever was created.
    tty: bool,
}

/// Over HTTP/2, by an extended CONNECT, there is no content: then all is as it was created.
async fn start(
    upgrade: OnUpgrade,
    State(container): Shared,
    Path(id): Path<String>,
    method: Method,
    Content(start): Content<Result<Json<Start>, JsonRejection>>,
) -> Response {
    let start = match start {
        Ok(Json(start)) => Some(start),
        Err(_) if method == Method::CONNECT => None,
        Err(broken) => return Problem::from(broken).into_response(),
    };
    if start.as_ref().is_some_and(|start| start.detach) {
        return Problem::new(400, "nothing runs detached here").into_response();
    }
    switch(upgrade, container.start(&id, start.map(|start| start.tty)))
}

/// There is no terminal whose size could change; a client that has one tells it nevertheless.
async fn resize(State(container): Shared, Path(id): Path<String>) -> Result<(), Problem> {
    container.inspect(&id).map(drop)
}

async fn resize_exec(State(container): Shared, Path(id): Path<String>) -> Result<(), Problem> {
    container.inspect_exec(&id).map(drop)
}

async fn attach(
    upgrade: OnUpgrade,
    State(container): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let is_set = |name| {
        let on = |pair| matches!(pair, Some((key, "1" | "true")) if key == name);
        query.split('&').any(|pair| on(pair.split_once('=')))
    };
    if !is_set("stream") {
        return Problem::new(400, "there is no log to show: attach with `stream=1`")
            .into_response();
    }
    let streams = Streams {
        stdin: is_set("stdin"),
        stdout: is_set("stdout"),
        stderr: is_set("stderr"),
        tty: false,
        raw: false,
    };
    switch(upgrade, container.attach(&id, streams))
}

async fn inspect_exec(State(container): Shared, Path(id): Path<String>) -> Response {
    answer(container.inspect_exec(&id))
}

/// Accepts if there is a command to talk to, and declines by an ordinary answer if there is none.
fn switch(upgrade: OnUpgrade, started: Result<(Process, Streams), Problem>) -> Response {
    let (process, streams) = match started {
        Ok(started) => started,
        Err(problem) => return problem.into_response(),
    };
    let content_type = HeaderValue::from_static(streams.content_type());
    let mut response: Response = upgrade.accept(move |io| streams::serve(io, process, streams));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    response
}

fn answer(found: Result<Value, Problem>) -> Response {
    found.map(Json).into_response()
}

impl From<JsonRejection> for Problem {
    fn from(broken: JsonRejection) -> Self {
        // JSON of another form is no other problem here than what is no JSON.
        let status = match broken.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self::new(status.as_u16(), broken.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "message": self.message }))).into_response()
    }
}
