//! `Connection`: what a `WebSocket` is made of, and what it does by itself while it is read.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use ::axum::Error;
use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use http::HeaderValue;
use tokio::time::Instant;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as Failure, Message as Frame, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    failing::told_of,
    heartbeat::{Beat, Clock, DeadPeer, Heartbeat, PAYLOAD},
    message::{self, Message},
    parting::Parting,
    wire::Wire,
};
use crate::{lifetime::Draining, upgrade::Upgraded};

/// The engine, with what it does not do: heartbeat, goodbye.
pub(super) struct Connection {
    stream: WebSocketStream<Wire>,
    protocol: Option<HeaderValue>,
    parting: Option<Parting>,
    /// Whether the drain has started, and the peer is still to be told.
    is_leaving: bool,
    /// Whether the drain's goodbye was said. What the handler sends then is dropped.
    has_parted: bool,
    clock: Option<Pin<Box<Clock>>>,
    /// Who waits for room to write, if not who reads.
    writer: Option<Waker>,
    /// Whether a ping, a goodbye or an answer of the engine's is still to be sent.
    has_unsent: bool,
    /// Bytes of answers to pings that the peer did not take as yet.
    owed: usize,
    has_ended: bool,
}

impl Connection {
    pub(super) fn new(
        io: Upgraded,
        protocol: Option<HeaderValue>,
        config: WebSocketConfig,
        heartbeat: Option<Heartbeat>,
        draining: Option<Draining>,
    ) -> Self {
        let now = heartbeat.map(|_| Instant::now());
        Self {
            stream: open(Wire::new(io, now), config),
            protocol,
            parting: draining.and_then(Parting::watch),
            is_leaving: false,
            has_parted: false,
            clock: heartbeat
                .zip(now)
                .map(|(beat, now)| Box::pin(Clock::start(beat, now))),
            writer: None,
            has_unsent: false,
            owed: 0,
            has_ended: false,
        }
    }

    pub(super) fn io(&self) -> Option<&Upgraded> {
        self.stream.get_ref().io()
    }

