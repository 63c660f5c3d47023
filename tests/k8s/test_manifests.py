"""The manifests are strictly valid, say what the contracts say, and tell each process all that it needs."""

from __future__ import annotations

import importlib
from copy import deepcopy
from typing import Any

import pytest

from contracts.topics import TOPICS
from deploy.images import EXTRAS
from tests.k8s.manifests import OVERLAYS, Object, containers, environment, of_kind, rendered, wrong

EVERY = [
    pytest.param(each, id=f"{overlay}: {each['kind']} {each['metadata']['name']}")
    for overlay in OVERLAYS
    for each in rendered(overlay)
]
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_service = pytest.mark.parametrize("service", EXTRAS)
SECRET_WORDS = ("PASSWORD", "KEY", "SECRET", "TOKEN")


@pytest.mark.parametrize("manifest", EVERY)
def test_every_object_is_what_its_schema_says(manifest: Object) -> None:
    assert wrong(manifest) == []


MISTAKES: dict[str, tuple[str, str, list[str | int], Any]] = {
    "a misspelt field of a pod": ("Deployment", "mastery", ["spec", "template", "spec", "restartPolice"], "Always"),
    "a misspelt field of a container": ("Deployment", "mastery", ["spec", "template", "spec", "containers", 0, "livenesProbe"], {}),
    "a number that is none": ("Deployment", "mastery", ["spec", "replicas"], "two"),
    "a misspelt field of a policy": ("NetworkPolicy", "services", ["spec", "ingres"], []),
    "no partitions": ("KafkaTopic", "evidence.log", ["spec", "partitions"], 0),
    "a topic's misspelt field": ("KafkaTopic", "evidence.log", ["spec", "replica"], 3),
    "a role that brokers lack": ("KafkaNodePool", "brokers", ["spec", "roles"], ["leader"]),
    "a broker's misspelt field": ("Kafka", "cairn", ["spec", "kafka", "listener"], []),
    "a cluster's misspelt field": ("Cluster", "postgres", ["spec", "instance"], 3),
    "a database of nobody": ("Database", "cairn-mastery", ["spec", "owner"], None),
}


