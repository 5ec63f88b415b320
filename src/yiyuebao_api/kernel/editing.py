"""Editing without losing another's edit: documents carry a `version`, answers its `ETag`, and PUT needs `If-Match`.

`If-Match: "3"` means: I edit version 3. Without the header 428, with an older version 412; neither changes anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from yiyuebao_api.kernel.problems import Problem, Words

_TAGS = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*')


class PreconditionRequired(Problem):
    status, code = 428, "precondition-required"
    title = Words("缺少版本号", "If-Match missing")
    detail = Words("请在请求头 If-Match 中带上所修改内容的版本（读取时返回的 ETag）。", "Send the ETag as If-Match.")


class PreconditionFailed(Problem):
    status, code = 412, "precondition-failed"
    title = Words("内容已被修改", "Changed meanwhile")
    detail = Words("内容已在别处修改，请刷新后再改。", "This was changed meanwhile; read it and edit again.")


def etag(version: int) -> str:
    """The strong ETag of a version."""
    return f'"{version}"'


def tag(response: Response, version: int) -> None:
    """Give an answer the ETag of the version it shows."""
    response.headers["ETag"] = etag(version)


@dataclass(frozen=True, slots=True)
class Precondition:
    """The versions a client is ready to overwrite; weak tags match nothing (RFC 9110 §13.1.1)."""

    tags: frozenset[str]

    def require(self, version: int) -> None:
        """Call it on the locked row. Raises PreconditionFailed."""
        if "*" not in self.tags and etag(version) not in self.tags:
            raise PreconditionFailed


async def _if_match(
    if_match: Annotated[str | None, Header(max_length=200, description='Required: the `ETag` you read.')] = None,
) -> Precondition:
    if if_match is None:
        raise PreconditionRequired
    if if_match.strip() == "*":
        return Precondition(frozenset("*"))
    if not _TAGS.fullmatch(if_match):
        raise PreconditionFailed
    return Precondition(frozenset(each.strip() for each in if_match.split(",")))


#: Written by every PUT of an editable document.
IfMatch = Annotated[Precondition, Depends(_if_match)]


def tagged(status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: the answer carries an ETag; combine with `merge(refuses(…), tagged())`."""
    schema = {"type": "string", "examples": ['"3"']}
    return {status: {"headers": {"ETag": {"description": "Send it back as If-Match.", "schema": schema}}}}
