//! A thousand offers at a limit of ten, on several threads, without a server.
//!
//! Every offer goes its own way, drawn by lot, and stops at any step of it; afterwards nothing is left.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Response;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::{JoinSet, yield_now},
};
use tower::{Layer, Service, service_fn};
use tower_upgrade::{Drain, Limit, OnUpgrade, Pending, UpgradeLayer, Upgraded};

use super::{
    offers::{Offer, layer, offer, open, refuses, status},
    random::Random,
    record::Record,
};
use crate::{server::AnyError, wire::patiently};

const PLACES: usize = 10;

const WAYS: [&str; 9] = [
    "declined",
    "refused abandoned",
    "refused total-limit",
    "accepted",
    "handed over",
    "closed Dropped",
    "closed PeerEnded",
    "closed Panicked",
    "closed NotHandedOver",
];

/// Who is inside of the limit now, and how many there were at most.
#[derive(Clone, Default)]
pub(super) struct Inside(Arc<Counts>);

#[derive(Default)]
struct Counts {
    now: AtomicUsize,
    most: AtomicUsize,
    entered: AtomicUsize,
}

impl Inside {
    pub(super) fn enter(&self) -> Entered {
        let now = self.0.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        self.0.entered.fetch_add(1, Ordering::SeqCst);
        Entered(self.clone())
    }

    /// Checks that nobody is inside, and that there were never too many.
    #[track_caller]
    pub(super) fn is_sound(&self, seed: u64) {
        let Counts { now, most, entered } = &*self.0;
        assert_eq!(now.load(Ordering::SeqCst), 0, "seed {seed}");
        let most = most.load(Ordering::SeqCst);
        assert!(most <= PLACES, "{most} at once, seed {seed}");
        // Or else nothing was tried here.
        assert!(entered.load(Ordering::SeqCst) > PLACES, "seed {seed}");
        assert!(most > 1, "one by one, seed {seed}");
    }
}

/// Somebody who decides, or has a connection; it goes before that does.
pub(super) struct Entered(Inside);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A layer of ten places, all that keeps count of them, and whoever is inside.
pub(super) struct Place {
    pub(super) layer: UpgradeLayer,
    pub(super) inside: Inside,
    limits: [Limit; 2],
    drain: Drain,
    record: Record,
}

impl Place {
    pub(super) fn new() -> Self {
        let limits = [Limit::total(PLACES), Limit::per_key(10, |_| ())];
        let (drain, record) = (Drain::new(), Record::default());
        let hour = Duration::from_secs(3600);
        let layer = layer()
            .limit(limits[0].clone())
            .limit(limits[1].clone())
            .first_byte_timeout(hour)
            .idle_timeout(hour)
            .max_lifetime(hour)
            .drain(drain.clone())
            .observe(record.clone());
        Self {
            layer,
            inside: Inside::default(),
            limits,
            drain,
            record,
        }
    }

    fn live(&self) -> [usize; 3] {
        let [total, key] = &self.limits;
        [total.live(), key.live(), self.drain.live()]
    }

    /// Afterwards: nobody is left, the next ten get in, and the eleventh does not.
    /// All ways were gone, or else there is something that was not tried.
    fn all_was_tried(&self, seed: u64) {
        let events = self.record.events();
        for way in WAYS {
            let is_gone = events.iter().any(|event| event.starts_with(way));
            assert!(is_gone, "never {way}, seed {seed}");
        }
    }

    pub(super) async fn is_empty(&self, seed: u64) {
        patiently("the last to leave", async {
            while self.live() != [0; 3] {
                yield_now().await;
            }
        })
        .await;
        self.inside.is_sound(seed);
        let events = self.record.events();
        let count = |what: &str| events.iter().filter(|it| it.starts_with(what)).count();
        assert_eq!(count("accepted"), count("closed"), "seed {seed}");
        let ends = count("accepted") + count("declined") + count("refused");
        assert_eq!(count("offered"), ends, "seed {seed}");
        let mut live = Vec::new();
        for _ in 0..PLACES {
            live.push(open(&self.layer).await);
        }
        refuses(&self.layer, 503).await;
        assert_eq!(self.live(), [PLACES; 3]);
        drop(live);
        assert_eq!(self.live(), [0; 3]);
    }
}

/// What a service does with its offer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    Declines,
    Fails,
    Panics,
    DropsIt,
    NeverTakesIt,
    KeepsTheRequest,
    Accepts,
    AcceptsAndPanics,
    Awaits,
    AwaitsElsewhere,
    DropsItLater,
}

pub(super) const ALL: [Does; 11] = [
    Does::Declines,
    Does::Fails,
    Does::Panics,
    Does::DropsIt,
    Does::NeverTakesIt,
    Does::KeepsTheRequest,
    Does::Accepts,
    Does::AcceptsAndPanics,
    Does::Awaits,
    Does::AwaitsElsewhere,
    Does::DropsItLater,
];

pub(super) async fn yields(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Reads and writes for so long, and leaves.
async fn talk(mut io: Upgraded, inside: Inside, turns: u64, panics: bool) {
    let _entered = inside.enter();
    for _ in 0..turns {
        let mut buffer = [0; 8];
        match io.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => drop(io.write_all(&buffer[..length]).await),
        }
    }
    assert!(!panics, "on purpose");
}

