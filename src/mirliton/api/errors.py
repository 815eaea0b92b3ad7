"""Failures as Kazoo names them (semantics 6.4), and which failure of the store becomes which."""

from typing import Any

from mirliton.calls.live import Refused
from mirliton.schemas import Errors, Invalid
from mirliton.store import ClaimTaken, DocumentTooLarge, NotFound, StaleRevision, TooManyDocuments
from mirliton.store.claims import TooManyClaims


class ApiError(Exception):
    """An answer that is not success: HTTP code, Kazoo's short name, details."""

    def __init__(
        self,
        code: int,
        message: str,
        data: Any = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """`extra` goes into the envelope beside `data`."""
        super().__init__(f"{code} {message}")
        self.extra = extra or {}
        self.code = code
        self.message = message
        self.data = {} if data is None else data
        self.headers = headers or {}


def bad_identifier(cause: str) -> ApiError:
    """404: the account has nothing with this id."""
    return ApiError(404, "bad_identifier", {"message": "nothing here has this id: list the collection", "cause": cause})


def faulty_request(why: str) -> ApiError:
    """404: no such path or action."""
    return ApiError(404, "faulty_request", {"message": why})


def invalid_credentials() -> ApiError:
    """401, always the same: what was wrong is nobody's business."""
    return ApiError(401, "invalid_credentials", {"message": "invalid credentials"})


def forbidden(why: str) -> ApiError:
    """403: authenticated, but not allowed."""
    return ApiError(403, "forbidden", {"message": why})


def too_many_requests(seconds: int) -> ApiError:
    """429, with the time to wait."""
    message = f"too many failed attempts: wait {seconds} seconds"
    return ApiError(429, "too_many_requests", {"message": message}, {"Retry-After": str(seconds)})


def validation_error(errors: Errors) -> ApiError:
    """400 with the errors by path and code."""
    return ApiError(400, "validation error", errors)


def wrong(path: str, code: str, message: str, **details: Any) -> ApiError:
    """400 with one error."""
    return validation_error({path: {code: {"message": message, **details}}})


_CLAIM_PATHS = {
    "conference_number": ("numbers", "another conference has these numbers: choose others"),
    "callflow_number": ("numbers", "another callflow has these numbers: choose others"),
    "sip_username": ("sip.username", "another device has this SIP user name: choose another"),
    "bridge_username": ("bridge_username", "another conference has this bridge user name: choose another"),
    "username": ("username", "another user has this name: choose another"),
    "realm": ("realm", "another account has this realm: choose another"),
    "account_name": ("name", "another account has this name: choose another"),
}


_REFUSALS = {404: "not_found", 409: "conflict", 423: "locked", 429: "too_many_requests", 503: "service_unavailable"}


def from_failure(failure: Exception) -> ApiError | None:
    """What to answer when the layers below refuse, or None when the failure is a fault of ours."""
    match failure:
        case ApiError():
            return failure
        case Refused():
            return ApiError(failure.code, _REFUSALS.get(failure.code, "refused"), {"message": str(failure)})
        case Invalid():
            return validation_error(failure.errors)
        case ClaimTaken():
            path, message = _CLAIM_PATHS.get(failure.kind, (failure.kind, "already taken: choose another"))
            return wrong(path, "unique", message, cause=",".join(failure.values))
        case TooManyClaims():
            return wrong("numbers", "maxItems", f"{failure}: remove some")
        case NotFound():
            return bad_identifier(str(failure))
        case StaleRevision():
            message = f"{failure}: read it again and repeat the change"
            return ApiError(409, "datastore_conflict", {"message": message, "cause": failure.current})
        case DocumentTooLarge():
            return ApiError(413, "too_large", {"message": f"{failure}: store less", "cause": failure.limit})
        case TooManyDocuments():
            return forbidden(f"{failure}: delete some, or raise limits.max_documents_per_account")
        case _:
            return None
