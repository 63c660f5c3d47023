"""What a publisher may send, the words of a refusal, and what makes two submissions the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode, finish
from contracts.events import ClassRegistered, EvidenceCarried, EvidenceSubmitted, StaffRegistered, StudentEnrolled
from services.chassis.errors import Rejected
from services.evidence.admit import _FORM, Key, Resolution, canonical, draft, refusal
from services.evidence.grants import Publisher
from tests.unit.evidence.submissions import ALGEBRA, CURRICULUM, admitted, an_event, an_item

PSEUDONYM, TEACHER = "s-" + "a" * 26, "p-" + "b" * 26
PEOPLE = {Key("sis", "104"): PSEUDONYM, Key("sis", "t1"): TEACHER}
BIG = 10**400


def refused(event: object, publisher: Publisher = ALGEBRA) -> Rejected:
    with pytest.raises(Rejected) as found:
        admitted(event, publisher)
    return found.value


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"data": {"score": "0.5"}}, "/data/score"),
        ({"data": {"score": True}}, "/data/score"),
        ({"data": {"score": Decimal("0.0001")}}, "/data/score"),
        ({"data": {"score": Decimal("1E+400")}}, "/data/score"),
        ({"data": {"score": Decimal("NaN")}}, "/data/score"),
        ({"data": {"score": 1_000_001}}, "/data/score"),
        ({"data": {"score": BIG}}, "/data/score"),
        ({"data": {"score": None}}, "/data/score"),
        ({"data": {"attempt": True}}, "/data/attempt"),
        ({"data": {"attempt": Decimal("1.0")}}, "/data/attempt"),
        ({"data": {"attempt": "1"}}, "/data/attempt"),
        ({"data": {"attempt": 0}}, "/data/attempt"),
        ({"data": {"kind": "guess"}}, "/data/kind"),
        ({"data": {"comment": "she did well"}}, "/data"),
        ({"data": {"she did well": 1}}, "/data"),
        ({"data": {"competency": "two words"}}, "/data/competency"),
        ({"data": {"competency": "https://a.b/c?d"}}, "/data/competency"),
        ({"data": {"student": "104"}}, "/data/student"),
        ({"data": {"student": {"scheme": "sis", "value": ""}}}, "/data/student/value"),
        ({"data": {"student": {"scheme": "sis", "value": "a\x00b"}}}, "/data/student/value"),
        ({"data": {"student": {"scheme": "sis", "value": "\ud800"}}}, "/data/student/value"),
        ({"data": {"accommodations": ["a"] * 17}}, "/data/accommodations"),
        ({"data": {"accommodations": "extra-time"}}, "/data/accommodations"),
        ({"data": {"due": "2026-03-02"}}, "/data/due"),
        ({"data": {"due": "1700000000"}}, "/data/due"),
        ({"data": {"provenance": "copied"}}, "/data/provenance"),
        ({"data": {"entered": "2026-03-02T10:00:00"}}, "/data/entered"),
        ({"time": "2026-03-02T10:00:00"}, "/time"),
        ({"time": "1700000000"}, "/time"),
        ({"time": 1700000000}, "/time"),
        ({"time": "2026-02-30T10:00:00Z"}, "/time"),
        ({"time": "2026-03-02T10:00:60Z"}, "/time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "/time"),
        ({"time": "٢٠٢٦-03-02T10:00:00Z"}, "/time"),
        ({"time": None}, "/time"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"id": "x" * 129}, "/id"),
        ({"id": "a\nb"}, "/id"),
        ({"subject": PSEUDONYM}, ""),
        ({"datacontenttype": "text/plain"}, "/datacontenttype"),
        ({"dataschema": "urn:cairn:schema:evidence.submitted.v2"}, "/dataschema"),
        ({"sourcesequence": -1}, "/sourcesequence"),
        ({"data": []}, "/data"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_what_was_expected(changes: dict[str, Any], pointer: str) -> None:
    event = an_event()
    event |= {name: value for name, value in an_event(**changes).items() if name in changes or name == "data"}
    if None in changes.values():
        event = an_event(**changes)
    if changes.get("data") == []:
        event["data"] = []
    rejected = refused(event)
    assert (rejected.code, rejected.pointer, rejected.status) == ("invalid-field", pointer, 422)
    assert rejected.expected


@pytest.mark.parametrize("event", [None, 1, "event", [], [an_event()]])
def test_what_is_no_object_is_no_event(event: object) -> None:
    assert refused(event).code == "not-an-event"


@pytest.mark.parametrize("type", ["cairn.evidence.submitted.v2", "cairn.mastery.changed.v1", "cairn.log.ticked.v1", 7, None, {}])
def test_an_unknown_type_or_version_is_refused_with_the_ones_that_may_be_sent(type: object) -> None:
    rejected = refused(an_event() | {"type": type})
    assert (rejected.code, rejected.pointer) == ("unknown-type", "/type")
    assert EvidenceSubmitted.TYPE in rejected.expected


def test_a_type_outside_the_grant_is_forbidden() -> None:
    rejected = refused(an_event(StudentEnrolled.TYPE))
    assert (rejected.code, rejected.status, rejected.expected) == (
        "outside-grant",
        403,
        "a type granted to this publisher: evidence.submitted",
    )


@pytest.mark.parametrize("source", ["geometry", "algebraic", "cairn", "ALGEBRA", "x/algebra"])
def test_a_foreign_source_is_forbidden(source: str) -> None:
    assert (refused(an_event(source=source)).code, refused(an_event(source=source)).status) == ("foreign-source", 403)
    admitted(an_event(source="algebra/quiz"))


SCHOOL = {"school": "HS1", "label": "High school"}


def test_a_publisher_for_some_schools_speaks_about_no_other_and_not_about_the_district() -> None:
    types = frozenset(CURRICULUM.types)
    local = Publisher("algebra", types, frozenset({"HS1"}))
    admitted(an_event("cairn.school.registered.v1", data=SCHOOL), local)
    for event in (
        an_event("cairn.school.registered.v1", data=SCHOOL | {"school": "HS2"}),
        an_event("cairn.scale.published.v1", data=A_SCALE),
    ):
        assert refused(event, local).code == "outside-grant"


def test_a_publisher_for_some_schools_states_nobody_of_another_school_as_well() -> None:
    local = Publisher("algebra", frozenset(CURRICULUM.types), frozenset({"HS1", "HS3"}))
    staff = {"staff": {"scheme": "sis", "value": "t1"}, "role": "teacher"}
    admitted(an_event("cairn.staff.registered.v1", data=staff | {"schools": ["HS1", "HS3"]}), local)
    assert refused(an_event("cairn.staff.registered.v1", data=staff | {"schools": ["HS1", "HS2"]}), local).code == "outside-grant"


def test_an_event_of_a_student_without_a_school_passes_on_to_the_check_of_her_own_school() -> None:
    local = Publisher("algebra", frozenset(CURRICULUM.types), frozenset({"HS1"}))
    data = {"student": {"scheme": "sis", "value": "104"}, "programme": "IEP", "effective": "2026-03-02"}
    assert admitted(an_event("cairn.programme.changed.v1", data=data), local).students


A_LEVEL = {"level": 1, "label": "1", "at_thousandths": 0}
A_SCALE = {"scale": "d4", "version": 1, "label": "D", "levels": [A_LEVEL]}
A_COMPETENCY = {"competency": "c", "label": "C", "axis": "skill"}
A_FRAMEWORK = {"framework": "f", "version": 1, "label": "F", "count": 2}
A_POLICY = {
    "policy": "p",
    "version": 1,
    "framework": "hs",
    "method": {"name": "latest"},
    "order": "occurred",
    "scale": "d4",
}


@pytest.mark.parametrize(
    ("type", "data", "pointer"),
    [
        ("scale", A_SCALE | {"levels": [A_LEVEL] * 2}, "/data/levels"),
        ("scale", A_SCALE | {"levels": [A_LEVEL | {"level": 2}, A_LEVEL | {"at_thousandths": 500}]}, "/data/levels"),
        ("scale", A_SCALE | {"converts_to": "d5"}, "/data/levels"),
        ("policy", A_POLICY | {"method": {"name": "decaying", "weight": 49}}, "/data/method/weight"),
        ("policy", A_POLICY | {"method": {"name": "n_mastery"}}, "/data/method/mastery_thousandths"),
        ("framework", A_FRAMEWORK | {"competencies": [{}]}, "/data/competencies/0/competency"),
        (
            "framework",
            A_FRAMEWORK | {"competencies": [A_COMPETENCY]},
            "/data/count",
        ),
        ("policy", A_POLICY | {"effective": "1700006400"}, "/data/effective"),
        ("policy", A_POLICY | {"effective": "2026-02-29"}, "/data/effective"),
        ("policy", A_POLICY | {"version": Decimal("1.0")}, "/data/version"),
    ],
)
def test_a_reference_event_that_makes_no_sense_is_refused_with_the_field(type: str, data: dict[str, Any], pointer: str) -> None:
    assert refused(an_event(f"cairn.{type}.published.v1", data=data, source="curriculum"), CURRICULUM).pointer == pointer


def test_a_refusal_keeps_the_bytes_and_the_id_only_if_it_is_one() -> None:
    rejected = refused(an_event(data={"score": "0.5"}))
    kept = refusal(an_item(an_event(data={"score": "0.5"})), ALGEBRA, rejected)
    assert (kept.source, kept.id, b"0.5" in kept.payload) == ("algebra", "e-1", True)
    kept = refusal(an_item(an_event(id="a\x00")), ALGEBRA, rejected)
    assert kept.id is None


@given(st.data())
def test_no_refusal_repeats_what_was_sent(data: st.DataObject) -> None:
    secret = "Zquxly"
    event = an_event()
    field = data.draw(st.sampled_from(["id", "source", "type", "time", "data", "specversion", "sourcekey", "dataschema"]))
    if field == "data":
        inner = data.draw(st.sampled_from(["student", "framework", "score", "kind", "due", "attempt", "language"]))
        event["data"][inner] = data.draw(st.sampled_from([f"{secret} {secret}", {secret + "!": 1}, [secret]]))
    else:
        event[field] = data.draw(st.sampled_from([f"{secret}\n", {secret + "!": 1}, [secret]]))
    rejected = refused(event)
    assert secret not in f"{rejected} {rejected.code} {rejected.pointer} {rejected.expected}"


# Sameness


TEXT = st.text(st.characters(codec="utf-8"))


@given(
    st.dictionaries(
        st.text("abcdefgh_", min_size=1),
        st.integers(-(2**53) + 1, 2**53 - 1) | TEXT | st.lists(TEXT),
    )
)
def test_sorted_json_is_rfc_8785_for_what_submissions_hold(value: dict[str, Any]) -> None:
    assert orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == rfc8785.dumps(value)


def test_the_normal_form_of_a_submission_is_rfc_8785() -> None:
    event = an_event(
        data={"due": "2026-03-02T10:00:00.5+01:00", "student": {"scheme": "sis", "value": "\u00e9\u2028\\/\U0001f600"}}
    )
    form = canonical(admitted(event).submission)
    assert rfc8785.dumps(json.loads(form)) == form
    assert json.loads(form)["data"]["due"] == "2026-03-02T09:00:00.500000Z"


CODE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,20}", fullmatch=True)
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20)
PERSON = st.fixed_dictionaries({"scheme": CODE, "value": PRINTABLE})
TIME = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)
SENT = st.fixed_dictionaries(
    {},
    optional={
        "student": PERSON,
        "assessor": PERSON,
        "context": CODE,
        "due": TIME,
        "entered": TIME,
        "provenance": st.just("migrated"),
        "attempt": st.integers(1, 9),
        "language": CODE,
        "accommodations": st.lists(CODE, max_size=3),
        "score": st.integers(-(10**9), 10**9).map(lambda thousandths: Decimal(thousandths).scaleb(-3)),
    },
)


@given(SENT, st.none() | PRINTABLE, TIME)
def test_the_short_way_to_the_normal_form_of_evidence_is_the_long_one(data: dict[str, Any], key: str | None, time: str) -> None:
    submission = admitted(an_event(time=time, sourcekey=key, data=data)).submission
    long = submission.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_FORM)
    assert canonical(submission) == rfc8785.dumps(long)


@given(st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1)), st.integers(-14 * 60, 14 * 60), st.integers(-(10**9), 10**9))
def test_zone_and_spelling_do_not_matter(moment: datetime, offset: int, thousandths: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=offset)))
    score = Decimal(thousandths).scaleb(-3)
    one = admitted(an_event(time=moment.isoformat().replace("+00:00", "Z"), data={"score": score}))
    other = admitted(
        an_event(
            time=elsewhere.isoformat(), datacontenttype="application/json", data={"score": score.normalize(), "kind": "assessment"}
        )
    )
    assert one.submissionhash == other.submissionhash


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "e-2"},
        {"source": "algebra/quiz"},
        {"time": "2026-03-02T10:00:00.000001Z"},
        {"sourcesequence": 1},
        {"sourcekey": "k"},
        {"correlationid": "c"},
        {"actor": "a"},
        {"data": {"score": Decimal("3.501")}},
        {"data": {"student": {"scheme": "sis", "value": "105"}}},
        {"data": {"student": {"scheme": "state", "value": "104"}}},
        {"data": {"assessor": {"scheme": "sis", "value": "t1"}}},
        {"data": {"accommodations": ["extra-time"]}},
        {"data": {"kind": "practice"}},
        {"data": {"provenance": "migrated"}},
        {"data": {"entered": "2025-06-20T10:00:00Z"}},
    ],
)
def test_any_other_content_is_another_submission(changes: dict[str, Any]) -> None:
    assert admitted(an_event(**changes)).submissionhash != admitted(an_event()).submissionhash


# Drafts


def test_a_draft_decodes_to_the_event_with_pseudonyms() -> None:
    event = an_event(
        sourcesequence=7,
        data={
            "assessor": {"scheme": "sis", "value": "t1"},
            "due": "2026-03-03T12:00:00Z",
            "accommodations": ["extra-time"],
            "attempt": 2,
            "provenance": "migrated",
            "entered": "2025-06-20T10:00:00-04:00",
        },
    )
    made = draft(admitted(event), ALGEBRA, Resolution(PEOPLE, 3), None, held=False)
    record = decode(finish(made.prepared, 5, "2026-03-02T10:00:01.000000Z"))
    assert (record.subject, record.sourcesequence, record.submissionhash) == (PSEUDONYM, 7, made.submissionhash.hex())
    assert isinstance(record.data, EvidenceSubmitted)
    assert (record.data.assessor, record.data.score_thousandths, record.data.accommodations) == (TEACHER, 3500, ("extra-time",))
    assert (record.data.provenance, record.data.entered) == ("migrated", datetime(2025, 6, 20, 14, tzinfo=UTC))
    assert made.merges == 3
    assert b"104" not in made.prepared


@pytest.mark.parametrize(
    ("type", "data"),
    [
        (
            "cairn.student.enrolled.v1",
            {"student": {"scheme": "sis", "value": "104"}, "school": "HS1", "grade": "09", "effective": "2026-03-02"},
        ),
        (
            "cairn.evidence.carried.v1",
            {
                "student": {"scheme": "sis", "value": "104"},
                "assessor": {"scheme": "sis", "value": "t1"},
                "framework": "hs",
                "competency": "MA.1",
                "level": 3,
                "scale": "d4",
                "entered": "2025-06-20T10:00:00Z",
            },
        ),
        ("cairn.staff.registered.v1", {"staff": {"scheme": "sis", "value": "t1"}, "role": "teacher", "schools": ["HS1"]}),
        (
            "cairn.class.registered.v1",
            {"class": "c", "school": "HS1", "course": "m", "term": "t", "teachers": [{"scheme": "sis", "value": "t1"}]},
        ),
        ("cairn.calendar.published.v1", {"school": "HS1", "terms": [{"term": "t", "starts": "2026-01-01", "ends": "2026-06-01"}]}),
    ],
)
def test_people_in_other_events_become_pseudonyms_too(type: str, data: dict[str, Any]) -> None:
    found = admitted(an_event(type, data=data, source="curriculum"), CURRICULUM)
    made = draft(found, CURRICULUM, Resolution(PEOPLE, 0), None, held=False)
    event = decode(finish(made.prepared, 5, "2026-03-02T10:00:01.000000Z"))
    match event.data:
        case StudentEnrolled():
            assert event.subject == PSEUDONYM
        case EvidenceCarried(assessor=assessor, provenance=provenance):
            assert (event.subject, assessor, provenance) == (PSEUDONYM, TEACHER, "migrated")
        case StaffRegistered(staff=staff):
            assert (event.subject, staff) == (None, TEACHER)
        case ClassRegistered(teachers=teachers):
            assert teachers == (TEACHER,)