    pub(super) const fn protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        // A peer that is never waited for is told goodbye too. The heartbeat waits until all was read.
        if self.is_to_leave() || self.has_unsent {
            if let Err(error) = self.say_goodbye(cx).and_then(|()| self.send_unsent()) {
                return self.end(Some(error));
            }
        }
        loop {
            let is_paused = self.owed > MAX_OWED;
            self.stream.get_mut().pause(is_paused);
            match Pin::new(&mut self.stream).poll_next(cx) {
                Poll::Pending => match self.idle(cx) {
                    Ok(()) if is_paused && self.owed == 0 => {}
                    Ok(()) => return Poll::Pending,
                    Err(error) => return self.end(Some(error)),
                },
                Poll::Ready(Some(Ok(frame))) if self.is_own(&frame) => {}
                Poll::Ready(Some(Ok(frame))) => {
                    self.answer(&frame, cx);
                    if let Some(message) = Message::from_engine(frame) {
                        return Poll::Ready(Some(Ok(message)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let error = Error::new(error);
                    self.fail(&error);
                    return self.end(Some(error));
                }
                Poll::Ready(None) => return self.end(None),
            }
        }
    }

    /// Says goodbye for who only sends, and may never read.
    pub(super) fn notice_drain(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.is_to_leave() {
            return self.say_goodbye(cx);
        }
        Ok(())
    }

    /// Whether the drain may have started, or its goodbye is still to be said.
    fn is_to_leave(&self) -> bool {
        self.is_leaving || self.parting.as_ref().is_some_and(Parting::is_called)
    }

    fn end(&mut self, why: Option<Error>) -> Poll<Option<Result<Message, Error>>> {
        self.has_ended = true;
        Poll::Ready(why.map(Err))
    }

    /// Tells a peer that broke the protocol, as far as there is room for it now (RFC 6455 7.1.7).
    fn fail(&mut self, error: &Error) {
        if let Some(frame) = told_of(error) {
            if matches!(self.has_room(), Ok(true)) {
                self.close(frame);
            }
        }
    }

    /// Sends a close, unless one was sent, and all that is to be written before it.
    pub(super) fn poll_tell(
        &mut self,
        frame: &mut Option<message::CloseFrame>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        loop {
            ready!(self.poll_sink(cx, |sink, cx| sink.poll_flush(cx)))?;
            match frame.take() {
                Some(frame) => self.close(frame),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    /// What fails here is that one was sent, or fails what is written next.
    fn close(&mut self, frame: message::CloseFrame) {
        let _ = self.queue(Message::Close(Some(frame)).into_engine());
    }

    /// Lets the rest of what arrives be no messages any more.
    pub(super) fn hear_no_more(&mut self) {
        self.has_ended = true;
        self.wire().pause(false);
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        self.stream.get_mut()
    }

    /// Polls the engine's sink, and remembers who waits for it.
    pub(super) fn poll_sink<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut WebSocketStream<Wire>>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let result = poll(Pin::new(&mut self.stream), cx);
        if result.is_pending() {
            match &mut self.writer {
                Some(writer) => writer.clone_from(cx.waker()),
                None => self.writer = Some(cx.waker().clone()),
            }
        }
        result
    }

    pub(super) fn start_send(&mut self, message: Message) -> Result<(), Error> {
        match Pin::new(&mut self.stream).start_send(message.into_engine()) {
            // An error would end the handler, and with it the connection before the goodbye was read.
            Err(Failure::Protocol(ProtocolError::SendAfterClosing)) if self.has_parted => Ok(()),
            sent => sent.map_err(Error::new),
        }
    }

    /// Whether this answers a ping of ours.
    fn is_own(&self, frame: &Frame) -> bool {
        self.clock.is_some() && matches!(frame, Frame::Pong(content) if content == PAYLOAD)
    }

    /// Does what is to be done while nothing arrives; an error ends it all.
    fn idle(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.say_goodbye(cx)?;
        self.beat(cx)?;
        self.send_unsent()
    }

    /// Sends the engine's answer to a ping or a close. By itself the engine does so at the next read,
    /// and perhaps there is none.
    fn answer(&mut self, frame: &Frame, cx: &mut Context<'_>) {
        match frame {
            Frame::Ping(content) => {
                self.has_unsent = true;
                self.owed += content.len() + FRAME_HEAD;
                // If it fails, so does what is done next.
                let _ = self.send_unsent();
            }
            // Nothing follows a close but the end. Where that has to wait for room, it is for the next read.
            Frame::Close(_) => self.has_ended = Pin::new(&mut self.stream).poll_next(cx).is_ready(),
            _ => {}
        }
    }

    fn send_unsent(&mut self) -> Result<(), Error> {
        if self.has_unsent {
            if let Poll::Ready(sent) = self.poll_send() {
                self.has_unsent = false;
                self.owed = 0;
                sent?;
            }
        }
        Ok(())
    }

    /// Tells the peer that the server goes away, once the drain has started.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if let Some(parting) = &mut self.parting {
            if parting.poll(cx).is_ready() {
                self.parting = None;
                self.is_leaving = true;
            }
        }
        if !self.is_leaving || !self.has_room()? {
            return Ok(());
        }
        self.is_leaving = false;
        let going_away = CloseFrame {
            code: CloseCode::Away,
            reason: Utf8Bytes::default(),
        };
        let queued = self.queue(Frame::Close(Some(going_away)));
        self.has_parted = queued.map_err(Error::new)?;
        Ok(())
    }

    /// Whether a close can be queued: the engine tries but once to find room for it.
    fn has_room(&mut self) -> Result<bool, Error> {
        let is_bounded = self.stream.get_config().max_write_buffer_size < usize::MAX;
        Ok(!is_bounded || self.poll_send()?.is_ready())
    }

    fn beat(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while let Some(Poll::Ready(beat)) = self.poll_clock(cx) {
            if beat == Beat::Dead {
                self.stream.get_mut().close();
                // What it waits for is gone, and no guard may be there to tell it.
                if let Some(writer) = self.writer.take() {
                    writer.wake();
                }
                return Err(Error::new(DeadPeer));
            }
            let ping = Frame::Ping(Bytes::from_static(PAYLOAD));
            match self.queue(ping) {
                // A peer that takes nothing either; it has until the deadline.
                Err(Failure::WriteBufferFull(_)) => {}
                queued => _ = queued.map_err(Error::new)?,
            }
        }
        Ok(())
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Option<Poll<Beat>> {
        let heard = self.stream.get_ref().heard()?;
        Some(self.clock.as_mut()?.as_mut().poll(heard, cx))
    }

    /// Queues a frame of ours; false if the handler said goodbye before.
    fn queue(&mut self, frame: Frame) -> Result<bool, Failure> {
        match Pin::new(&mut self.stream).start_send(frame) {
            Err(Failure::Protocol(ProtocolError::SendAfterClosing)) => Ok(false),
            queued => {
                self.has_unsent = true;
                queued.map(|()| true)
            }
        }
    }

    /// Sends what was queued, for who reads: the engine wakes the reader by itself, and whoever
    /// waits to write must stay the one it wakes for that.
    fn poll_send(&mut self) -> Poll<Result<(), Error>> {
        let writer = self.writer.as_ref().unwrap_or(Waker::noop());
        let mut cx = Context::from_waker(writer);
        Pin::new(&mut self.stream)
            .poll_flush(&mut cx)
            .map_err(Error::new)
    }
}

/// How many bytes of answers may wait for a peer that goes on asking, before it is not read any more.
const MAX_OWED: usize = 16 << 10;
/// What a short frame of a server has besides its content.
const FRAME_HEAD: usize = 2;

fn open(wire: Wire, config: WebSocketConfig) -> WebSocketStream<Wire> {
    let opening = pin!(WebSocketStream::from_raw_socket(
        wire,
        Role::Server,
        Some(config)
    ));
    let opened = match opening.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(stream) => Some(stream),
        Poll::Pending => None,
    };
    #[expect(
        clippy::expect_used,
        reason = "without a handshake there is nothing to await; to await it would keep room for it in the task"
    )]
    opened.expect("nothing to await")
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures_util::{FutureExt, SinkExt, StreamExt};
    use http::{Request, Response};
    use tokio::{io::DuplexStream, sync::mpsc, time::timeout};
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
    use tower::{ServiceExt, service_fn};

