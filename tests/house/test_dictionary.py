"""Every field of the contract has an example, and every value of an enumeration a word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from yiyuebao_api import asyncapi, dictionary, openapi
from yiyuebao_api.app import create_app
from yiyuebao_api.settings import Settings


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(openapi.whole(create_app(Settings()))))
    return made


@pytest.fixture(scope="module")
def schemas(document: dict[str, Any]) -> dict[str, Any]:
    """Of every document, the live socket's too."""
    live = json.loads(json.dumps(asyncapi.document()))["components"]["schemas"]
    return {**live, **document["components"]["schemas"]}


def test_every_field_shows_what_it_looks_like(schemas: dict[str, Any]) -> None:
    """The accident: the documentation showed `"string"` for everything; the app guessed what a licence number is."""
    missing = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, shape in schema.get("properties", {}).items()
        if not dictionary.has_example(shape)
    ]
    assert missing == [], "give them examples, or a line in dictionary.EXAMPLES"


def test_every_value_has_a_word(schemas: dict[str, Any]) -> None:
    """The accident: the app wrote its own labels, and called `accepted` 已派单."""
    missing = [
        f"{name}.{value}"
        for name, schema in schemas.items()
        for value in schema.get("enum", ())
        if value not in dictionary.VALUES.get("Blocker" if name == "Clause" else name, {})
    ]
    assert missing == [], "a line in dictionary.VALUES"


def test_every_example_fits_its_field(document: dict[str, Any]) -> None:
    """The accident: the example in the documentation was refused by the service; so was everybody who began with it."""
    registry: Registry[Any] = Registry().with_resource(
        "urn:openapi", Resource.from_contents(document, default_specification=DRAFT202012)
    )
    wrong = []
    for name, schema in document["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            judge = Draft202012Validator(json.loads(json.dumps(shape).replace('"#/', '"urn:openapi#/')), registry=registry)
            wrong += [f"{name}.{field}: {each!r}" for each in shape.get("examples", ()) if not judge.is_valid(each)]
    for path, item in document["paths"].items():
        for parameter in (one for operation in item.values() for one in operation.get("parameters", ())):
            judge = Draft202012Validator(json.loads(json.dumps(parameter["schema"]).replace('"#/', '"urn:openapi#/')), registry=registry)
            shown = parameter["schema"].get("examples", ())
            wrong += [f"{path} {parameter['name']}: {each!r}" for each in shown if not judge.is_valid(each)]
    assert wrong == []


def test_nothing_is_explained_that_does_not_exist(schemas: dict[str, Any], document: dict[str, Any]) -> None:
    """The accident: a dictionary of words that had died years before; whoever searched it was misled."""
    fields = {field for schema in schemas.values() for field in schema.get("properties", {})}
    fields |= {f"{name}.{field}" for name, schema in schemas.items() for field in schema.get("properties", {})}
    fields |= {
        form
        for item in document["paths"].values() for operation in item.values() for parameter in operation.get("parameters", ())
        for form in (parameter["name"], "." + parameter["name"])
    }  # fmt: skip
    assert sorted((set(dictionary.EXAMPLES) | set(dictionary.WORDS)) - fields) == []
    assert sorted(set(dictionary.VALUES) - set(schemas)) == []
