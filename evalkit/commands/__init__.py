"""What each command does once its words are read; prints for people. One file a command."""

from __future__ import annotations

# The command line finds a command here: its name, and `module:function` that takes the words after it.
COMMANDS = {
    "run": "run:run",
    "ls": "ls:ls",
    "show": "show:show",
    "plan": "plan:plan",
    "score": "score:score",
    "report": "report:report",
    "merge": "merge:merge",
    "compare": "compare:compare",
    "gate": "gate:gate",
    "rate": "rate:rate",
    "export": "export:export",
    "import": "export:import_",
    "push": "push:push",
    "data": "data:data",
    "execute": "execute:execute",
    "doctor": "doctor:doctor",
    "completion": "completion:completion",
}
