"""A publisher's topics in a cluster are those of the contracts, and nobody but the publisher may write to its inbox."""

from __future__ import annotations

import pytest

from contracts.topics import inbox_of, receipts_of
from tests.k8s.manifests import Object, of_kind, rendered, wrong

OVERLAY, NAME = "overlays/inbox", "algebra-app"


@pytest.mark.parametrize(
    "manifest", [pytest.param(each, id=f"{each['kind']} {each['metadata']['name']}") for each in rendered(OVERLAY)]
)
def test_every_object_is_what_its_schema_says(manifest: Object) -> None:
    assert wrong(manifest) == []


def test_both_topics_are_those_of_the_contracts() -> None:
    topics = of_kind(OVERLAY, "KafkaTopic")
    for topic in (inbox_of(NAME), receipts_of(NAME)):
        spec = topics[topic.name]["spec"]
        assert spec["config"] == topic.configs | {"min.insync.replicas": "2"}
        assert spec["replicas"] == 3


def test_the_publisher_writes_to_its_inbox_and_reads_its_receipts_and_that_is_all() -> None:
    (user,) = of_kind(OVERLAY, "KafkaUser").values()
    assert user["metadata"]["name"] == NAME
    acls = user["spec"]["authorization"]["acls"]
    assert all(acl.get("type", "allow") == "allow" for acl in acls)
    topics = {acl["resource"]["name"]: set(acl["operations"]) for acl in acls if acl["resource"]["type"] == "topic"}
    assert topics == {inbox_of(NAME).name: {"Write", "Describe"}, receipts_of(NAME).name: {"Read", "Describe"}}
    assert all(acl["resource"]["patternType"] == "literal" for acl in acls if acl["resource"]["type"] == "topic")


def test_the_broker_asks_an_access_list_and_who_publishes_shows_a_certificate() -> None:
    kafka = of_kind(OVERLAY, "Kafka")["cairn"]["spec"]
    assert kafka["kafka"]["authorization"]["type"] == "simple"
    assert kafka["entityOperator"]["userOperator"] == {}
    plain, inbox = kafka["kafka"]["listeners"]
    assert inbox["authentication"] == {"type": "tls"}
    assert plain["networkPolicyPeers"], "who is anonymous is one of ours"
