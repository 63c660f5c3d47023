"""Waiting for a condition with a deadline, and finding a port that is free."""

from __future__ import annotations

import random
import socket
import time
import urllib.request
from collections.abc import Callable

from services.chassis.errors import Unavailable

LOOPBACK = "127.0.0.1"

# Below the range from which kernels take ports of outgoing connections (32768 on Linux, 49152 on macOS): a port that
# is free here stays free while its server starts, and while a killed server is being restarted.
PORTS = range(20_000, 32_000)
POLL_SECONDS = 0.05


def until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Return once `condition()` holds; after `seconds` without it raise `Unavailable(otherwise)`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(otherwise)
        time.sleep(POLL_SECONDS)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free to a server
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def says_ready(url: str) -> bool:
    """Whether this address answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own loopback address
            return bool(response.status == 200)
    except OSError:  # nobody listens, or the answer was another: either way it is not ready
        return False


def free_ports(count: int, preferred: tuple[int, ...] = ()) -> tuple[int, ...]:
    """`count` different free ports: each preferred one where it is free, another in its place where it is not."""
    chosen: list[int] = []
    for index in range(count):
        wanted = preferred[index] if index < len(preferred) else 0
        chosen.append(wanted if wanted and wanted not in chosen and is_free(wanted) else _another(chosen))
    return tuple(chosen)


def _another(taken: list[int]) -> int:
    for port in random.sample(PORTS, k=1000):
        if port not in taken and is_free(port):
            return port
    raise Unavailable(f"no port is free between {PORTS.start} and {PORTS.stop} on {LOOPBACK}")
