"""Blind rating by people: pages to rate on, what comes back, and what it says of the models.

    from evalkit.rating.gather import gather          # answers of several runs, side by side
    from evalkit.rating.make import make              # a sheet, and one HTML page per rater
    from evalkit.rating.collect import collect        # files of ratings -> a run per model

`prompt_set` are prompts to ask; `assign` says who rates what, in which order; `markup` turns an answer into harmless HTML;
`sheet` is the maker's key, which no rater gets; `page` is what a rater gets; `means` and `agreement` are the statistics.
"""
