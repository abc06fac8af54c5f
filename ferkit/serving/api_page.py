"""The API's documentation as one static page made from its OpenAPI description: no script, nothing from elsewhere."""

from html import escape

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}: API</title>
<link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/style.css">
<body class="document">
<header><p><a href="/">Back to the page</a></p><h1>{title}: the API</h1><p>{description}</p>
<p>Its OpenAPI description, for programs: <a href="/openapi.json">/openapi.json</a>. Every answer is one line of JSON, every
refusal <code>{{"error": "why, and what to do"}}</code>.</p></header>
<main>
<section><h2>Try it</h2>
<pre><code>curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg {origin}/v1/predict
curl -F file=@photo.jpg {origin}/v1/predict
curl -F file=@face.png '{origin}/v1/explain?detector=none&amp;class=happy'</code></pre></section>
{operations}
{schemas}
</main>
</body>
</html>
"""


def api_page(openapi: dict, origin: str = "http://127.0.0.1:8000") -> str:
    """The page, as HTML.

    Args:
        openapi: the OpenAPI description.
        origin: of the server, for the examples.
    """
    info = openapi["info"]
    operations = [
        _operation(path, method, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    used = {
        name: schema
        for name, schema in openapi["components"]["schemas"].items()
        if "Validation" not in name
    }
    return PAGE.format(
        title=escape(info["title"]),
        description=escape(info["description"]),
        origin=escape(origin),
        operations="\n".join(operations),
        schemas="\n".join(_schema(name, schema) for name, schema in used.items()),
    )


def _operation(path, method, operation):
    parts = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>"
    ]
    if "requestBody" in operation:
        kinds = ", ".join(
            f"<code>{escape(kind)}</code>" for kind in operation["requestBody"]["content"]
        )
        parts.append(f"<p>Takes a photo as {kinds}.</p>")
    if operation.get("parameters"):
        rows = [(f"?{one['name']}=", one.get("description", "")) for one in operation["parameters"]]
        parts.append(_table(("parameter", ""), rows))
    rows = [
        (status, _answer(one))
        for status, one in sorted(operation["responses"].items())
        if one["description"]
    ]
    return "".join([*parts, _table(("status", "answer"), rows), "</section>"])


def _answer(response):
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    name = _kind(schema) if "$ref" in schema else ""
    return name if name not in ("", "Refusal") else response["description"]


def _schema(name, schema):
    rows = [(field, _described(own)) for field, own in schema.get("properties", {}).items()]
    return (
        f'<section id="{escape(name)}"><h2>{escape(name)}</h2><p>{escape(schema.get("description", ""))}</p>'
        + (_table(("field", ""), rows) + "</section>")
    )


def _described(field):
    return f"{_kind(field)}. {field.get('description', '')}"


def _kind(schema):
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return schema.get("type", "any")


def _table(heads, rows):
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th><td>{escape(text)}</td></tr>'
        for key, text in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
