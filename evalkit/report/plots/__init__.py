"""Pictures of scores: SVG for pages, PNG for slides. Equal scores give equal bytes.

from evalkit.report.plots import draw_all

for plot in draw_all(runs, cards):     # intervals, bars, calibration, prompt length
    plot.save(Path("plots"))          # plots/intervals-1.svg and .png
"""

from evalkit.report.plots.draw import draw_all
from evalkit.report.plots.figure import Plot

__all__ = ["Plot", "draw_all"]
