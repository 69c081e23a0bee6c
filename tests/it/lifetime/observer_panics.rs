//! An observer that panics harms nobody else.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, service_fn};
use tower_upgrade::{
    Drain, Head, Limit, Observer, OnUpgrade, Policy, Protocol, Refusal, UpgradeLayer,
    observe::{Closing, Connection},
    testing::TestOffer,
};

type Body = Full<bytes::Bytes>;

/// Panics when it is told of this.
struct Panics(&'static str);

impl Panics {
    fn on(&self, event: &str) {
        assert_ne!(self.0, event, "on purpose");
    }
}

impl Observer for Panics {
    fn offered(&self, _: &Head<'_>) {
        self.on("offered");
    }

    fn refused(&self, _: &Refusal) {
        self.on("refused");
    }

    fn declined(&self, _: &Connection<'_>) {
        self.on("declined");
    }

    fn accepted(&self, _: &Connection<'_>) {
        self.on("accepted");
    }

    fn handed_over(&self, _: &Connection<'_>) {
        self.on("handed over");
    }

    fn closed(&self, _: &Connection<'_>, _: &Closing) {
        self.on("closed");
    }
}

struct Guarded {
    layer: UpgradeLayer,
    limit: Limit,
    drain: Drain,
}

impl Guarded {
    fn new(panics_on: &'static str) -> Self {
        let (limit, drain) = (Limit::total(1), Drain::new());
        let layer = UpgradeLayer::new(Policy::require(Protocol::new("echo").unwrap()))
            .limit(limit.clone())
            .idle_timeout(Duration::from_secs(1))
            .drain(drain.clone())
            .observe(Panics(panics_on));
        Self {
            layer,
            limit,
            drain,
        }
    }

    #[track_caller]
    fn assert_nothing_is_left(&self, case: &str) {
        assert_eq!((self.limit.live(), self.drain.live()), (0, 0), "{case}");
    }
}

async fn echo(mut request: Request<Body>) -> Result<Response<Body>, &'static str> {
    let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
    Ok(on_upgrade.accept(|mut io| async move {
        let mut byte = [0];
        while let Ok(1) = io.read(&mut byte).await {
            let _ = io.write_all(&byte).await;
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn whatever_it_panics_at_the_connection_goes_its_way() {
    // Its connection is handed over, speaks, and is given back with all it held.
    for event in ["offered", "accepted", "handed over", "closed"] {
        let guarded = Guarded::new(event);
        let service = guarded.layer.layer(service_fn(echo));
        let answer = TestOffer::new("/", "echo").send(service).await.unwrap();
        let mut client = answer.into_client();
        client.write_all(b"a").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'a', "{event}");
        drop(client);
        guarded.drain.wait(Duration::from_secs(9)).await;
        guarded.assert_nothing_is_left(event);
        assert_eq!(guarded.drain.report().closed, 0, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_tells_it_is_not_stopped_by_it() {
    // The clock runs out in the runtime's own timer, which must go on.
    let guarded = Guarded::new("closed");
    let service = guarded.layer.layer(service_fn(echo));
    let answer = TestOffer::new("/", "echo").send(service).await.unwrap();
    let mut client = answer.into_client();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    guarded.assert_nothing_is_left("closed by a clock");
}

#[tokio::test(start_paused = true)]
async fn what_comes_to_nothing_is_given_back() {
    for event in ["declined", "refused"] {
        let guarded = Guarded::new(event);
        let decline = async |_: Request<Body>| Ok::<_, &str>(Response::new(Body::default()));
        let service = guarded.layer.layer(service_fn(decline));
        let answer = TestOffer::new("/", "echo").send(service.clone()).await;
        assert_eq!(answer.unwrap().response.status(), 200);
        let refused = TestOffer::new("/", "other").send(service).await.unwrap();
        assert_eq!(refused.response.status(), 426);
        guarded.assert_nothing_is_left(event);
    }
}
