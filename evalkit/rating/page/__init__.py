"""What a rater gets: one HTML file without a network, that knows nothing of models, runs or folders."""

from evalkit.rating.page.page import page_of, served, shown_text

__all__ = ["page_of", "served", "shown_text"]
