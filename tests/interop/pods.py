"""Runs commands by the `exec` of Kubernetes' client, and prints what came of them as JSON.

pods.py URL
"""

import json
import sys

from kubernetes import client
from kubernetes.stream import stream
from websocket import ABNF

configuration = client.Configuration()
configuration.host = sys.argv[1]
api = client.CoreV1Api(client.ApiClient(configuration))
seen = {}


def start(*command, stdin=False, pod="demo"):
    return stream(
        api.connect_get_namespaced_pod_exec,
        pod,
        "default",
        command=list(command),
        stdin=stdin,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )


ended = start("sh", "-c", "echo a && echo b >&2; exit 7")
seen["subprotocol"] = ended.sock.headers["sec-websocket-protocol"]
ended.run_forever(timeout=30)
seen["out"], seen["err"] = ended.read_stdout(), ended.read_stderr()
seen["code"] = ended.returncode

echoing = start("cat", stdin=True)
echoing.write_stdin("as text\n")
seen["text"] = echoing.readline_stdout(timeout=30)
echoing.write_stdin(b"as bytes\n")
seen["bytes"] = echoing.readline_stdout(timeout=30)
echoing.close()

succeeded = start("echo", "hello")
succeeded.run_forever(timeout=30)
seen["success"] = succeeded.returncode

# It reads when it has sent all of it.
large = start("cat", stdin=True)
large.sock.send_binary(b"\0" + b"x" * (8 << 20))
opcode, frame = large.sock.recv_data_frame(True)
while opcode != ABNF.OPCODE_CLOSE:
    opcode, frame = large.sock.recv_data_frame(True)
seen["too_large"] = int.from_bytes(frame.data[:2], "big")

try:
    start("cat", pod="other")
except client.ApiException as error:
    seen["refused"] = error.reason

print(json.dumps(seen))
