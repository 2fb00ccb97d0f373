"""Drawings as part of a page: only what draws is kept, and their names do not meet those of others."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from rtasmr.errors import DataError

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

_KEPT = frozenset(
    ("svg", "g", "defs", "use", "clipPath", "pattern", "text", "tspan", "path", "rect", "circle", "ellipse")
)
"""Elements that draw: no scripts, links or images, and no styles, which would reach the whole page."""

_DECIMALS = re.compile(r"(\d+\.\d{2})\d+")
"""Hundredths of a point are finer than any printer."""

_REFERENCE = re.compile(r"url\(\s*#([^)\s]+)\s*\)")


def inline_svg(path: Path, prefix: str, label: str) -> str:
    """Return the drawing in ``path`` as an ``svg`` element.

    Parameters
    ----------
    path : Path
    prefix : str
        Put before every id, so that several drawings share a page.
    label : str
        What a screen reader says.

    Raises
    ------
    DataError
        The file can not be read or holds no drawing.
    """
    try:
        root = ET.fromstring(path.read_bytes())
    except (OSError, ET.ParseError) as error:
        raise DataError(f"{path}: expected a drawing in SVG ({error}); make the report again") from error
    if root.tag != f"{{{SVG}}}svg":
        raise DataError(f"{path}: expected a drawing in SVG, got <{root.tag}>; make the report again")
    _clean(root, prefix)
    for size in ("width", "height"):
        root.attrib.pop(size, None)  # the page decides; the view box keeps the shape
    # Matplotlib sets these in a style sheet, which is left out.
    root.attrib.update({"role": "img", "aria-label": label, "stroke-linejoin": "round"})
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    return ET.tostring(root, encoding="unicode")


def _clean(element: ET.Element, prefix: str) -> None:
    for child in list(element):
        tag = child.tag if isinstance(child.tag, str) else ""
        if tag.removeprefix(f"{{{SVG}}}") in _KEPT and tag.startswith(f"{{{SVG}}}"):
            _clean(child, prefix)
        else:
            element.remove(child)
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.set(name, f"{prefix}{value}")
        elif name in ("href", f"{{{XLINK}}}href"):
            del element.attrib[name]
            if value.startswith("#"):
                element.set(name, f"#{prefix}{value[1:]}")
        elif name.startswith("on"):
            del element.attrib[name]
        elif name == "d" and not element.get("id", "").startswith(f"{prefix}DejaVu"):
            element.set(name, _DECIMALS.sub(r"\1", value))
        else:
            element.set(name, _REFERENCE.sub(rf"url(#{prefix}\1)", value))
