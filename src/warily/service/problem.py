"""A no, as HTTP says it: problem documents (RFC 9457) with a stable `code` and, where there are any, findings."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from warily.core.finding import Finding
from warily.errors import CollateralError, FormatError, WarilyError
from warily.release.decide import Refused

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(kw_only=True, eq=False)
class Problem(Exception):  # noqa: N818  # RFC 9457's word
    """Ends a request. `seconds` becomes Retry-After. Not frozen: whoever raises must be able to set a traceback."""

    status: HTTPStatus
    code: str
    detail: str
    hint: str | None = None
    findings: tuple[Finding, ...] = ()
    seconds: int | None = None

    def document(self) -> dict[str, object]:
        """The problem document."""
        found: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "code": self.code,
            "detail": self.detail,
            "findings": [finding.as_json() for finding in self.findings],
        }
        return found | ({"hint": self.hint} if self.hint else {})


def from_refusal(refused: Refused) -> Problem:
    """The problem that says what the decision was."""
    return Problem(
        status=HTTPStatus(refused.reason.value),
        code=refused.code,
        detail=refused.because,
        hint=refused.hint,
        findings=refused.findings,
        seconds=refused.seconds,
    )


def from_error(error: WarilyError) -> Problem:
    """The problem that an error makes: the caller's bytes, missing proof, or else the broker's own trouble."""
    match error:
        case FormatError():
            status = HTTPStatus.BAD_REQUEST
        case CollateralError():
            status = HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(status=status, code=error.code, detail=str(error), hint=error.hint)
