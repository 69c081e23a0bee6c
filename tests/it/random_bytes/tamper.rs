//! Requests as nobody should send them.

use crate::{gallery_probe::masked, wire::Request};

/// A request that is sound, mostly.
pub(super) fn request(random: &mut Random) -> Request {
    let websockets = [
        "/ws",
        "/either",
        "/multi",
        "/decline",
        "/unaware",
        "/axum",
        "/get-only",
    ];
    let others = [
        "/",
        "/closed",
        "/secure",
        "/http2",
        "/nowhere",
        "http://a.example/ws",
    ];
    let contents = ["/exec", "/unread", "/multi-server"];
    let content = ["", "BODY!", "GET / HTTP/1.1\r\n\r\n"];
    let request = match random.below(8) {
        0 => Request::websocket(random.pick(&others)),
        1 | 2 => Request::upgrade(random.pick(&contents), "echo/1.0")
            .method("POST")
            .content(random.pick(&content)),
        3 => Request::upgrade(random.pick(&contents), "echo/2.0, echo/1.0"),
        _ => Request::websocket(random.pick(&websockets)),
    };
    let name = random.pick(&[
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Key",
        "Origin",
        "Expect",
    ]);
    let value = random.pick(&[
        "close, Upgrade",
        "websocket",
        "AAAA",
        "http://b.example",
        "100-continue",
    ]);
    match random.below(6) {
        0 => request.set(name, value),
        1 => request.add(name, value),
        2 => request.without(name),
        _ => request,
    }
}

/// Does one thing to the bytes that a client should not.
pub(super) fn tamper(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below(bytes.len() - at + 1).min(40);
    match random.below(9) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.insert(at, random.next() as u8),
        3 => bytes.extend(masked("a frame")),
        4 => bytes.extend((0..random.below(600)).map(|_| random.next() as u8)),
        5 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        6 => {
            let lines: Vec<_> = bytes
                .split_inclusive(|b| *b == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            if let Some(line) = lines.get(random.below(lines.len() + 1)) {
                let line = line.clone();
                let behind = lines[0].len();
                bytes.splice(behind..behind, line);
            }
        }
        7 => {
            let odd: [&[u8]; 8] = [b",", b"\t", b"\0", b"\r", b"\n ", b"\"", b"\xff", b";q=\""];
            bytes.splice(at..at, random.pick(&odd).iter().copied());
        }
        _ => bytes.extend(request(random).to_bytes()),
    }
    if bytes.is_empty() {
        bytes.push(b'\n');
    }
}

/// Marsaglia's xorshift, which is random enough to break things.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}
