"""A Ray of two workers on this machine, which ends with the test program, however that ends."""

from __future__ import annotations

import shutil
import socketserver
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from threading import Thread

# No port is chosen by us, and the folder has a short name: a socket's has 107 letters at most.
_HEAD = """
import sys, ray
ray.init(
    address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
    logging_level="ERROR", object_store_memory=80 * 2**20, _temp_dir=sys.argv[1],
)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


# How a server of HTTP/2 begins: settings, of which there are none.
GREETING = b"\0\0\0\4\0\0\0\0\0"


@contextmanager
def listener(answer):
    """The address of what says the same to everyone, whether Ray's greeting or not."""

    class Answering(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(100)
            self.request.sendall(answer)
            while answer == b"" and self.request.recv(100):
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def cluster():
    """The address of a cluster."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    head = subprocess.Popen(
        [sys.executable, "-c", _HEAD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield head.stdout.readline().strip()
    finally:
        head.communicate("", timeout=60)
        shutil.rmtree(folder, ignore_errors=True)
