"""The connection to Ray: where the cluster is, whether it answers, and what it has room for."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from pathlib import Path
from textwrap import shorten
from typing import Any

from eigentropy.ranking.engines.gpus import GPU_ROUNDING

# Seconds in which a cluster answers that can be reached. Ray itself waits for minutes.
ANSWER = 10.0

LOCAL = "local"

# The start of a connection in HTTP/2: a fixed text, and settings, of which there are none. The
# server starts with its settings, too. A frame's head has nine bytes; the fourth is
# its kind.
_SETTINGS = b"\x04"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + bytes(5)
_HEAD = 9

# What Ray says where its version or that of Python differs.
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


def imported_ray() -> Any:
    """The package, or an ImportError that says which extra has it."""
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "engine='ray' needs Ray: pip install 'eigentropy[ray]', or take engine='processes', "
            "which runs the same tasks on this machine"
        ) from error
    return ray


def connect(ray: Any, address: str | None, workers: int | None) -> bool:
    """Connect to the cluster, or start Ray on this machine; False if that was done before.

    Raises
    ------
    ConnectionError
        Nothing answers at the address, or a cluster of another version.
    """
    if ray.is_initialized():  # the program's own choice, which we leave as it is
        return False
    place = _place(address)
    own: dict[str, Any] = (
        {"include_dashboard": False, "num_cpus": workers} if place == LOCAL else {}
    )
    try:
        ray.init(address=place, log_to_driver=False, logging_level="ERROR", **own)
    except (RuntimeError, ConnectionError) as error:
        raise ConnectionError(_why_not(str(error), place)) from error
    return True


def room_of(ray: Any, needs: dict[str, float]) -> int:
    """How many tasks that need so much of each resource run at a time on the nodes there are."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(
        min(int(has.get(name, 0.0) / need + GPU_ROUNDING) for name, need in needs.items())
        for has in nodes
    )


def require_room(ray: Any, needs: dict[str, float]) -> None:
    """Refuse what no node of the cluster has, which Ray would wait for without an end."""
    if room_of(ray, needs):
        return
    wanted = ", ".join(f"{name} {need:g}" for name, need in needs.items())
    nodes = [node for node in ray.nodes() if node["Alive"]]
    there = "; ".join(
        f"{node['NodeManagerHostname']}: "
        + ", ".join(f"{name} {node['Resources'].get(name, 0.0):g}" for name in needs)
        for node in nodes[:5]
    )
    raise ValueError(
        f"no node of the Ray cluster has what one task needs ({wanted}); of {len(nodes)} nodes: "
        f"{there}; take smaller gpus_per_task or memory_per_task, or add a node first"
    )


def _place(address: str | None) -> str:
    """What to give to ray.init: the address of a cluster that answers, or "local"."""
    if address == LOCAL:
        return LOCAL
    found = address if address not in (None, "auto") else _running()
    if found is None:
        if address is None:
            return LOCAL
        raise ConnectionError(
            "address is 'auto', and no Ray cluster runs on this machine, nor does RAY_ADDRESS name "
            "one; start one (ray start --head), give host:port, or take 'local'"
        )
    if found == LOCAL:
        return LOCAL
    try:
        _require_answer(found)
    except ConnectionError:
        if address is None and "RAY_ADDRESS" not in os.environ:
            return LOCAL  # what an earlier cluster has left behind
        raise
    return found


def _running() -> str | None:
    """The cluster that RAY_ADDRESS names, or that `ray start` has started last on this machine."""
    named = os.environ.get("RAY_ADDRESS")
    if named:
        return named
    folder = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray")
    try:
        return (folder / "ray_current_cluster").read_text().strip() or None
    except OSError:
        return None


def _require_answer(address: str) -> None:
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit() or not host:
        raise ConnectionError(
            f"address must be 'auto', 'local' or host:port of a Ray cluster, got {address!r}; the "
            "port is 6379 unless ray start was told another"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER) as connection:
            is_ray = _is_encrypted() or _greets(connection)
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"no Ray cluster answers at {address} ({error}); is it running (ray start --head), and "
            "does a firewall let this machine pass?"
        ) from error
    if not is_ray:
        raise ConnectionError(
            f"something listens at {address}, but it is no Ray cluster; is the head of Ray running "
            f"there (ray status --address {address}), at the port that ray start --head printed?"
        )


def _greets(connection: socket.socket) -> bool:
    """Whether a server answers the greeting of HTTP/2, which Ray speaks.

    Elsewhere Ray itself would try for 20 seconds, and print a line of its log in each.
    """
    answer = b""
    try:
        connection.sendall(_GREETING)
        while len(answer) < _HEAD and (more := connection.recv(_HEAD - len(answer))):
            answer += more
    except OSError:
        pass
    return answer[3:4] == _SETTINGS


def _is_encrypted() -> bool:
    """Whether Ray is told to use TLS, under which the greeting is not plain."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _why_not(text: str, place: str) -> str:
    versions = _VERSIONS.findall(text)
    if len(versions) == 2:
        (theirs, their_python), (ours, our_python) = versions
        return (
            f"the Ray cluster at {place} has Ray {theirs} with Python {their_python}, and this "
            f"program has Ray {ours} with Python {our_python}; both must be the same: "
            f"pip install 'ray=={theirs}' under Python {their_python}"
        )
    said = shorten(text, 300, placeholder=" ...")
    return (
        f"Ray at {place} cannot be used: {said}; is its head running there (ray status --address "
        f"{place})?"
    )
