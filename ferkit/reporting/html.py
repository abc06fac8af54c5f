"""What the HTML pages have in common: the template environment, number formats and style sheet."""

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
THEME = _TEMPLATES / "theme.css"  # colors and fonts of every page, also of the web page
_STYLESHEETS = (THEME, _TEMPLATES / "report.css")


def environment(package: str) -> jinja2.Environment:
    """The environment of a package's templates.

    Text is escaped, so names from a user's files cannot become markup. The filters ``percent`` and
    ``interval`` and the function ``stylesheet`` are available.

    Args:
        package: the package that contains the folder templates/.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters |= {"percent": percent, "interval": interval}
    templates.globals["stylesheet"] = stylesheet
    return templates


def percent(value: float | None) -> str:
    """A fraction as percentage, or "none"."""
    return "none" if value is None else f"{value:.2%}"


def interval(edges: Sequence[float] | None) -> str:
    """An interval of fractions as percentages, or ""."""
    return f"{edges[0]:.2%} to {edges[1]:.2%}" if edges else ""


def stylesheet() -> Markup:
    """The style sheet of reports and the demo, for a style element."""
    return Markup("".join(sheet.read_text(encoding="utf-8") for sheet in _STYLESHEETS))
