"""Making topics of one's own choosing, such as a publisher's. Those of the platform are made by whoever deploys it."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import Topic
from services.chassis import kafka
from services.chassis.errors import Transient, Unavailable

# On so many brokers as there are, up to these: what a record that counts rests on.
MOST_REPLICAS = 3


async def make(bootstrap: str, topics: Sequence[Topic], partitions: int) -> None:
    """Make the topics that are not there, and leave those that are. `Transient` if nobody answers, `Unavailable` if refused."""
    admin = await kafka.administrator(bootstrap)
    try:
        replicas = min(MOST_REPLICAS, len((await admin.describe_cluster())["brokers"]))
        wanted = [NewTopic(topic.name, partitions, replicas, topic_configs=topic.configs) for topic in topics]
        answer = await admin.create_topics(wanted)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"Kafka: {type(error).__name__}") from error
    finally:
        await admin.close()
    for name, code, *_ in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise Unavailable(f"topic {name} could not be made: {for_code(code).__name__}")


async def missing(bootstrap: str, topics: Sequence[Topic]) -> list[str]:
    """Which of the topics are not there. `Transient` if nobody answers."""
    admin = await kafka.administrator(bootstrap)
    try:
        known = set(await admin.list_topics())
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"Kafka: {type(error).__name__}") from error
    finally:
        await admin.close()
    return [topic.name for topic in topics if topic.name not in known]
