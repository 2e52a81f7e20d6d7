"""Scores in the forms other tools read and write: lm-evaluation-harness results, model cards on the hub."""
