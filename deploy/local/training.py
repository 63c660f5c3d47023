"""An ahead-of-time cache of Kafka's classes (JEP 514): made once a machine, it halves the processor time of a start.

Making it takes longer than one start saves, so only what starts many brokers makes it: the fault tests. A broker uses
it when it is there; the JVM ignores one that does not fit its jars.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from deploy.local.jars import aot_cache, kafka_jars, one_at_a_time
from deploy.local.kafka import Kafka
from services.chassis.errors import Unavailable

WRITING_SECONDS = 240  # the JVM writes the cache as it ends: 10 s on a quiet machine


def train() -> None:
    """Make the cache unless it is there, by running a broker that is thrown away."""
    cache = aot_cache(kafka_jars())
    with one_at_a_time("training"):
        if not cache.exists():
            _write(cache)


def _write(cache: Path) -> None:
    fresh = cache.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="cairn-training-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder), java_options=(f"-XX:AOTCacheOutput={fresh}",))
        try:
            kafka.start()
        finally:
            for process in kafka.processes:
                process.stop(WRITING_SECONDS)
        if not fresh.exists():
            raise Unavailable("Java wrote no ahead-of-time cache")
    fresh.rename(cache)
