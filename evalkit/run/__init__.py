"""The straight line: prepare → measure → score. `measure.run` is the whole of it."""
