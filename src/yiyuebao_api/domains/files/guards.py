"""Whose file: fetched and authorised from the path, or 404; and the workshop that strangers' bytes go through."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import Member
from yiyuebao_api.domains.files import queries
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.workshop import Workshop


async def access_file(caller: Member, file_id: FileId, tx: Tx) -> File:
    """Raises NotFound."""
    return await queries.require_own_file(tx, caller.account_id, file_id)


async def _workshop(connection: HTTPConnection) -> Workshop:
    return cast("Workshop", connection.app.state.context.workshop)


OwnFile = Annotated[File, Depends(access_file)]
Cleaning = Annotated[Workshop, Depends(_workshop)]
