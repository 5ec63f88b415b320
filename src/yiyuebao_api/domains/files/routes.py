"""Uploading and fetching files, over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import Anyone, Member
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.guards import Cleaning, OwnFile
from yiyuebao_api.domains.files.models import File, FileKind
from yiyuebao_api.domains.files.problems import (
    DocumentActive,
    DocumentLocked,
    DocumentTooLong,
    DocumentUnreadable,
    FileEmpty,
    FileInUse,
    FileTooLarge,
    FileTypeNotSupported,
    LinkExpired,
    PictureAnimated,
    PictureNeeded,
    PictureTooLarge,
    PictureUnreadable,
    StorageFull,
    UploadLimit,
)
from yiyuebao_api.domains.files.rules import MAX_BYTES, Part
from yiyuebao_api.domains.files.schemas import FileLinkOut, FileOut, UploadIn
from yiyuebao_api.gateways.object_store import Store
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import AccountId, FileId
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, ServiceUnavailable, Unauthenticated, merge, refuses
from yiyuebao_api.kernel.tokens import claims_of
from yiyuebao_api.settings import Files

#: Uploads of one account at a time (a phone picks at most nine pictures), and of everybody in this process: each holds
#: its megabytes from the first byte on.
OF_ONE_ACCOUNT, OF_EVERYBODY = 9, 32


class BeforeTheBody(OnceRoute):
    """FastAPI reads a form before it asks who sends it; here strangers and the tenth upload are refused first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.methods != {"POST"}:
            return handle
        senders: Counter[AccountId] = Counter()

        async def asked_first(request: Request) -> Response:
            claims = claims_of(request)
            if claims is None:
                raise Unauthenticated
            if senders[claims.account_id] >= OF_ONE_ACCOUNT or senders.total() >= OF_EVERYBODY:
                raise ServiceUnavailable(retry_after=2)
            senders[claims.account_id] += 1
            try:
                return await handle(request)
            finally:
                senders[claims.account_id] -= 1
                if not senders[claims.account_id]:
                    del senders[claims.account_id]

        return asked_first


router = APIRouter(prefix="/v1/files", tags=["files"], route_class=BeforeTheBody)

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture, or the document as an attachment.",
          "content": {"image/jpeg": _BINARY, "application/pdf": _BINARY}}
}  # fmt: skip
_ALONE = "default-src 'none'; sandbox"


async def _settings(connection: HTTPConnection) -> Files:
    return cast("Files", connection.app.state.settings.files)


Configured = Annotated[Files, Depends(_settings)]
Signature = Annotated[str, Query(min_length=43, max_length=43, pattern=r"^[\w-]+$", examples=["x" * 43])]


@router.post(
    "", status_code=201, summary="上传图片或文件",
    responses=refuses(
        FileEmpty, FileTooLarge, FileTypeNotSupported, PictureNeeded, PictureUnreadable, PictureTooLarge, PictureAnimated,
        DocumentUnreadable, DocumentLocked, DocumentActive, DocumentTooLong, UploadLimit, StorageFull, ProviderDown,
    ),
)  # fmt: skip
async def upload_file(
    caller: Member, body: Annotated[UploadIn, Form(media_type="multipart/form-data")], begin: Transactions, store: Store,
    workshop: Cleaning, settings: Configured, now: Now,
) -> FileOut:  # fmt: skip
    """Upload one file for one purpose. Its first bytes say what it is; it is written anew, without place and camera."""
    content = await body.file.read(MAX_BYTES + 1)
    file = await service.upload_file(
        begin, store, workshop, content, owner=caller.account_id, purpose=body.purpose,
        per_day=settings.uploads_per_day, now=now,
    )  # fmt: skip
    return _out(file, now)


@router.get("/{file_id}", summary="文件详情", responses=refuses(NotFound))
async def get_file(file: OwnFile, now: Now) -> FileOut:
    """One of the caller's files, with fresh links."""
    return _out(file, now)


@router.get(
    "/{file_id}/content", summary="下载文件", response_class=Response,
    responses=merge(_CONTENT, refuses(NotFound, LinkExpired, ProviderDown)),
)  # fmt: skip
async def get_file_content(
    caller: Anyone, file_id: FileId, begin: Transactions, store: Store, now: Now, signature: Signature,
    expires: Annotated[int, Query(ge=0, le=1 << 40, examples=[1795395600])], part: Part = Part.MAIN,
) -> Response:  # fmt: skip
    """Fetch what a signed link leads to; the link is the right to do so, and lasts five minutes."""
    found = await service.read_linked_file(
        begin, store, file_id, part, expires=expires, signature=signature, now=now
    )
    if found.kind is FileKind.PICTURE:
        media, shown = "image/jpeg", f'inline; filename="{found.file_id}.jpg"'
    else:
        media, shown = "application/pdf", f'attachment; filename="{found.file_id}.pdf"'
    headers = {"Content-Disposition": shown, "Content-Security-Policy": _ALONE}
    return Response(found.content, media_type=media, headers=headers)


@router.delete("/{file_id}", status_code=204, summary="删除未使用的文件", responses=refuses(NotFound, FileInUse))
async def delete_file(caller: Member, file_id: FileId, begin: Transactions, store: Store) -> None:
    """Remove an own file that is not part of anything submitted."""
    await service.delete_file(begin, store, file_id, owner=caller.account_id)


def _out(file: File, now: datetime) -> FileOut:
    link = FileLinkOut.model_validate(service.signed_link(file, now=now))
    if file.kind is FileKind.DOCUMENT:
        return FileOut.of(file, link=link, thumbnail=None)
    small = service.signed_link(file, now=now, thumbnail=True)
    return FileOut.of(file, link=link, thumbnail=FileLinkOut.model_validate(small))


ROUTERS: list[APIRouter] = [router]
