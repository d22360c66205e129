"""How is a request's body read? Strictly: JSON or nothing, and never a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar

import flask_smorest
import msgspec
from flask import Flask, Request, current_app, request
from marshmallow import Schema
from webargs import missing
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.exceptions import UnsupportedMediaType

from api.problems import MalformedJson
from domain.evidence import MOST_BYTES
from domain.record_keeping import UnreadableText

FORM_BYTES: Final = 1024 * 1024
"""What a form may hold beside its file."""

View = TypeVar("View", bound=Callable[..., Any])


class BodyParser(FlaskParser):
    """Reads JSON as RFC 8259 has it.

    The standard library's parser also takes NaN and halves of surrogate pairs, which
    nothing after it could store, and its own limits surface as errors of another kind.
    """

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 - the library's own
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": None,  # as the schema says: the library would leave out a mistyped filter
    }

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - the library's signature
        """The body's value; ``missing`` where there is no body.

        :raises MalformedJson: for what is not JSON.
        :raises UnsupportedMediaType: for a body of another kind.
        """
        body = req.get_data()
        if not body:
            return missing
        if not req.is_json:
            raise UnsupportedMediaType
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise MalformedJson from None


    def load_files(self, req: Request, schema: Schema) -> Any:
        """The files of a multipart body, and the fields beside them."""
        return MultiDictProxy(CombinedMultiDict([req.form, req.files]), schema)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A group of routes whose bodies are read strictly."""

    ARGUMENTS_PARSER: ClassVar[FlaskParser] = BodyParser()

    def arguments(self, schema: type[Schema] | Schema, **options: Any) -> Any:
        """Read a route's arguments; its schema is made once, and not at every request."""
        made = schema() if isinstance(schema, type) else schema
        return super().arguments(made, **options)


def takes_files(view: View) -> View:
    """Declare that a route takes a file; all others refuse a body of that size unread."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def install_limits(app: Flask) -> None:
    """Let the body of a route that takes a file be larger; before anybody reads it."""
    app.before_request(_let_files_in)


def _let_files_in() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "takes_files", False):
        request.max_content_length = MOST_BYTES + FORM_BYTES


def install(app: Flask) -> None:
    """Let no address carry what the databases cannot compare."""
    app.before_request(_refuse_unreadable)


def _refuse_unreadable() -> None:
    said = [request.path, *(value for _name, value in request.args.items(multi=True))]
    if any("\0" in text for text in said):
        raise UnreadableText