/// Answers one offer.
pub(super) async fn answer<B: Send + 'static>(
    mut request: http::Request<B>,
    does: Does,
    mut random: Random,
    inside: Inside,
) -> Result<Response<String>, AnyError> {
    let _entered = inside.enter();
    let (before, turns, later) = (random.below(0..4), random.below(0..4), random.below(0..9));
    yields(before).await;
    if matches!(does, Does::NeverTakesIt) {
        return Ok(status(101));
    }
    if matches!(does, Does::KeepsTheRequest) {
        tokio::spawn(async move {
            let _held = request;
            yields(later).await;
        });
        return Ok(status(101));
    }
    let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
    let panics = matches!(does, Does::AcceptsAndPanics);
    match does {
        Does::Declines => Ok(status(403)),
        Does::Fails => Err("on purpose".into()),
        Does::Panics => panic!("on purpose"),
        Does::DropsIt => {
            drop(on_upgrade);
            Ok(status(101))
        }
        Does::Awaits => {
            tokio::spawn(async move {
                if let Ok(io) = on_upgrade.await {
                    talk(io, inside, turns, false).await;
                }
            });
            Ok(status(101))
        }
        Does::AwaitsElsewhere => {
            // Polled in one task, and then in another.
            tokio::spawn(async move {
                let mut on_upgrade = on_upgrade;
                let polled = tokio::time::timeout(Duration::ZERO, &mut on_upgrade).await;
                tokio::spawn(async move {
                    let io = match polled {
                        Ok(io) => io,
                        Err(_) => on_upgrade.await,
                    };
                    if let Ok(io) = io {
                        talk(io, inside, turns, false).await;
                    }
                });
            });
            Ok(status(101))
        }
        Does::DropsItLater => {
            tokio::spawn(async move {
                yields(later).await;
                drop(on_upgrade);
            });
            Ok(status(101))
        }
        _ => Ok(on_upgrade.accept(move |io| talk(io, inside, turns, panics))),
    }
}

/// A connection to come: at once, later, never because it is lost.
fn handle(server: DuplexStream, random: &mut Random) -> Pending {
    let (later, is_lost) = (random.below(0..6), random.below(0..8) == 0);
    if later == 0 {
        return Pending::ready(server);
    }
    Pending::new(async move {
        yields(later).await;
        if is_lost {
            return Err(io::Error::other("lost it"));
        }
        Ok(server)
    })
}

/// One offer, with a client that goes away at any step.
async fn one(layer: UpgradeLayer, inside: Inside, mut random: Random) {
    let (mut client, server) = duplex(16);
    let request = offer(handle(server, &mut random));
    let (does, its) = (random.pick(&ALL), Random::new(random.next()));
    let mut service = layer.layer(service_fn(move |request: Offer| {
        answer(request, does, its.clone(), inside.clone())
    }));
    let answering = service.call(request);
    drop(service);
    yields(random.below(0..4)).await;
    // The request is given up: before it is polled, or after some turns.
    let answered = match random.below(0..8) {
        0 => None,
        1 => {
            let turns = yields(random.below(1..6));
            tokio::select! {
                biased;
                answered = answering => answered.ok(),
                () = turns => None,
            }
        }
        _ => answering.await.ok(),
    };
    yields(random.below(0..4)).await;
    if answered.is_none_or(|answered| answered.status() != 101) {
        return;
    }
    // The client goes away after so many turns.
    for _ in 0..random.below(0..4) {
        let mut buffer = [0; 4];
        if client.write_all(b"ping").await.is_err() {
            break;
        }
        match random.below(0..6) {
            0 => break,
            1 => drop(client.shutdown().await),
            _ => {}
        }
        if client.read_exact(&mut buffer).await.is_err() {
            break;
        }
    }
}

async fn a_thousand(seed: u64) -> Place {
    let place = Place::new();
    let mut random = Random::new(seed);
    let mut offers = JoinSet::new();
    for _ in 0..1000 {
        let its = Random::new(random.next());
        offers.spawn(one(place.layer.clone(), place.inside.clone(), its));
        // Not all at once: the next come while the last leave.
        if random.below(0..4) == 0 {
            yield_now().await;
        }
        while offers.len() > 64 {
            patiently("an offer to end", offers.join_next()).await;
        }
    }
    while patiently("an offer to end", offers.join_next())
        .await
        .is_some()
    {}
    place.is_empty(seed).await;
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn afterwards_nothing_is_left() {
    // "a thousand offers at a limit of ten, with declines, drops, panics and client resets at every step;
    // afterwards the count is zero and the next ten get in".
    for seed in 0..4 {
        a_thousand(seed).await;
    }
}

#[tokio::test]
async fn nor_in_one_thread() {
    // Where every run is the same, so that it is known which ways were gone.
    for seed in 100..104 {
        a_thousand(seed).await.all_was_tried(seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drain_at_any_moment_leaves_nobody() {
    // Started in the midst of it all: whoever was let in before is gone at the deadline, nobody comes after.
    for seed in 200..220 {
        let place = Place::new();
        let mut random = Random::new(seed);
        let mut offers = JoinSet::new();
        for n in 0..100 {
            let its = Random::new(random.next());
            offers.spawn(one(place.layer.clone(), place.inside.clone(), its));
            if n == 50 {
                yields(random.below(0..50)).await;
                place.drain.start();
            }
        }
        let (first, second) = tokio::join!(
            patiently("the drain", place.drain.wait(Duration::ZERO)),
            patiently("the drain", place.drain.wait(Duration::MAX)),
        );
        // The permits not as yet: an offer that is refused may hold one until it is told so.
        assert_eq!(place.drain.live(), 0, "seed {seed}");
        assert_eq!(first.closed, second.closed, "seed {seed}");
        while patiently("an offer to end", offers.join_next())
            .await
            .is_some()
        {}
        assert_eq!(place.live(), [0; 3], "seed {seed}");
        refuses(&place.layer, 503).await;
        let report = place.drain.report();
        assert!(report.refused > 0, "seed {seed}");
    }
}