    use super::{Connection, Frame, WebSocketConfig};
    use crate::{
        Drain, OnUpgrade, Pending, Policy, Protocol, Upgrade, Upgraded,
        lifetime::Draining,
        ws::{CloseFrame, DeadPeer, Message, WebSocket, close_code, options::Options},
    };

    type Client = WebSocketStream<DuplexStream>;

    async fn upgraded(io: DuplexStream) -> Upgraded {
        let (send, mut receive) = mpsc::unbounded_channel();
        let service = service_fn(move |mut request: Request<()>| {
            let send = send.clone();
            let on_upgrade = OnUpgrade::take(&mut request).unwrap();
            let response = on_upgrade.accept(async move |io| drop(send.send(io)));
            std::future::ready(Ok::<Response<()>, Infallible>(response))
        });
        let policy = Policy::require(Protocol::new("echo").unwrap());
        let request = Request::get("/")
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .extension(Pending::ready(io));
        let request = request.body(()).unwrap();
        Upgrade::new(service, policy)
            .oneshot(request)
            .await
            .unwrap();
        receive.recv().await.unwrap()
    }

    /// Both ends of a WebSocket that watches this drain.
    async fn pair(draining: Option<Draining>) -> (Client, WebSocket) {
        let (client, server) = tokio::io::duplex(1 << 10);
        let io = upgraded(server).await;
        let config = WebSocketConfig::default();
        let server = WebSocket::new(Connection::new(io, None, config, None, draining));
        let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        (client, server)
    }

    fn goodbye() -> CloseFrame {
        CloseFrame {
            code: close_code::AWAY,
            reason: "".into(),
        }
    }

