"""The broker over HTTP: routes, bounds and problem documents. Every decision is elsewhere.

A body is bounded before it is read and parsed by our own strict decoders. There is no schema page and no
documentation page: a broker's surface is what stands here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from warily import __version__
from warily.errors import WarilyError
from warily.formats._json import canonical
from warily.release.messages import REQUEST_LIMIT
from warily.service import lease, operator
from warily.service.broker import Broker
from warily.service.problem import MEDIA_TYPE, Problem, from_error

SMALL: Final = 4096
MAX_DIGITS: Final = 18  # of a row's number: what fits in 63 bits
READ_WITHIN: Final = 60.0  # seconds for a body to arrive; an emulated guest is slow
Answer = Callable[[Request], Awaitable[Response]]


def create_app(broker: Broker, *, token: bytes) -> FastAPI:
    """The application of one broker. `token` is what an operator's requests must bear."""
    app = FastAPI(title="warily broker", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    _add_guest_routes(app, broker)
    _add_operator_routes(app, broker, token)
    _add_problems(app)
    return app


def _add_guest_routes(app: FastAPI, broker: Broker) -> None:
    @app.get("/v1/health")
    async def health() -> Response:
        return _json(canonical({"status": "up", "version": __version__}))

    @app.post("/v1/nonce")
    async def nonce(request: Request) -> Response:
        await read(request, limit=SMALL)
        return _json(broker.nonce())

    @app.post("/v1/attest")
    async def attest(request: Request) -> Response:
        return _json(await broker.attest(await read(request, limit=REQUEST_LIMIT)))

    @app.post("/v1/confirm")
    async def confirm(request: Request) -> Response:
        return _json(await lease.confirm(broker, await read(request, limit=SMALL)))

    @app.post("/v1/seal")
    async def seal(request: Request) -> Response:
        return _json(await lease.seal(broker, await read(request, limit=SMALL)))

    @app.post("/v1/lease")
    async def hold(request: Request) -> Response:
        return _json(await lease.lease(broker, await read(request, limit=SMALL)))


def _add_operator_routes(app: FastAPI, broker: Broker, token: bytes) -> None:
    def authorise(request: Request) -> None:
        operator.authorise(request.headers.get("authorization"), token)

    @app.get("/v1/operator/appraisals/latest")
    async def latest(request: Request) -> Response:
        authorise(request)
        named = request.query_params.get("identity")
        return _json(await operator.latest(broker, operator.identity_of(named) if named is not None else None))

    @app.get("/v1/operator/appraisals/{identity}")
    async def of_one(request: Request, identity: str) -> Response:
        authorise(request)
        return _json(await operator.latest(broker, operator.identity_of(identity)))

    @app.get("/v1/operator/volumes")
    async def volumes(request: Request) -> Response:
        authorise(request)
        return _json(await operator.volumes(broker))

    @app.get("/v1/operator/audit")
    async def audit(request: Request) -> Response:
        authorise(request)
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal()) or len(after) > MAX_DIGITS:
            raise Problem(status=HTTPStatus.BAD_REQUEST, code="format", detail="`after` is the number of a row")
        return _json(await operator.audit(broker, after=int(after)))

    @app.post("/v1/operator/vms/{identity}/end")
    async def end(request: Request, identity: str) -> Response:
        authorise(request)
        return _json(await operator.end(broker, operator.identity_of(identity)))

    @app.post("/v1/operator/volumes/retire")
    async def retire(request: Request) -> Response:
        authorise(request)
        return _json(await operator.retire(broker, await read(request, limit=SMALL)))


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return _problem(error)

    @app.exception_handler(WarilyError)
    async def known(_: Request, error: WarilyError) -> Response:
        return _problem(from_error(error))

    @app.exception_handler(HTTPException)
    async def routing(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return _problem(Problem(status=status, code="http", detail=status.description or status.phrase))


async def read(request: Request, *, limit: int) -> bytes:
    """The body, of at most `limit` bytes, arrived within a minute. Otherwise a `Problem`, and reading stops."""
    declared = request.headers.get("content-length", "0")
    too_large = Problem(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="too-large", detail=f"the body is over {limit} bytes"
    )
    if not declared.isdecimal() or len(declared) > len(str(limit)) or int(declared) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        detail = f"the body did not arrive within {READ_WITHIN:.0f} s"
        raise Problem(status=HTTPStatus.REQUEST_TIMEOUT, code="timeout", detail=detail) from None
    return bytes(body)


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


def _problem(problem: Problem) -> Response:
    headers = {"Cache-Control": "no-store"}
    if problem.seconds is not None:
        headers["Retry-After"] = str(problem.seconds)
    if problem.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(canonical(problem.document()), problem.status.value, headers=headers, media_type=MEDIA_TYPE)
