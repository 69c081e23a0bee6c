//! A client that sends what it is told to, right or wrong.

use std::{
    net::Ipv4Addr,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use quinn::{
    ClientConfig, Connection, Endpoint, ReadError, RecvStream, SendStream, TransportConfig, VarInt,
    crypto::rustls::QuicClientConfig,
};
use rustls::RootCertStore;

use crate::{server::Site, soon, wire};

pub(crate) struct Client {
    pub(crate) connection: Connection,
    /// Ours, which has to stay open.
    pub(crate) control: SendStream,
    _endpoint: Endpoint,
}

impl Client {
    /// Connects, and says in its settings that it has none.
    pub(crate) async fn connect(server: &Site) -> Self {
        let mut client = Self::bare(server).await;
        client.control.write_all(&[0, 4, 0]).await.unwrap();
        client
    }

    /// Connects, and says nothing.
    pub(crate) async fn bare(server: &Site) -> Self {
        Self::by(server, config(server)).await
    }

    /// Connects as `connect` does, and has room for so much on each stream.
    pub(crate) async fn with_window(server: &Site, window: u32) -> Self {
        let mut transport = TransportConfig::default();
        transport.stream_receive_window(VarInt::from_u32(window));
        let mut config = config(server);
        config.transport_config(Arc::new(transport));
        let mut client = Self::by(server, config).await;
        client.control.write_all(&[0, 4, 0]).await.unwrap();
        client
    }

    async fn by(server: &Site, config: ClientConfig) -> Self {
        let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(config);
        let connecting = endpoint.connect(server.address, "localhost").unwrap();
        let connection = soon(connecting).await.unwrap();
        let control = connection.open_uni().await.unwrap();
        Self {
            connection,
            control,
            _endpoint: endpoint,
        }
    }

    pub(crate) async fn open(&self) -> Stream {
        let (send, recv) = soon(self.connection.open_bi()).await.unwrap();
        Stream {
            send,
            reading: Reading { recv, left: 0 },
        }
    }

    /// Sends the head of a request.
    pub(crate) async fn request(&self, fields: &[(&str, &str)]) -> Stream {
        let mut stream = self.open().await;
        let head = wire::frame(wire::HEADERS, &wire::encode(fields));
        soon(stream.send.write_all(&head)).await.unwrap();
        stream
    }

    pub(crate) async fn get(&self, path: &str) -> Stream {
        let mut stream = self.request(&head("GET", path)).await;
        stream.finish();
        stream
    }

    /// Sends an extended CONNECT.
    pub(crate) async fn offer(&self, path: &str, protocol: &str) -> Stream {
        let mut fields = head("CONNECT", path).to_vec();
        fields.push((":protocol", protocol));
        if protocol.eq_ignore_ascii_case("websocket") {
            fields.push(("sec-websocket-version", "13"));
        }
        self.request(&fields).await
    }

    /// Sends an extended CONNECT that is accepted.
    pub(crate) async fn tunnel(&self, path: &str, protocol: &str) -> Stream {
        let mut stream = self.offer(path, protocol).await;
        assert_eq!(stream.answer().await.status, "200");
        stream
    }

    /// The server's control stream, from behind its type.
    pub(crate) async fn server_control(&self) -> Reading {
        loop {
            let mut recv = soon(self.connection.accept_uni()).await.unwrap();
            let mut kind = [1];
            soon(recv.read_exact(&mut kind)).await.unwrap();
            if kind == [0] {
                return Reading { recv, left: 0 };
            }
        }
    }

    /// Waits until the server closes the connection, and tells with what code.
    pub(crate) async fn close_code(&self) -> u64 {
        match soon(self.connection.closed()).await {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into(),
            other => panic!("{other}"),
        }
    }
}

pub(crate) fn head<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ]
}

pub(crate) fn tls(server: &Site) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls
}

pub(crate) fn config(server: &Site) -> ClientConfig {
    let tls = QuicClientConfig::try_from(tls(server)).unwrap();
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(WINDOW));
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    config
}

/// How much a client takes on a stream ahead of what it reads.
pub(crate) const WINDOW: u32 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    fields: Vec<(String, String)>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|field| field.0 == name).map(|field| &*field.1)
    }
}

pub(crate) struct Stream {
    pub(crate) send: SendStream,
    pub(crate) reading: Reading,
}

/// What the server sends.
pub(crate) struct Reading {
    pub(crate) recv: RecvStream,
    /// Of the current frame.
    left: u64,
}

impl Deref for Stream {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.reading
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut Reading {
        &mut self.reading
    }
}

impl Stream {
    /// Sends a DATA frame.
    pub(crate) async fn write(&mut self, octets: &[u8]) {
        let octets = wire::frame(wire::DATA, octets);
        soon(self.send.write_all(&octets)).await.unwrap();
    }

    pub(crate) fn finish(&mut self) {
        self.send.finish().unwrap();
    }
}

impl Reading {
    /// Reads the type of the next frame that means something, and keeps its length.
    pub(crate) async fn next(&mut self) -> Result<Option<u64>, ReadError> {
        loop {
            match self.any().await? {
                Some(kind) if wire::is_grease(kind) => drop(self.payload().await),
                other => return Ok(other),
            }
        }
    }

    async fn any(&mut self) -> Result<Option<u64>, ReadError> {
        let mut head = Vec::new();
        loop {
            if let Some((kind, length, _)) = wire::pair(&head) {
                self.left = length;
                return Ok(Some(kind));
            }
            let mut octet = [0];
            if soon(self.recv.read(&mut octet)).await?.is_none() {
                assert!(head.is_empty(), "a frame's head is cut");
                return Ok(None);
            }
            head.extend(octet);
        }
    }

    /// Reads the rest of the current frame.
    pub(crate) async fn payload(&mut self) -> Vec<u8> {
        let mut payload = vec![0; usize::try_from(self.left).unwrap()];
        soon(self.recv.read_exact(&mut payload)).await.unwrap();
        self.left = 0;
        payload
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        assert_eq!(self.next().await.unwrap(), Some(wire::HEADERS));
        let mut fields = wire::decode(&self.payload().await);
        let (name, status) = fields.remove(0);
        assert_eq!(name, ":status");
        Answer { status, fields }
    }

    /// Reads some of what DATA frames carry, or nothing at the end.
    pub(crate) async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError> {
        while self.left == 0 {
            match self.next().await? {
                Some(kind) => assert_eq!(kind, wire::DATA),
                None => return Ok(0),
            }
        }
        let room = buf.len().min(usize::try_from(self.left).unwrap());
        let read = soon(self.recv.read(&mut buf[..room])).await?;
        let read = read.expect("a frame is cut");
        self.left -= read as u64;
        Ok(read)
    }

    pub(crate) async fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut all = vec![0; length];
        let mut at = 0;
        while at < length {
            let read = self.read(&mut all[at..]).await.unwrap();
            assert!(read > 0, "ended after {at} of {length}");
            at += read;
        }
        all
    }

    pub(crate) async fn read_to_end(&mut self) -> Result<Vec<u8>, ReadError> {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.read(&mut buffer).await? {
                0 => return Ok(all),
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
    }

    /// Reads until the server resets the stream, and tells with what code.
    pub(crate) async fn reset_code(&mut self) -> u64 {
        let mut buffer = [0; 4096];
        loop {
            match soon(self.recv.read(&mut buffer)).await {
                Ok(Some(_)) => {}
                Err(ReadError::Reset(code)) => return code.into_inner(),
                other => panic!("{other:?}"),
            }
        }
    }
}

pub(crate) const CANCELLED: VarInt = VarInt::from_u32(0x10c);
