"""The API's documentation as one static page, rendered from its OpenAPI description.

It needs no script and loads nothing from other servers.
"""

from typing import Any

import jinja2


def api_page(openapi: dict[str, Any], origin: str = "http://127.0.0.1:8000") -> str:
    """The page as HTML.

    Args:
        openapi: the OpenAPI description.
        origin: scheme, host and port of the server, for the examples.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ferkit.serving", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("api.html.j2").render(
        title=openapi["info"]["title"],
        description=openapi["info"]["description"],
        origin=origin,
        operations=[
            _operation(path, method, operation)
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
        ],
        schemas=[
            _schema(name, schema)
            for name, schema in openapi["components"]["schemas"].items()
            if "Validation" not in name  # FastAPI's own, for answers that are never given
        ],
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": path,
        "method": method.upper(),
        "summary": operation["summary"],
        "content_types": list(operation.get("requestBody", {}).get("content", {})),
        "parameters": [
            (f"?{parameter['name']}=", parameter.get("description", ""))
            for parameter in operation.get("parameters", [])
        ],
        "responses": [
            (status, _answer(response))
            for status, response in sorted(operation["responses"].items())
            if response["description"]
        ],
    }


def _answer(response: dict[str, Any]) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    name = _type_name(schema) if "$ref" in schema else ""
    return response["description"] if name in ("", "Refusal") else name


def _schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": schema.get("description", ""),
        "fields": [
            (field, f"{_type_name(details)}. {details.get('description', '')}")
            for field, details in schema.get("properties", {}).items()
        ],
    }


def _type_name(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type_name(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type_name(schema.get('items', {}))}"
    return str(schema.get("type", "any"))
