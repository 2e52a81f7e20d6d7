"""Draws docs/architecture.svg: the rooms of evalkit/ and who imports whom, read from the source.

    python docs/draw_architecture.py            # writes the picture

A room is a folder or file of evalkit/. It is one step above the highest room that it imports, so every arrow points down.
An arrow that follows from others (A to C, where A imports B and B imports C) is left out.
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "evalkit"
BOX, GAP, STEP, MARGIN = (94, 30), 14, 74, 16  # width and height of a box, between boxes, between layers, around
FILL = {"data": "#dbeafe", "prompts": "#dbeafe", "models": "#fde68a", "metrics": "#bbf7d0", "store": "#e9d5ff", "run": "#e9d5ff"}


def imports() -> dict[str, set[str]]:
    """Room -> rooms it imports, function bodies and types included."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        mine = found.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if names == ["evalkit"]:
                names = [f"evalkit.{alias.name}" for alias in node.names]  # type: ignore[union-attr]
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            mine |= {name.split(".")[1] for name in names if name.startswith("evalkit.")} - {room, "__version__"}
    return {room: others & found.keys() for room, others in found.items()}


def layers(arrows: dict[str, set[str]]) -> dict[str, int]:
    """How high each room is: 0 for one that imports none.

    Raises:
        SystemExit: the imports go round in a circle; names it.
    """
    height: dict[str, int] = {}

    def climb(room: str, above: tuple[str, ...]) -> int:
        if room in above:
            sys.exit(f"imports go round: {' -> '.join([*above[above.index(room) :], room])}")
        if room not in height:
            height[room] = 1 + max((climb(other, (*above, room)) for other in sorted(arrows[room])), default=-1)
        return height[room]

    for room in sorted(arrows):
        climb(room, ())
    return height


def needed(arrows: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that do not follow from others."""
    below: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in below:
            below[room] = set().union(*({other} | reach(other) for other in arrows[room]))
        return below[room]

    return [(a, b) for a in sorted(arrows) for b in sorted(arrows[a]) if not any(b in reach(c) for c in arrows[a] - {b})]


def places(height: dict[str, int], arrows: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Left upper corner of every box; in a layer, rooms are near those that they import."""
    rows = [[room for room in sorted(height) if height[room] == level] for level in range(max(height.values()) + 1)]
    width = max(len(row) for row in rows) * (BOX[0] + GAP) - GAP
    found: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        middle = {room: _mean([found[other][0] for other in arrows[room] if other in found], width / 2) for room in row}
        row.sort(key=lambda room: (middle[room], room))
        space = width / len(row)
        for i, room in enumerate(row):
            found[room] = (MARGIN + space * (i + 0.5) - BOX[0] / 2, MARGIN + (len(rows) - 1 - level) * STEP)
    return found


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def picture() -> str:
    """The whole SVG; equal imports give equal text."""
    arrows = imports()
    at = places(layers(arrows), arrows)
    width = max(x for x, _ in at.values()) + BOX[0] + MARGIN
    height = max(y for _, y in at.values()) + BOX[1] + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#64748b"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
    ]
    for room, (x, y) in sorted(at.items()):
        box = f'x="{x:.1f}" y="{y:.1f}" width="{BOX[0]}" height="{BOX[1]}" rx="5"'
        lines.append(f'<rect {box} fill="{FILL.get(room, "#f1f5f9")}" stroke="#334155"/>')
    for a, b in needed(arrows):  # over the boxes, so that a line which passes behind one is not taken for an end
        x1, y1, x2, y2 = at[a][0] + BOX[0] / 2, at[a][1] + BOX[1], at[b][0] + BOX[0] / 2, at[b][1]
        bend = (y2 - y1) / 2
        curve = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
        lines.append(f'<path d="{curve}" fill="none" stroke="#64748b" stroke-opacity="0.7" marker-end="url(#tip)"/>')
    for room, (x, y) in sorted(at.items()):
        lines.append(f'<text x="{x + BOX[0] / 2:.1f}" y="{y + 20:.1f}" text-anchor="middle">{escape(room)}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    Path(__file__).with_name("architecture.svg").write_text(picture(), encoding="utf-8")
