//! Two directions that are both always busy.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::poll_proceed,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_upgrade::{Pending, tunnel::RequestBody};

use crate::{
    tunnel::{edge::layer, memory},
    wire::patiently,
};

/// Always ready both ways, and counted by tokio as its own sockets are.
#[derive(Clone, Default)]
struct Busy {
    written: Arc<AtomicU64>,
}

impl AsyncRead for Busy {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(poll_proceed(cx)).made_progress();
        let room = buf.initialize_unfilled().len();
        buf.advance(room);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Busy {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_proceed(cx)).made_progress();
        self.written.fetch_add(buf.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Neither takes all of the time that tokio gives to a task.
#[tokio::test]
async fn both_go_on() {
    let (near, far) = (Busy::default(), Busy::default());
    let answer = {
        let upstream = Pending::ready(far.clone());
        memory::switching()
            .extension(upstream)
            .body(Empty::<Bytes>::new())
    };
    let answer = answer.unwrap();
    let client = service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| {
        let answer: Response<_> = answer.clone();
        async { Ok::<_, Infallible>(answer) }
    });
    let offer = memory::offer().extension(Pending::ready(near.clone()));
    let service = layer().layer(memory::tunnel(client));
    let answer = service.oneshot(offer.body(Empty::new()).unwrap()).await;
    assert_eq!(answer.unwrap().status(), 101);
    patiently("both directions", async {
        let wanted = 16 << 20;
        while [&near, &far]
            .iter()
            .any(|end| end.written.load(Ordering::Relaxed) < wanted)
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
