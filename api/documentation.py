"""How does a programmer read what the API takes? A page made from the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, render_template

from api.identity import PUBLIC, action
from api.openapi import document
from api.problems import explained

documentation = Blueprint("documentation", __name__, template_folder="pages/templates")
METHODS: Final = ("get", "post", "put", "delete")


@documentation.route("/api/v1/docs")
@action(PUBLIC)
def docs() -> str:
    """接口说明。"""
    described = document()
    return render_template(
        "docs.html", document=described, groups=_groups(described), problems=explained()
    )


@documentation.route("/problems/<code>")
@action(PUBLIC)
def problem_page(code: str) -> tuple[str, int]:
    """一种问题的说明。"""
    found = explained().get(code)
    return render_template("problem.html", code=code, found=found), 200 if found else 404


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations by noun, with the fields of their bodies."""
    groups: dict[str, list[dict[str, Any]]] = {}
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            tag = operation.get("tags", [""])[0]
            shown = {
                "method": method.upper(), "path": path,
                "summary": operation.get("summary", ""),
                "parameters": [*item.get("parameters", []), *operation.get("parameters", [])],
                "fields": _fields(_body_schema(operation), schemas),
            }
            groups.setdefault(tag, []).append(shown)
    return groups


def _body_schema(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    found: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    return found


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Name, type, limits and meaning of each field of a body."""
    schema = _resolved(schema, schemas)
    required = set(schema.get("required", ()))
    return [
        {
            "name": name, "type": _type(spec, schemas), "is_required": name in required,
            "limits": _limits(spec), "description": spec.get("description", ""),
        }
        for name, spec in schema.get("properties", {}).items()
    ]


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schemas.get(name, schema)
    return found


def _type(spec: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "$ref" in spec or "allOf" in spec:
        inner = _resolved(spec.get("allOf", [spec])[0], schemas)
        return "{" + ", ".join(inner.get("properties", {})) + "}"
    kind = spec.get("type", "")
    names = [kind] if isinstance(kind, str) else [k for k in kind if k != "null"]
    if names == ["array"]:
        return f"[{_type(spec['items'], schemas)}]"
    return f"{'/'.join(names)}{' ' + spec['format'] if 'format' in spec else ''}"


def _limits(spec: dict[str, Any]) -> str:
    said = {
        "maxLength": "最长 {}", "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}",
        "maxItems": "最多 {} 项", "minItems": "至少 {} 项",
    }
    parts = [text.format(spec[name]) for name, text in said.items() if name in spec]
    if "enum" in spec:
        parts.append("、".join(str(value) for value in spec["enum"] if value is not None))
    return ", ".join(parts)
