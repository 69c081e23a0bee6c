//! The routes of the Docker Engine API.

use std::{error::Error, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, RawQuery, State},
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
        .route("/containers/{id}/exec", post(create))
        .route("/exec/{id}/start", any(start).layer(layer))
        .route("/exec/{id}/json", get(inspect_exec))
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
    Json(asked): Json<Asked>,
) -> Response {
    match container.create(&id, asked) {
        Ok(exec) => (StatusCode::CREATED, Json(json!({ "Id": exec }))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Start {
    detach: bool,
}

async fn start(
    upgrade: OnUpgrade,
    State(container): Shared,
    Path(id): Path<String>,
    Content(Json(start)): Content<Json<Start>>,
) -> Response {
    if start.detach {
        return Problem::new(400, "nothing runs detached here").into_response();
    }
    switch(upgrade, container.start(&id))
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "message": self.message }))).into_response()
    }
}
