"""One look for every picture, and its bytes free of dates and chance."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.files import write_atomic
from evalkit.report.plots.fonts import families

# Distinct for people who see colours differently (Okabe and Ito, 2008), and by shape.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A7A7A", "#000000")
MANY, FOLDED = 8, 26  # entries of a legend from which on they are small and in lines of so many letters
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLE = {
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e7eb",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "text.parse_math": False,  # a dollar sign in a model's name is a dollar sign
}


def beyond_latin(text: str) -> bool:
    """Whether a text has letters of the scripts from Arabic on."""
    return any(char >= "\u0600" and not "\u2000" <= char < "\u2c00" for char in text)


def mark(place: int) -> tuple[str, str]:
    """(colour, shape) of the place-th series; 64 pairs before one comes back."""
    return COLOURS[place % len(COLOURS)], SHAPES[(place + place // len(COLOURS)) % len(SHAPES)]


def label(name: str) -> str:
    """A name for a legend, where matplotlib hides those that begin with an underscore."""
    return f" {name}" if name.startswith("_") else name


def series_handles(titles: Sequence[str]) -> list[Any]:
    """What stands for each series in a legend."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], marker=mark(i)[1], color=mark(i)[0], ls="", label=label(title)) for i, title in enumerate(titles)]


def legend(figure: Any, handles: Sequence[Any], side: str = "lower") -> None:
    """A legend below (or above) the axes, in as many columns as the figure is wide enough for; many entries are small and folded."""
    labels = [handle.get_label() for handle in handles]
    size, folded, columns = _legend_layout(labels, figure.get_figwidth())
    figure.legend(handles, folded, loc=f"outside {side} center", ncols=columns, fontsize=size)


def legend_inches(labels: Sequence[str], width: float) -> float:
    """The height that a legend of these labels takes in a figure of a width in inches."""
    size, folded, columns = _legend_layout(labels, width)
    lines = [max(label.count("\n") + 1 for label in folded[start : start + columns]) for start in range(0, len(folded), columns)]
    return 0.15 + sum(lines) * size / 48


def _legend_layout(labels: Sequence[str], width: float) -> tuple[int, list[str], int]:
    """(font size, labels in lines, columns)."""
    many = len(labels) > MANY
    folded = [fold(label, FOLDED) for label in labels] if many else list(labels)
    size = 8 if many else 10
    longest = max((len(line) for label in folded for line in label.split("\n")), default=1)
    return size, folded, max(1, min(4, len(labels), int(width * 110 / size / (longest + 5))))


def fold(text: str, width: int) -> str:
    """Lines of at most `width` letters, broken behind a slash, hyphen, underscore, dot or space where there is one."""
    lines = [""]
    for part in re.findall(r"[^/\-_. ]*[/\-_. ]?", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() if place < len(lines) - 1 else line for place, line in enumerate(lines))


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn picture: file name without its ending, title, what it shows in a sentence."""

    name: str
    title: str
    about: str
    svg: str
    png: bytes

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.svg and NAME.png; returns both paths.

        Raises:
            FileError: the folder cannot be written.
        """
        svg, png = folder / f"{self.name}.svg", folder / f"{self.name}.png"
        write_atomic(svg, self.svg, "out=DIR")
        write_atomic(png, self.png, "out=DIR")
        return [svg, png]


@contextmanager
def styled(name: str, texts: Sequence[str]) -> Iterator[Any]:
    """matplotlib's Figure class with our style; `name` keeps the ids of two pictures in one page different.

    Args:
        texts: titles and labels. A letter looks for its font in every family, which takes time: Indic ones join when needed.
    """
    import matplotlib
    from matplotlib.figure import Figure

    fonts = families() if any(map(beyond_latin, texts)) else families()[:1]
    with matplotlib.rc_context({**STYLE, "font.family": list(fonts), "svg.hashsalt": name}):
        yield Figure


def finished(name: str, title: str, about: str, figure: Any) -> Plot:
    """The picture of a figure drawn inside `styled(name)`."""
    import matplotlib

    svg, png = io.StringIO(), io.BytesIO()
    figure.draw_without_rendering()  # laid out once, for both files
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Plot(name, title, about, _inline(svg.getvalue(), name), png.getvalue())


def _inline(svg: str, name: str) -> str:
    """Without the XML prologue, and with its own ids, so that pictures can be in one HTML page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    return re.sub(r'(\bid="|href="#|url\(#)([^")]+)', lambda m: m[1] + (f"{name}-{m[2]}" if m[2] in ids else m[2]), svg)
