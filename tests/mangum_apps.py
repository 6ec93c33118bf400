"""The same web app in two frameworks, to stand behind Mangum and behind the drop-in."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route


def _chunks_that_break():
    yield "half"
    raise ValueError("in the middle")


def _with_cookies():
    response = PlainTextResponse("cookies")
    response.set_cookie("sid", "1", httponly=True)
    response.set_cookie("theme", "dark", expires="Wed, 21 Oct 2026 07:28:00 GMT")
    return response


def _with_repeated_fields():
    response = PlainTextResponse("repeated", headers={"link": "</a>; rel=next"})
    response.headers.append("link", "</b>; rel=prev")
    return response


def _broken():
    raise ValueError("before anything")


ANSWERS = {
    "json": lambda: JSONResponse({"name": "Zoë"}),
    "text": lambda: PlainTextResponse("Zoë"),
    "empty": lambda: Response(b"", 202),
    "no-content": lambda: Response(status_code=204),
    "not-modified": lambda: Response(status_code=304, headers={"etag": '"1"'}),
    "redirect": lambda: RedirectResponse("/elsewhere?a=1", 303),
    "problem": lambda: JSONResponse({"title": "No"}, 418, media_type="application/problem+json"),
    "png": lambda: Response(b"\x89PNG\r\n\x1a\n\0\xff", media_type="image/png"),
    "svg": lambda: Response("<svg>ö</svg>", media_type="image/svg+xml"),
    "octets": lambda: Response(b"octets", media_type="application/octet-stream"),
    "no-type": lambda: Response(b"no type"),
    "latin-1": lambda: Response("Zoë".encode("latin-1"), media_type="text/plain; charset=latin-1"),
    "gzip": lambda: Response(b"\x1f\x8b\x08\0", headers={"content-encoding": "gzip"}),
    "ascii-in-br": lambda: PlainTextResponse("br", headers={"content-encoding": "br"}),
    "nul": lambda: PlainTextResponse("a\0b"),
    "cookies": _with_cookies,
    "repeated": _with_repeated_fields,
    "chunks": lambda: StreamingResponse(iter(["one", "two"]), media_type="text/plain"),
    "breaks-before": _broken,
    "breaks-after": lambda: StreamingResponse(_chunks_that_break(), media_type="text/plain"),
    "breaks-behind": lambda: PlainTextResponse("sent", background=BackgroundTask(_broken)),
}


async def answer(request: Request) -> Response:
    """The answer that the path's end names."""
    return ANSWERS[request.path_params["name"]]()


async def tell(request: Request) -> Response:
    """What the app has been told, as far as apps read it."""
    scope = request.scope
    return JSONResponse(
        {
            "method": request.method,
            "path": scope["path"][len(scope["root_path"]) :],
            "query": request.query_params.multi_items(),
            "headers": {
                name: ", ".join(request.headers.getlist(name))
                for name in sorted(set(request.headers))
                # Not in every event; Mangum leaves it at that.
                if name not in ("cookie", "content-length")
            },
            "cookies": request.cookies,
            "body": (await request.body()).decode(),
            "client": request.client.host if request.client else None,
            "scheme": request.url.scheme,
            "event": scope["aws.event"]["requestContext"],
            "context": scope["aws.context"],
        }
    )


METHODS = ["GET", "HEAD", "POST"]


def fastapi() -> FastAPI:
    """The app in FastAPI."""
    app = FastAPI()
    app.api_route("/answers/{name}", methods=METHODS)(answer)
    app.api_route("/{path:path}", methods=METHODS)(tell)
    return app


def starlette() -> Starlette:
    """The app in Starlette."""
    return Starlette(
        routes=[
            Route("/answers/{name}", answer, methods=METHODS),
            Route("/{path:path}", tell, methods=METHODS),
        ]
    )


APPS = {"FastAPI": fastapi, "Starlette": starlette}
