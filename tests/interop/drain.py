"""Opens WebSockets, says so, waits until the server has closed them all, and prints the codes it closed them with."""

import argparse
import asyncio
import collections
import json

from websockets.asyncio.client import connect


async def hold(url, opened):
    """Returns the code that one connection was closed with."""
    async with connect(url, proxy=None) as ws:
        await ws.send("hello")
        await ws.recv()
        opened.release()
        await ws.wait_closed()
        return ws.close_code


async def hold_all(url, count):
    """Returns how many connections were closed with which code."""
    opened = asyncio.Semaphore(0)
    held = [asyncio.create_task(hold(url, opened)) for _ in range(count)]
    for _ in held:
        await opened.acquire()
    print("all are open", flush=True)
    return collections.Counter(await asyncio.gather(*held))


def arguments():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    return parser.parse_args()


async def main():
    """Holds them, but no longer than 30 seconds."""
    args = arguments()
    async with asyncio.timeout(30):
        print(json.dumps(await hold_all(args.url, args.count)))


asyncio.run(main())
