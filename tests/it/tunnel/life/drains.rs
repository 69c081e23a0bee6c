//! A drain waits for tunnels, says nothing in them, and ends what is left at its deadline.

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt,
    time::{Instant, sleep},
};
use tower_upgrade::{Drain, observe::Cause};

use super::{SECOND, both_end, pass};
use crate::{
    tunnel::{
        edge::{edge, layer, serve, tunnel},
        ends::{PAIRS, accepting, expect, join, join_by, read_until_gone},
        memory::joined,
        record::Record,
    },
    wire::{Client, Request, patiently},
};

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_tunnel_and_says_nothing_in_it() {
    let drain = Drain::new();
    let (mut client, mut upstream) = joined(&layer().drain(drain.clone())).await;
    let drained = tokio::spawn({
        let drain = drain.clone();
        async move { drain.wait(60 * SECOND).await }
    });
    for _ in 0..5 {
        sleep(SECOND).await;
        assert!(drain.is_started() && !drained.is_finished());
        pass(&mut client, &mut upstream).await;
        pass(&mut upstream, &mut client).await;
    }
    // An upstream that drains too ends it; the client has its say, and follows.
    upstream.shutdown().await.unwrap();
    pass(&mut client, &mut upstream).await;
    client.shutdown().await.unwrap();
    assert_eq!(both_end(&mut client, &mut upstream).await, Duration::ZERO);
    let report = drained.await.unwrap();
    assert_eq!((report.ended, report.closed), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn its_deadline_closes_both_sides() {
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let (mut client, mut upstream) = joined(&layer).await;
    let start = Instant::now();
    let report = drain.wait(7 * SECOND).await;
    assert_eq!(start.elapsed(), 7 * SECOND);
    assert_eq!((report.ended, report.closed), (0, 1));
    assert_eq!(both_end(&mut client, &mut upstream).await, Duration::ZERO);
    assert_eq!(record.closings(1).await[0].cause, Cause::Drained);
}

#[tokio::test]
async fn its_deadline_closes_connections_of_either_version() {
    for pair in PAIRS {
        let drain = Drain::new();
        let mut joined = join(&layer().drain(drain.clone()), pair).await;
        joined.client.write_all(b"ping").await.unwrap();
        expect(&mut joined.upstream, "ping").await;
        let report = patiently("the drain", drain.wait(Duration::from_millis(20))).await;
        assert_eq!((report.ended, report.closed), (0, 1));
        assert_eq!(read_until_gone(&mut joined.client).await, 0);
        assert_eq!(read_until_gone(&mut joined.upstream).await, 0);
    }
}

/// While it lasts, offers are refused before the upstream hears of them, and other requests pass.
#[tokio::test]
async fn it_lets_no_new_tunnel_in() {
    let drain = Drain::new();
    let (upstream, mut accepted) = accepting().await;
    let layer = layer().drain(drain.clone());
    let edge = serve(layer, tunnel(upstream, http::Version::HTTP_11)).await;
    let _open = join_by(edge, http::Version::HTTP_11, &mut accepted).await;
    drain.start();
    let mut client = Client::connect(edge).await;
    let answer = client.ask(&Request::upgrade("/", "echo/1.0")).await;
    answer.head.is(503).has("connection", "close");
    assert!(accepted.try_recv().is_err());
    let mut client = Client::connect(edge).await;
    assert_eq!(client.ask(&Request::get("/")).await.content, "plain");
}

/// A proxy before a server that drains: the server's goodbye reaches the client by itself.
#[tokio::test]
async fn an_upstream_that_drains_ends_its_tunnels() {
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let (upstream, mut accepted) = accepting().await;
        let edge = edge(upstream, version).await;
        let mut joined = join_by(edge, http::Version::HTTP_11, &mut accepted).await;
        joined.upstream.write_all(b"goodbye").await.unwrap();
        drop(joined.upstream);
        expect(&mut joined.client, "goodbye").await;
        assert_eq!(read_until_gone(&mut joined.client).await, 0);
    }
}
