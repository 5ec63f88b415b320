"""The published contract: valid, complete, and the same as the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.house.sources import ROOT
from yiyuebao_api import api, openapi
from yiyuebao_api.app import create_app
from yiyuebao_api.domains.partners.schemas import WEBHOOKS
from yiyuebao_api.kernel.problems import EVERYWHERE, MEDIA_TYPE, NotAllowed, Unauthenticated
from yiyuebao_api.settings import Settings

METHODS = {"get", "post", "put", "delete"}
_BODILESS = {204, 202, 304}


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    """The three documents as the code tells them now."""
    made: dict[str, dict[str, Any]] = json.loads(json.dumps(openapi.documents(create_app(Settings()))))
    return made


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Everything in one document."""
    made: dict[str, Any] = json.loads(json.dumps(openapi.whole(create_app(Settings()))))
    return made


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_the_documents_are_valid(documents: dict[str, dict[str, Any]]) -> None:
    """The accident: a document that its own validator refused; every partner's code generator stopped on one day."""
    assert set(documents) == {"app.json", "hospital.json", "partner.json"}
    for name, document in documents.items():
        assert document["openapi"].startswith("3.1"), name
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == [], name


def test_the_committed_documents_are_those_of_the_code(documents: dict[str, dict[str, Any]]) -> None:
    """The accident: a field was renamed, the published file was not, and partners built on what no longer was."""
    for name, document in documents.items():
        committed = json.loads((ROOT / "openapi" / name).read_text())
        assert committed == document, f"openapi/{name}: run `python -m yiyuebao_api openapi`"


def test_every_operation_is_in_exactly_one_document(
    document: dict[str, Any], documents: dict[str, dict[str, Any]]
) -> None:
    """The accident: the operator's routes were cut into the app's document, and were found there by the curious."""
    where = [name for each in documents.values() for name, _ in _operations(each)]
    assert sorted(where) == sorted(name for name, _ in _operations(document))
    assert not [path for path in documents["app.json"]["paths"] if path.startswith(("/v1/hospital/", "/v1/operator/"))]


def test_every_operation_is_told(document: dict[str, Any]) -> None:
    """The accident: `POST /v1/visits/{id}/x` without a word; the app's developer asked by telephone, every time."""
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in _operations(document):
        assert operation.get("summary", "").strip(), f"{name}: no summary"
        assert any("一" <= letter <= "鿿" for letter in operation["summary"]), (
            f"{name}: the summary is for Chinese readers"
        )
        assert operation.get("description", "").strip(), f"{name}: no description"
        assert len(operation.get("tags", [])) == 1, f"{name}: one tag"
        assert operation["tags"][0] in tags, f"{name}: a tag that nobody explains"


def test_the_names_of_operations_are_the_functions_names(document: dict[str, Any]) -> None:
    """The accident: the document was generated beside the app, and said `create_booking_v1_bookings_post`."""
    named = {f"{each.method} {each.path}": each.name for each in api.operations()}
    assert {name: operation["operationId"] for name, operation in _operations(document)} == named


def test_every_operation_says_how_it_refuses(document: dict[str, Any]) -> None:
    """The accident: a 409 that no document named; the app showed "网络错误" and people booked twice."""
    examples = document["components"]["examples"]
    for name, operation in _operations(document):
        told: dict[str, int] = {}
        for status, response in operation["responses"].items():
            assert response["description"].strip(), f"{name} {status}: no description"
            if int(status) < 400:
                continue
            assert set(response["content"]) == {MEDIA_TYPE}, f"{name} {status}"
            for code, example in response["content"][MEDIA_TYPE]["examples"].items():
                shown = examples[example["$ref"].rpartition("/")[2]]["value"]
                assert (shown["code"], shown["status"]) == (code, int(status)), f"{name} {status} {code}"
                told[code] = int(status)
        wanted = [*EVERYWHERE]
        if operation["security"]:
            wanted.append(Unauthenticated)
        assert {each.code for each in wanted} <= set(told), name
        if "{" in name and operation["operationId"] != "revive_job":  # a job that is not there is done: not dead
            assert "not-found" in told, f"{name}: what if there is no such thing?"
    secured = [operation for _, operation in _operations(document) if operation["security"]]
    assert any("403" in operation["responses"] for operation in secured)
    assert NotAllowed.code in examples


def test_success_is_told_too(document: dict[str, Any]) -> None:
    """The accident: a generated client knew six ways to fail and no way to succeed."""
    for name, operation in _operations(document):
        good = [int(status) for status in operation["responses"] if status < "300"]
        assert len(good) == 1, f"{name}: {good}"
        content = operation["responses"][str(good[0])].get("content")
        assert bool(content) != (good[0] in _BODILESS) or good[0] == 202, f"{name} {good[0]}"


def test_every_json_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    """The accident: the example in the documentation was refused by the service; so was everybody who began with it."""
    registry: Registry[Any] = Registry().with_resource(
        "urn:openapi", Resource.from_contents(document, default_specification=DRAFT202012)
    )
    seen = 0
    for name, operation in _operations(document):
        for body in operation.get("requestBody", {}).get("content", {}).values():
            schema = body["schema"]
            held = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            assert held.get("examples"), f"{name}: no example"
            judge = Draft202012Validator(
                json.loads(json.dumps(held).replace('"#/', '"urn:openapi#/')), registry=registry
            )
            for each in held["examples"]:
                seen += 1
                assert [error.message for error in judge.iter_errors(each)] == [], f"{name}: {each}"
    assert seen > 30


def test_schemas_have_names_of_their_own(document: dict[str, Any]) -> None:
    """The accident: two domains said `PolicyOut`; the client had a class `yiyuebao_api__domains__…__PolicyOut`."""
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_every_field_that_counts_money_says_so(document: dict[str, Any]) -> None:
    """The accident: `price: 199`. Yuan, said the app; fen, said the server; the hospital was paid a hundredth."""
    suspicious = {"price", "amount", "fee", "total", "balance", "cost"}
    wrong = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        if set(field.split("_")) & suspicious
        and {shape.get("type"), *(each.get("type") for each in shape.get("anyOf", []))} & {"integer", "number"}
        and not field.endswith("_fen")
    ]
    assert wrong == []


def test_everything_that_is_sent_to_partners_is_published(documents: dict[str, dict[str, Any]]) -> None:
    """The accident: a new kind of webhook was sent for a month before anybody outside knew what it meant."""
    assert set(documents["partner.json"]["webhooks"]) == {kind for kind, _, _ in WEBHOOKS}
