"""Errors as JSON: a code, a message, and the field that is wrong."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from hubbub.api.errors import Code, code_of
from rooms.errors import InvalidRequest, RoomNotFound


class InvalidField(InvalidRequest):
    """A value that can't be, and where it stands."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NamesNothing(RoomNotFound):
    """A part of the path that can't be anything's name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str
    """One of Twirp's codes, such as ``not_found``."""
    message: str
    field: str | None = None
    """Where a value is wrong: ``name``, ``permissions.can_publish``."""


class ErrorBody(BaseModel):
    """Every answer from 400 on."""

    error: ErrorDetail


def invalid(error: ValidationError) -> InvalidField:
    """The first thing that is wrong with a body or query."""
    detail: Any = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in detail["loc"])
    return InvalidField(field, detail["msg"].removeprefix("Value error, "))


def answer(error: Exception) -> web.Response:
    """The answer to an error that has a row in the table."""
    code = code_of(error)
    headers = {"WWW-Authenticate": "Bearer, Basic"} if code is Code.UNAUTHENTICATED else {}
    return failure(code.status, str(code), str(error), getattr(error, "field", None), headers)


def failure(
    status: int, code: str, message: str, field: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer that says what went wrong."""
    body = ErrorBody(error=ErrorDetail(code=code, message=message, field=field))
    return web.json_response(
        text=body.model_dump_json(exclude_none=True), status=status, headers=headers or {}
    )
