"""Asks a server of HTTP/3, by aioquic, for pages and tunnels, and says a line for each that went well.

    aioquic_client.py site|example PORT CERTIFICATE.PEM

`site` is the server of the tests, `example` is `examples/http3.rs`, which has to end when this has said `waiting`.
"""

import asyncio
import os
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection, Setting
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import StreamReset
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage

PATIENCE = 30


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.http = H3Connection(self._quic)
        self.events = {}

    def quic_event_received(self, event):
        if isinstance(event, StreamReset):
            self.queue(event.stream_id).put_nowait(event)
        for http_event in self.http.handle_event(event):
            self.queue(http_event.stream_id).put_nowait(http_event)

    def queue(self, stream):
        return self.events.setdefault(stream, asyncio.Queue())

    async def next(self, stream):
        return await asyncio.wait_for(self.queue(stream).get(), PATIENCE)

    def request(self, method, path, *fields, end=True):
        stream = self._quic.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        head = [(name.encode(), value.encode()) for name, value in [*head, *fields]]
        # Pseudo-fields first.
        head.sort(key=lambda field: not field[0].startswith(b":"))
        self.http.send_headers(stream, head, end_stream=end)
        self.transmit()
        return stream

    def send(self, stream, data, end=False):
        self.http.send_data(stream, data, end)
        self.transmit()

    async def answer(self, stream):
        event = await self.next(stream)
        assert isinstance(event, HeadersReceived), event
        return dict((name.decode(), value.decode()) for name, value in event.headers), event.stream_ended

    async def content(self, stream, ended=False):
        """All that is sent from here on."""
        content = b""
        while not ended:
            event = await self.next(stream)
            assert isinstance(event, DataReceived), event
            content += event.data
            ended = event.stream_ended
        return content

    async def exactly(self, stream, length):
        content = b""
        while len(content) < length:
            event = await self.next(stream)
            assert isinstance(event, DataReceived), event
            content += event.data
        return content


def connected(protocol):
    return (":protocol", protocol)


async def pages(client):
    stream = client.request("GET", "/")
    head, ended = await client.answer(stream)
    print("GET:", head[":status"], (await client.content(stream, ended)).decode())

    stream = client.request("POST", "/length", ("content-length", "100000"), end=False)
    client.send(stream, os.urandom(60_000))
    client.send(stream, os.urandom(40_000), end=True)
    head, ended = await client.answer(stream)
    print("POST:", head[":status"], (await client.content(stream, ended)).decode())

    # Of the static table, with values of its own and of ours, in Huffman's code where that is shorter.
    fields = [
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, br"),
        ("user-agent", "aioquic of Python"),
        ("cookie", "a=1; b=~^{}|<>"),
        ("x-of-our-own", "".join(map(chr, range(32, 127))).strip()),
        ("content-length", "0"),
    ]
    head, _ = await client.answer(client.request("GET", "/", *fields))
    print("fields:", head[":status"])

    head, _ = await client.answer(client.request("GET", "/ws"))
    print("GET of a WebSocket:", head[":status"], head["allow"])


async def websocket(client):
    stream, _ = await handshake(client)
    engine = Connection(ConnectionType.CLIENT)
    messages = ["one", "two" * 30_000, b"\0\1\2", b"x" * 70_000, ""]
    for message in messages:
        kind = TextMessage if isinstance(message, str) else BytesMessage
        client.send(stream, engine.send(kind(data=message)))
        whole, finished = message[:0], False
        while not finished:
            event = await client.next(stream)
            engine.receive_data(event.data)
            for part in engine.events():
                whole += part.data
                finished = part.message_finished
        assert whole == message, (len(whole), len(message))
    client.send(stream, engine.send(CloseConnection(code=1000)))
    print(f"websocket: {len(messages)} messages, closed {await close_code(client, stream, engine)}")


async def handshake(client, *fields):
    version = ("sec-websocket-version", "13")
    stream = client.request("CONNECT", "/ws", connected("websocket"), version, *fields, end=False)
    head, _ = await client.answer(stream)
    assert head[":status"] == "200", head
    return stream, head


async def close_code(client, stream, engine):
    while True:
        event = await client.next(stream)
        engine.receive_data(event.data)
        for part in engine.events():
            if isinstance(part, CloseConnection):
                if engine.state is not ConnectionState.CLOSED:
                    client.send(stream, engine.send(part.response()), end=True)
                return part.code


async def tunnels(client):
    stream = client.request("CONNECT", "/multi", connected("echo/1.0"), end=False)
    head, _ = await client.answer(stream)
    assert head[":status"] == "200", head
    client.send(stream, b"before the end")
    assert await client.exactly(stream, 14) == b"before the end"
    client.send(stream, b"and at it", end=True)
    assert await client.content(stream) == b"and at it"
    print("echo/1.0: half-closed")

    stream = client.request("CONNECT", "/multi", connected("echo/3.0"), end=False)
    head, ended = await client.answer(stream)
    await client.content(stream, ended)
    print("unknown:", head[":status"])

    stream = client.request("CONNECT", "/watch", connected("echo/1.0"), end=False)
    head, _ = await client.answer(stream)
    assert head[":status"] == "200", head
    client.send(stream, b"12345")
    client._quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
    client._quic.stop_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
    client.transmit()
    event = await client.next(stream)
    assert isinstance(event, StreamReset), event
    print("reset: sent")


async def example(client):
    head, ended = await client.answer(client.request("GET", "/"))
    assert "alt-svc" not in head, head
    page = client.request("GET", "/")
    head, ended = await client.answer(page)
    print("page:", head[":status"], (await client.content(page, ended)).decode().strip())

    _, head = await handshake(client, ("sec-websocket-protocol", "v1, v2"))
    print("subprotocol:", head["sec-websocket-protocol"])

    for protocol in ["echo/2.0", "echo/1.0", "echo/3.0"]:
        stream = client.request("CONNECT", "/multi", connected(protocol), end=False)
        head, ended = await client.answer(stream)
        if head[":status"] == "200":
            client.send(stream, b"Loud", end=True)
        content = await client.content(stream, ended)
        print(f"{protocol}: {head[':status']} {content.decode().strip()}")


async def drain(client):
    """Waits until the server ends, with a WebSocket open, and says how that went."""
    stream, _ = await handshake(client)
    engine = Connection(ConnectionType.CLIENT)
    print("waiting", flush=True)
    print("goodbye:", await close_code(client, stream, engine))
    await asyncio.wait_for(client.wait_closed(), PATIENCE)
    print("closed:", hex(client._quic._close_event.error_code))


async def main(what, port, certificate):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost")
    configuration.load_verify_locations(certificate)
    connection = connect("127.0.0.1", port, configuration=configuration, create_protocol=Client)
    async with connection as client:
        if what == "example":
            await example(client)
        else:
            await pages(client)
        settings = client.http.received_settings
        assert settings[Setting.ENABLE_CONNECT_PROTOCOL] == 1, settings
        print("settings: extended CONNECT")
        await websocket(client)
        if what == "example":
            await drain(client)
        else:
            await tunnels(client)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
