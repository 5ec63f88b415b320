"""A bucket that speaks enough of S3 over the wire: PUT, GET, DELETE, list; signatures must be there."""

from __future__ import annotations

from xml.sax.saxutils import escape

from fastapi import FastAPI, Request, Response

from yiyuebao_api.kernel import clock


def make_bucket(limit_bytes: int) -> FastAPI:
    """`/{bucket}/{key}`; when it holds `limit_bytes` it is full."""
    app = FastAPI(openapi_url=None)
    held: dict[str, tuple[bytes, str]] = {}
    app.state.held = held

    def error(status: int, code: str) -> Response:
        return Response(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status, media_type="application/xml")

    @app.api_route("/{bucket}/{key:path}", methods=["GET", "PUT", "DELETE"])
    async def answer(bucket: str, key: str, request: Request) -> Response:
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=key/"):
            return error(403, "AccessDenied")
        match request.method:
            case "PUT":
                body = await request.body()
                if sum(len(each) for each, _ in held.values()) + len(body) > limit_bytes:
                    return error(400, "QuotaExceeded")
                held[key] = body, clock.system_now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
                return Response(headers={"etag": '"1"'})
            case "DELETE":
                held.pop(key, None)
                return Response(status_code=204)
            case _ if key in held:
                body, _ = held[key]
                return Response(body, headers={"etag": '"1"', "last-modified": "Wed, 25 Nov 2026 00:00:00 GMT"})
            case _:
                return error(404, "NoSuchKey")

    @app.get("/{bucket}")
    async def listing(bucket: str, request: Request, prefix: str = "") -> Response:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{at}</LastModified><ETag>1</ETag><Size>{len(body)}</Size></Contents>"
            for key, (body, at) in sorted(held.items())
            if key.startswith(prefix)
        )
        told = f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        return Response(told, media_type="application/xml")

    return app
