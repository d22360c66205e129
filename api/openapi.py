"""How is the API described? In one OpenAPI 3.1 document, made when somebody first asks for it.

Making it takes longer than everything else at a start; most processes are never asked.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from flask import Flask, Response, current_app, jsonify
from flask_smorest import Api, Blueprint

from api import problems
from api.identity import PUBLIC, action

EXTENSION: Final = "taizhang_openapi"
ENDPOINT: Final = "api-docs.openapi_json"


class Described(Api):  # type: ignore[misc] # flask-smorest ships no types
    """Registers routes at once, and describes them when the document is first asked for."""

    def __init__(self, app: Flask) -> None:
        """Nothing is described yet."""
        super().__init__(app)
        self._undescribed: list[Blueprint] = []
        self._turn = threading.Lock()

    def register_blueprint(self, blueprint: Blueprint) -> None:
        """Register the routes of a noun."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blueprint.name] = self
        self._app.register_blueprint(blueprint)
        self._undescribed.append(blueprint)

    def document(self) -> dict[str, Any]:
        """The document; requests that ask for it at once wait for the first of them."""
        with self._turn:
            if self._undescribed:
                self._describe()
            found: dict[str, Any] = self.spec.to_dict()
            return found

    def _describe(self) -> None:
        for noun in self._undescribed:
            noun.register_views_in_doc(self, self._app, self.spec, name=noun.name, parameters=None)
            self.spec.tag({"name": noun.name, "description": noun.description})
        _describe_errors(self)
        self._undescribed.clear()


def install(app: Flask, api: Described) -> None:
    """Serve the document."""
    app.extensions[EXTENSION] = api
    app.view_functions[ENDPOINT] = openapi_document


def document() -> dict[str, Any]:
    """The running application's document."""
    api: Described = current_app.extensions[EXTENSION]
    return api.document()


@action(PUBLIC)
def openapi_document() -> Response:
    """The OpenAPI 3.1 document."""
    return jsonify(document())


def introduction() -> dict[str, Any]:
    """What the document says of the API as a whole."""
    return {
        "info": {
            "description": "街道社工站服务台账的接口。读写均须带令牌；"
            "每次写入都回答台账位置 position。",
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _describe_errors(api: Api) -> None:
    """Every error is a problem document: said once, for every route."""
    shape = {
        "type": "object",
        "properties": {
            name: {"type": kind}
            for name, kind in (
                ("type", "string"), ("status", "integer"), ("code", "string"),
                ("title", "string"), ("detail", "string"), ("request_id", "string"),
            )
        },
    }
    api.spec.components.schema("Problem", shape)
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for name, path in api.spec._paths.items():  # noqa: SLF001 - apispec gives no other way
        for method, operation in path.items():
            if isinstance(operation, dict) and "responses" in operation:
                operation.setdefault("parameters", []).extend(_headers(name, method))
                operation["responses"] = {
                    status: answer
                    for status, answer in operation["responses"].items()
                    if str(status).startswith(("2", "3"))
                } | {"default": {"description": "问题说明（RFC 9457）", "content": content}}


def _headers(path: str, method: str) -> list[dict[str, Any]]:
    """The headers that a route reads: said once, by what kind of route it is."""
    is_question = path.endswith("/duplicates") or "/search" in path
    if method not in {"post", "put", "delete"} or "/projections/" in path or is_question:
        return []
    is_edit = "/entries/" in path
    match = {
        "name": "If-Match", "in": "header", "required": is_edit, "schema": {"type": "string"},
        "description": '所见的版本，如 "3"，或读到的 ETag，如 "3-5d41402abc4b"（只比较版本）；'
        "更正、作废和恢复必填",
    }
    key = {
        "name": "Idempotency-Key", "in": "header", "required": False,
        "schema": {"type": "string", "maxLength": 200},
        "description": "请求编号：同一编号、同一内容只计一次",
    }
    return [match, key]
