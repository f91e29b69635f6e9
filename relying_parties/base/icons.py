"""Icons as inline SVG, taken by name from the Tabler sprite that flask-tabler-icons ships."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from markupsafe import Markup

STAND_IN = "square-rounded"


@cache
def _sprite() -> str:
    # Only the package's data is needed; importing it would load an asset pipeline for nothing.
    spec = find_spec("flask_tabler_icons")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("flask_tabler_icons")
    folder = Path(spec.origin).parent / "static" / "tabler_icons"
    return (folder / "tabler-sprite-nostroke.svg").read_text(encoding="utf-8")


@cache
def _drawing(name: str) -> str:
    _, _, rest = _sprite().partition(f'<symbol id="tabler-{name}" ')
    return rest.partition(">")[2].partition("</symbol>")[0]


def icon_drawing(name: str) -> str:
    """The shapes of an icon on a 24 by 24 grid; a plain square for names that do not exist."""
    return _drawing(name) or _drawing(STAND_IN)


def icon(name: str, css_class: str = "icon") -> Markup:
    """An icon that says nothing to a screen reader: words always stand beside it."""
    drawing = Markup(icon_drawing(name))  # noqa: S704, the package's own file
    return Markup(
        '<svg class="{}" viewBox="0 0 24 24" width="20" height="20" fill="none" '
        'stroke="currentColor" stroke-width="1.75" stroke-linecap="round" '
        'stroke-linejoin="round" aria-hidden="true" focusable="false">{}</svg>'
    ).format(css_class, drawing)
