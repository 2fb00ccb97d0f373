"""Only what draws gets into a page."""

import re

import pytest

from offline.inline_svg import inline_svg
from rtasmr.errors import DataError

HOSTILE = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" height="6pt"
     viewBox="0 0 9 6" onload="alert(1)">
 <metadata>who made it</metadata>
 <style>* {color: red}</style>
 <script>alert(2)</script>
 <defs><clipPath id="c1"><rect width="9" height="6"/></clipPath></defs>
 <a xlink:href="http://example.org/"><path d="M 0 0"/></a>
 <g id="g1" clip-path="url(#c1)" onclick="alert(3)">
  <path id="p1" d="M 0.123456 1.5 L 9.000001 22.987654" style="fill: #ffffff"/>
  <use xlink:href="#p1"/><use xlink:href="http://example.org/x.svg#p1"/>
  <image href="http://example.org/x.png"/>
  <foreignObject><body xmlns="http://www.w3.org/1999/xhtml">text</body></foreignObject>
 </g>
</svg>"""


@pytest.fixture
def drawn(tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text(HOSTILE)
    return inline_svg(path, "fig-", 'a "label" & more')


def test_nothing_but_drawing_stays(drawn):
    tags = set(re.findall(r"<(\w+)", drawn))
    assert tags == {"svg", "defs", "clipPath", "rect", "g", "path", "use"}
    assert "alert" not in drawn
    assert "example.org" not in drawn


def test_names_are_its_own_and_still_meet(drawn):
    assert set(re.findall(r'id="([^"]+)"', drawn)) == {"fig-c1", "fig-g1", "fig-p1"}
    assert 'clip-path="url(#fig-c1)"' in drawn
    assert re.findall(r'href="([^"]*)"', drawn) == ["#fig-p1"]


def test_page_decides_the_size_and_a_label_is_read_out(drawn):
    assert re.search(r'<svg[^>]* (width|height)="', drawn) is None
    assert 'viewBox="0 0 9 6"' in drawn
    assert 'aria-label="a &quot;label&quot; &amp; more"' in drawn


def test_places_are_cut_to_hundredths(drawn):
    assert 'd="M 0.12 1.5 L 9.00 22.98"' in drawn


@pytest.mark.parametrize("content", ["<svg", "<html/>", ""])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "figure.svg"
    path.write_text(content)
    with pytest.raises(DataError, match="expected a drawing in SVG"):
        inline_svg(path, "a-", "label")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="make the report again"):
        inline_svg(tmp_path / "none.svg", "a-", "label")