@pytest.mark.parametrize(("kind", "name", "path", "value"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found(kind: str, name: str, path: list[str | int], value: object) -> None:
    manifest = deepcopy(of_kind("base", kind)[name])
    *way, last = path
    place: Any = manifest
    for step in way:
        place = place[step]
    place[last] = value
    assert wrong(manifest) != []


def test_an_object_of_a_kind_without_a_schema_is_wrong() -> None:
    assert wrong({"apiVersion": "example.org/v1", "kind": "Surprise", "metadata": {"name": "x"}}) != []


@each_overlay
def test_the_topics_are_those_of_the_contracts(overlay: str) -> None:
    topics = of_kind(overlay, "KafkaTopic")
    assert set(topics) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        spec = topics[topic.name]["spec"]
        assert spec["config"] == topic.configs | {"min.insync.replicas": "2"}
        assert (spec["partitions"], spec["replicas"]) == (64, 3)
        assert topics[topic.name]["metadata"]["labels"]["strimzi.io/cluster"] in of_kind(overlay, "Kafka")


@each_overlay
def test_the_log_has_as_many_partitions_as_its_topics(overlay: str) -> None:
    (settings,) = of_kind(overlay, "ConfigMap").values()
    assert {int(settings["data"]["CAIRN_PARTITIONS"])} == {
        topic["spec"]["partitions"] for topic in of_kind(overlay, "KafkaTopic").values()
    }


@each_overlay
def test_no_record_rests_on_one_machine(overlay: str) -> None:
    config = of_kind(overlay, "Kafka")["cairn"]["spec"]["kafka"]["config"]
    assert (config["default.replication.factor"], config["min.insync.replicas"]) == (3, 2)
    assert config["unclean.leader.election.enable"] is config["auto.create.topics.enable"] is False
    assert all(pool["spec"]["replicas"] >= 3 for pool in of_kind(overlay, "KafkaNodePool").values())
    postgres = of_kind(overlay, "Cluster")["postgres"]["spec"]
    assert postgres["instances"] >= 3
    assert postgres["postgresql"]["synchronous"]["dataDurability"] == "required"


@each_overlay
def test_there_is_a_deployment_a_service_with_its_own_database_and_login(overlay: str) -> None:
    databases = {each["spec"]["name"]: each["spec"]["owner"] for each in of_kind(overlay, "Database").values()}
    assert set(of_kind(overlay, "Deployment")) == set(EXTRAS)
    assert databases == {f"cairn_{service}": service for service in EXTRAS}
    logins = {role["name"] for role in of_kind(overlay, "Cluster")["postgres"]["spec"]["managed"]["roles"] if role["login"]}
    assert logins == set(EXTRAS)


@each_overlay
@each_service
def test_a_pod_migrates_then_serves_and_works_with_probes_on_both(overlay: str, service: str) -> None:
    migrate, *processes = containers(of_kind(overlay, "Deployment")[service])
    assert migrate["args"] == ["migrate", service]
    assert [process["args"] for process in processes] == [[service, "serve"], [service, "work"]]
    for process in processes:
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert path in str(process[probe])
            assert str(environment(overlay, process)["CAIRN_PORT"]) in str(process["ports"])


@each_overlay
@each_service
def test_every_container_is_nobody_on_a_read_only_disk(overlay: str, service: str) -> None:
    deployment = of_kind(overlay, "Deployment")[service]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in containers(deployment):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@each_overlay
@each_service
def test_a_pod_may_be_drained_and_never_all_of_them(overlay: str, service: str) -> None:
    budget = of_kind(overlay, "PodDisruptionBudget")[service]["spec"]
    deployment = of_kind(overlay, "Deployment")[service]["spec"]
    assert 1 <= budget["minAvailable"] < deployment["replicas"]
    assert budget["selector"] == deployment["selector"]


@each_overlay
@each_service
def test_our_pods_are_closed_to_everybody_not_named(overlay: str, service: str) -> None:
    labels = of_kind(overlay, "Deployment")[service]["spec"]["template"]["metadata"]["labels"]
    policy = of_kind(overlay, "NetworkPolicy")["services"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(rule.get("from") or rule.get("to") for rule in (*policy["ingress"], *policy["egress"]))


@each_overlay
def test_no_secret_is_written_down(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    for deployment in of_kind(overlay, "Deployment").values():
        for container in containers(deployment):
            for entry in container["env"]:
                assert not any(word in entry["name"] for word in SECRET_WORDS) or "valueFrom" in entry
                assert "@" not in entry.get("value", "") or ":" not in entry["value"].split("//")[1].split("@")[0]


@pytest.mark.parametrize("process", ["serve", "work"])
@each_service
def test_production_tells_each_process_all_that_it_needs(service: str, process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = of_kind("overlays/production", "Deployment")[service]
    (container,) = (each for each in containers(deployment) if each["name"] == process)
    for name, value in environment("overlays/production", container).items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module(f"services.{service}.app")
    settings = settings_class(service)()
    assert settings.mode == "production"
    make = app.create_api if process == "serve" else app.create_worker
    assert make(settings).title


@each_service
def test_every_variable_is_one_that_the_service_knows(service: str) -> None:
    fields = settings_class(service).model_fields
    known = {str(field.validation_alias or f"CAIRN_{name.upper()}") for name, field in fields.items()}
    shared = {"CAIRN_PARTITIONS", "CAIRN_TIMEZONE", "CAIRN_ISSUER"}  # told to all, read by one
    for container in containers(of_kind("overlays/production", "Deployment")[service]):
        names = {name for name in environment("overlays/production", container) if name.startswith("CAIRN_")}
        assert names - shared <= known


def settings_class(service: str) -> Any:
    """The service's settings, whatever it calls them."""
    module = importlib.import_module(f"services.{service}.settings")
    (found,) = (
        each
        for each in vars(module).values()
        if getattr(each, "__module__", "") == module.__name__ and hasattr(each, "model_fields")
    )
    return found
