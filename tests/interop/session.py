"""Opens a WebSocket, has messages echoed, closes it, and prints what it saw as one line of JSON."""

import argparse
import asyncio
import json

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def echoes(ws, messages):
    """Sends each message and collects what comes back."""
    received = []
    for message in messages:
        await ws.send(message)
        received.append(await ws.recv())
    return received


async def talk(args):
    """Returns what one connection saw, from its handshake to its close."""
    options = {"origin": args.origin, "subprotocols": args.subprotocol, "proxy": None, "max_size": None}
    if args.plain:
        options["compression"] = None
    try:
        async with connect(args.url, **options) as ws:
            seen = {"status": 101, "subprotocol": ws.subprotocol}
            seen["echoes"] = await echoes(ws, args.message)
            binary = bytes(range(256)) * 256
            seen["binary"] = await echoes(ws, [binary]) == [binary]
            await ws.send(part for part in ("in ", "three ", "frames"))
            seen["fragments"] = await ws.recv()
            await (await ws.ping(b"there?"))
            await ws.close(1000, "done")
            seen["close"] = ws.close_code
            fields = ws.response.headers
    except InvalidStatus as refused:
        fields = refused.response.headers
        seen = {"status": refused.response.status_code, "body": refused.response.body.decode()}
    seen["fields"] = {name.lower(): value for name, value in fields.raw_items()}
    return seen


def arguments():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("message", nargs="*")
    parser.add_argument("--origin")
    parser.add_argument("--plain", action="store_true", help="offer no compression")
    parser.add_argument("--subprotocol", action="append")
    return parser.parse_intermixed_args()


async def main():
    """Talks, but no longer than 30 seconds."""
    async with asyncio.timeout(30):
        print(json.dumps(await talk(arguments())))


asyncio.run(main())
