"""A gate: may this candidate replace that base? A decision with error rates, not the absence of a finding."""

from evalkit.gate.decision import EXIT_CODES, MEAN, Decision, Outcome, Row, decide
from evalkit.gate.policy import Policy, TaskPolicy, policy_of, read_policy, schema

__all__ = [
    "EXIT_CODES",
    "MEAN",
    "Decision",
    "Outcome",
    "Policy",
    "Row",
    "TaskPolicy",
    "decide",
    "policy_of",
    "read_policy",
    "schema",
]