    #[tokio::test]
    async fn when_the_drain_starts_the_peer_is_told_and_then_heard_to_its_end() {
        let drain = Drain::new();
        let (mut client, mut server) = pair(Some(drain.started())).await;
        for _ in 0..2 {
            assert!(server.recv().now_or_never().is_none());
        }
        let reader = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some(message) = server.recv().await {
                read.push(message.unwrap());
                let late = server.send(Message::text("goes nowhere")).await;
                assert_eq!(
                    late.is_err(),
                    read.len() == 2,
                    "an error once the peer has closed"
                );
            }
            read
        });
        tokio::task::yield_now().await;
        drain.start();
        tokio::task::yield_now().await;
        client.send(Frame::text("before it knew")).await.unwrap();
        let close = Message::from_engine(client.next().await.unwrap().unwrap());
        assert_eq!(close.unwrap(), Message::Close(Some(goodbye())));
        assert!(client.next().await.is_none(), "the server closes first");
        let expected = [
            Message::text("before it knew"),
            Message::Close(Some(goodbye())),
        ];
        assert_eq!(reader.await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_drain_that_started_before_is_noticed_at_the_first_read() {
        let drain = Drain::new();
        drain.start();
        let (mut client, mut server) = pair(Some(drain.started())).await;
        assert!(server.recv().now_or_never().is_none());
        assert!(client.next().await.unwrap().unwrap().is_close());
    }

    #[tokio::test]
    async fn a_goodbye_that_the_handler_said_is_not_said_again() {
        let drain = Drain::new();
        let (mut client, mut server) = pair(Some(drain.started())).await;
        let code = close_code::RESTART;
        let reason = "mine".into();
        let own = Message::Close(Some(CloseFrame { code, reason }));
        server.send(own.clone()).await.unwrap();
        drain.start();
        assert!(server.recv().now_or_never().is_none(), "no error either");
        let said = client.next().await.unwrap().unwrap();
        assert_eq!(Message::from_engine(said).unwrap(), own);
        client.flush().await.unwrap();
        assert!(matches!(server.recv().await, Some(Ok(Message::Close(_)))));
        assert!(server.recv().await.is_none());
        drop(server);
        assert!(client.next().await.is_none());
    }

    #[tokio::test]
    async fn without_a_drain_nothing_is_watched_or_said() {
        for draining in [None, Some(Draining::never())] {
            let (mut client, mut server) = pair(draining).await;
            assert!(server.0.parting.is_none());
            assert!(server.recv().now_or_never().is_none());
            assert!(client.next().now_or_never().is_none());
        }
    }

    #[tokio::test]
    async fn whoever_waits_to_write_is_woken_though_the_reader_says_goodbye() {
        let drain = Drain::new();
        let (mut client, server) = pair(Some(drain.started())).await;
        let (mut sink, mut stream) = server.split();
        let large = || Message::binary(vec![0; 10_000]);
        let writer = tokio::spawn(async move { sink.send(large()).await });
        tokio::task::yield_now().await;
        let reader = tokio::spawn(async move { stream.next().await });
        tokio::task::yield_now().await;
        drain.start();
        tokio::task::yield_now().await;
        assert_eq!(client.next().await.unwrap().unwrap().len(), 10_000);
        assert!(client.next().await.unwrap().unwrap().is_close());
        let written = timeout(Duration::from_secs(20), writer).await;
        written.expect("woken").unwrap().unwrap();
        client.flush().await.unwrap();
        assert!(reader.await.unwrap().is_some());
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<WebSocket>() <= size_of::<usize>());
        let size = size_of::<Connection>();
        assert!(size <= 512, "{size}");
        let options = Options::default();
        assert_eq!(options.config.read_buffer_size, 4096);
    }

    #[tokio::test]
    async fn to_fail_takes_little_room_in_a_handler() {
        let (_client, mut server) = pair(None).await;
        let error = axum::Error::new(DeadPeer);
        let size = size_of_val(&server.fail(&error));
        assert!(size <= 256, "{size}");
    }
}
