"""Colours of the window, light and dark, and of the figures."""

from __future__ import annotations

from dataclasses import dataclass

from rtasmr.view.lights import Level


@dataclass(frozen=True)
class Theme:
    """Colours that keep their contrast on a light or dark ground and for colour-blind eyes.

    Hues after M. Okabe and K. Ito, "Color Universal Design" (2008): blue, vermilion, bluish green,
    orange. Nothing is told by colour alone: lines differ in style, lights in shape, stretches in hatching.
    """

    name: str
    background: str
    field: str
    text: str
    faint: str
    curve: str
    threshold: str
    rating: str
    pulse: str
    span: str
    good: str
    care: str
    bad: str

    def of(self, level: Level) -> str:
        """Return the colour of a level."""
        colours = {Level.GOOD: self.good, Level.CARE: self.care, Level.BAD: self.bad, Level.OFF: self.text}
        return colours[level]


LIGHT = Theme(
    name="light",
    background="#ffffff",
    field="#eef0f2",
    text="#1b1f24",
    faint="#d7dade",
    curve="#0072b2",
    threshold="#b84a00",
    rating="#9aa0a6",
    pulse="#00775a",
    span="#8a6d3b",
    good="#00775a",
    care="#8f5b00",
    bad="#b3261e",
)
DARK = Theme(
    name="dark",
    background="#16191d",
    field="#2a2f35",
    text="#e8eaed",
    faint="#3a3f45",
    curve="#56b4e9",
    threshold="#ff9d5c",
    rating="#8b9197",
    pulse="#4fd1a5",
    span="#d9b36c",
    good="#4fd1a5",
    care="#f0b429",
    bad="#ff8a80",
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}

BANNER_COLOURS = {
    Level.BAD: ("#b3261e", "#ffffff"),
    Level.CARE: ("#f0b429", "#1b1f24"),
}
"""Ground and text of a banner, the same on light and dark."""
