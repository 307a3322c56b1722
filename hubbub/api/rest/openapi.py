"""The OpenAPI 3.1 document, made from the endpoints that are served."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from hubbub.api.errors import Code
from hubbub.version import VERSION

from .endpoint import MAX_NAME_CHARS, NAME_PATTERN, Endpoint
from .errors import ErrorBody

_REF = "#/components/schemas/{model}"
_INTRODUCTION = (
    "Rooms, participants and tokens over plain JSON. Authenticate with an access token "
    "(Authorization: Bearer) that grants what a call needs, or with API key and secret as name and password "
    "(Authorization: Basic), which may do everything."
)


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document."""
    schemas = _Schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hubbub", "version": VERSION, "description": _INTRODUCTION},
        "paths": paths,
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "key": {"type": "http", "scheme": "basic"},
            },
        },
    }


class _Schemas:
    """JSON schemas of all models, and references to them."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ErrorBody, "serialization"): None}
        for endpoint in endpoints:
            if endpoint.body is not None:
                wanted[endpoint.body, "validation"] = None
            if endpoint.query is not None:
                wanted[endpoint.query, "validation"] = None
            if endpoint.answer is not None:
                wanted[endpoint.answer, "serialization"] = None
        self._references, schema = models_json_schema(list(wanted), ref_template=_REF)
        self.definitions: dict[str, Any] = schema["$defs"]

    def reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """A reference to a model's schema."""
        return dict(self._references[model, mode])

    def query(self, model: type[BaseModel]) -> list[dict[str, Any]]:
        """Query parameters, from the properties of a model."""
        name = self.reference(model, "validation")["$ref"].rpartition("/")[2]
        schema = self.definitions[name]
        required = schema.get("required", [])
        return [
            {"name": key, "in": "query", "required": key in required, "schema": _without_null(value)}
            for key, value in schema["properties"].items()
        ]


def _operation(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS, "pattern": NAME_PATTERN}
    parameters = [
        {"name": each, "in": "path", "required": True, "schema": name} for each in endpoint.parameters
    ]
    if endpoint.query is not None:
        parameters += schemas.query(endpoint.query)
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.tag}_{endpoint.operation.__name__}".replace(" ", "_").lower(),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": parameters,
        "responses": _responses(endpoint, schemas),
        "security": [{"token": []}, {"key": []}] if endpoint.needs else [],
    }
    if endpoint.needs:
        operation["description"] = f"Needs {endpoint.needs}."
    if endpoint.body is not None:
        schema = schemas.reference(endpoint.body, "validation")
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _responses(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    error = {"application/json": {"schema": schemas.reference(ErrorBody, "serialization")}}
    if endpoint.answer is None:
        responses: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        schema = schemas.reference(endpoint.answer, "serialization")
        responses = {
            str(endpoint.status): {
                "description": "Done.",
                "content": {"application/json": {"schema": schema}},
            }
        }
    codes = [Code.INVALID_ARGUMENT, *endpoint.errors]
    if endpoint.parameters:
        codes.append(Code.NOT_FOUND)
    if endpoint.needs:
        codes += [Code.UNAUTHENTICATED, Code.UNAVAILABLE]
    for code in codes:
        responses[str(code.status)] = {
            "description": str(code).replace("_", " ").capitalize() + ".",
            "content": error,
        }
    return dict(sorted(responses.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is left out rather than null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    left: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    left.update(choices[0])
    return left
