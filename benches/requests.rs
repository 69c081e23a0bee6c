//! What an ordinary `GET` pays for a layer that it does not need.

use std::{io::Result, path::Path, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body_util::Empty;
use tokio::runtime;
use tower::{Layer, limit::ConcurrencyLimitLayer, service_fn, timeout::TimeoutLayer};
use tower_http::{cors::CorsLayer, set_header::SetRequestHeaderLayer};
use tower_upgrade::{Policy, Routes, UpgradeLayer, WebSocket};
use tower_upgrade_bench::{
    fixtures,
    report::{self, Group},
    requests::{CloneAndBox, Get, page, through},
    table::Goal,
};

fn main() -> Result<()> {
    // Tower's timeout asks for a clock.
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let _entered = runtime.enter();
    report::run(
        Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/callgrind/requests")),
        vec![ordinary(), passing()],
    )
}

fn ordinary() -> Group {
    let get = || -> Get { fixtures::get("/service-42/items/7") };
    let service = || service_fn(page);
    let header = SetRequestHeaderLayer::if_not_present(
        HeaderName::from_static("x-request-start"),
        HeaderValue::from_static("now"),
    );
    Group::new(
        "An ordinary GET of eight fields through one layer",
        256,
        400,
    )
    .peer("no layer", through(service(), get))
    .peer(
        "tower `Timeout`",
        through(
            TimeoutLayer::new(Duration::from_secs(9)).layer(service()),
            get,
        ),
    )
    .peer(
        "tower `ConcurrencyLimit`",
        through(ConcurrencyLimitLayer::new(9).layer(service()), get),
    )
    .peer(
        "tower-http `SetRequestHeader`",
        through(header.layer(service()), get),
    )
    .peer(
        "tower-http `Cors`",
        through(CorsLayer::permissive().layer(service()), get),
    )
    .peer("clone and box", through(CloneAndBox.layer(service()), get))
    .ours(
        "tower-upgrade, `Policy::offer`",
        GOAL,
        through(offering().layer(service()), get),
    )
    .ours(
        "tower-upgrade, `Policy::forbid`",
        GOAL,
        through(forbidding().layer(service()), get),
    )
    .ours(
        "tower-upgrade, `Routes` of 100 paths",
        GOAL_OF_ROUTES,
        through(routing(Policy::offer).layer(service()), get),
    )
    .ours(
        "tower-upgrade, `Routes` of 100 paths, every other one required",
        GOAL_OF_ROUTES,
        through(routing(Policy::require).layer(service()), get),
    )
}

/// A request that passes costs no allocation, its offer taken out or not.
fn passing() -> Group {
    let get = fixtures::h2c::<Empty<Bytes>>;
    Group::new(
        "A GET that offers h2c as curl does, which is taken out",
        256,
        400,
    )
    .peer("no layer", through(service_fn(page), get))
    .ours(
        "tower-upgrade, `Policy::offer`",
        Goal::NoAllocation,
        through(offering().layer(service_fn(page)), get),
    )
    .ours(
        "tower-upgrade, `Policy::forbid`",
        Goal::NoAllocation,
        through(forbidding().layer(service_fn(page)), get),
    )
}

fn offering() -> UpgradeLayer {
    UpgradeLayer::new(Policy::offer(WebSocket::new()))
}

fn forbidding() -> UpgradeLayer {
    UpgradeLayer::new(Policy::forbid())
}

/// A hundred paths: that of the request, and all with an even number, offer; those between do what `odd` says.
///
/// Where no path demands anything, an ordinary request's path is not even looked up.
fn routing(odd: fn(WebSocket) -> Policy) -> UpgradeLayer {
    let routes = (0..100).fold(Routes::new(), |routes, number| {
        let policy = if number % 2 == 0 { Policy::offer } else { odd };
        let pattern = format!("/service-{number}/items/{{id}}");
        routes.at(&pattern, policy(WebSocket::new()))
    });
    UpgradeLayer::new(routes.otherwise(Policy::forbid()))
}

const GOAL: Goal = Goal::Over {
    instructions: 280.0,
    allocations: 0.0,
};
const GOAL_OF_ROUTES: Goal = Goal::Over {
    instructions: 1000.0,
    allocations: 0.0,
};
