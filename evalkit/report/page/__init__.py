"""One HTML file that a browser opens from disk: tables, pictures and every sample behind a score.

    from evalkit.report.page import write_page

    written = write_page(report, runs, Path("report.html"))

No network, no other file: style, script and samples are inside. Samples are stored in compressed
blocks that the browser unpacks when they are looked at, so a page with 20,000 of them opens at once.
"""

from evalkit.report.page.page import Picture, Written, write_page

__all__ = ["Picture", "Written", "write_page"]
