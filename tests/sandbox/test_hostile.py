"""Programs that mean harm, each run in the real sandbox: none passes, none reaches anything, none outlives its run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from evalkit.sandbox import Limits, Outcome, Pool, Program
from tests.sandbox.pairs import HERE, topics

QUICKER = Limits(seconds=0.5, memory_mb=512, calibrate=False)

TEST = "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate(0) == 0\n\ncheck(f)"
PROMPT = "def f(x):\n    '''Return x doubled.'''\n"
WRONG = "\ndef f(x):\n    return 1\n"


def judged(sandbox: Pool, source: str, test: str = TEST, limits: Limits | None = None) -> Outcome:
    return sandbox.run([Program(source, test, "f", PROMPT)], limits)[0]


def whole(sandbox: Pool, source: str, limits: Limits | None = None) -> Outcome:
    return sandbox.run([Program(source)], limits)[0]


ALWAYS_EQUAL = """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = object.__hash__
    def __bool__(self): return True
    def __abs__(self): return 0
    def __sub__(self, other): return self
    __rsub__ = __add__ = __radd__ = __sub__
    def __float__(self): return 0.0
    def __index__(self): return 6
    def __instancecheck__(self, other): return True
"""

FORGERIES = {
    "os._exit(0) at import": "import os\nos._exit(0)",
    "sys.exit(0) at import": "import sys\nsys.exit(0)",
    "raise SystemExit": "raise SystemExit(0)",
    "os._exit(0) in the call": "import os\ndef f(x): os._exit(0)",
    "SystemExit in the call": "def f(x): raise SystemExit(0)",
    "KeyboardInterrupt in the call": "def f(x): raise KeyboardInterrupt",
    "GeneratorExit in the call": "def f(x): raise GeneratorExit",
    "prints what a pass prints": "print('passed'); print('{\"passed\": true}')" + WRONG,
    "writes a pass to every descriptor": (
        "import os\nfor fd in range(256):\n    try: os.write(fd, b'{\"passed\": true}')\n    except OSError: pass" + WRONG
    ),
    "writes a framed reply to every descriptor": (
        "import os, struct, json\nm = json.dumps({'ok': 6}).encode()\nfor fd in range(256):\n"
        "    for _ in range(3):\n        try: os.write(fd, struct.pack('!I', len(m)) + m)\n        except OSError: pass\n" + WRONG
    ),
    "patches builtins": "import builtins\nbuiltins.AssertionError = type('A', (Exception,), {})\nbuiltins.abs = lambda x: 0\n"
    "builtins.len = lambda x: 6\nbuiltins.isinstance = lambda a, b: True\nbuiltins.compile = None\nbuiltins.exec = lambda *a: None" + WRONG,
    "its own check": "def check(candidate): pass" + WRONG,
    "replaces check in every namespace": (
        "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict) and '__name__' in o: o['check'] = lambda c: None" + WRONG
    ),
    "patches check through frames": (
        "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        frame.f_globals['check'] = frame.f_globals['TEST'] = None\n"
        "        frame = frame.f_back\n    return 1"
    ),
    "an object equal to everything": ALWAYS_EQUAL + "def f(x): return Yes()",
    "an int equal to everything": "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f(x): return Yes(1)",
    "a list equal to everything": "class Yes(list):\n    def __eq__(self, other): return True\ndef f(x): return Yes()",
    "a metaclass equal to everything": "class M(type):\n    def __eq__(self, other): return True\n    __hash__ = type.__hash__\n"
    "class Yes(metaclass=M): pass\ndef f(x): return Yes",
    "settrace": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)" + WRONG,
    "atexit": "import atexit, os\natexit.register(lambda: os._exit(0))" + WRONG,
    "a thread that exits": "import threading, os, time\nthreading.Thread(target=lambda: (time.sleep(0.02), os._exit(0))).start()" + WRONG,
    "a signal handler that exits": "import signal, os\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\nsignal.setitimer(signal.ITIMER_REAL, 0.01)"
    "\ndef f(x):\n    import time; time.sleep(0.5)",
    "shadows modules": "import sys, types\nfor n in ('json', 'os', 'struct', 'wire', 'tester'): sys.modules[n] = types.ModuleType(n)"
    + WRONG,
    "writes modules": "for n in ('json', 'wire', 'math'):\n    for d in ('.', '/tmp', '/sandbox'):\n        try: open(f'{d}/{n}.py', 'w').write('x')\n"
    "        except OSError: pass" + WRONG,
    "pokes memory": "import ctypes\nfor n in range(-5, 257): ctypes.memmove(id(n) + 24, id(6) + 24, 4)" + WRONG,
    "raises what has no text": "class E(Exception):\n    def __str__(self): raise SystemExit(0)\nraise E()",
    "raises a class named like a pass": "class passed(BaseException): pass\nraise passed('passed')",
    "the recursion limit": "def f(x): return f(x)",
    "deep recursion in C": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)",
    "a nest too deep to hand over": "def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a",
    "a cycle": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "invalid UTF-8, NUL, escapes": "import sys\nsys.stdout.buffer.write(b'\\xff\\x00\\x1b[2J')\nraise ValueError('\\x00\\x1b[31m\\udcff')",
    "closes every descriptor": "import os\nos.closerange(0, 256)" + WRONG,
    "looks for its test": "import os, glob\nfor p in glob.glob('/tmp/*') + glob.glob('/sandbox/*'):\n    try: os.unlink(p)\n    except OSError: pass"
    + WRONG,
}


@pytest.mark.parametrize("source", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_wrong_program_never_passes(sandbox: Pool, source: str) -> None:
    outcome = judged(sandbox, source)
    assert outcome.status in ("failed", "timed out", "killed by policy", "out of memory", "disputed")
    assert outcome.message.isprintable() and "\n" not in outcome.message


SUBTLE = {  # a program and a test that plain Python would let it pass
    "a tuple of names equal to everything": (
        "from collections import namedtuple\nclass P(namedtuple('P', 'x')):\n    def __eq__(self, o): return True\ndef f(): return P(1)",
        "assert f() == (6,)",
    ),
    "named fields equal to everything": (
        "class P(tuple):\n    _fields = ('x',)\n    def __eq__(self, o): return True\ndef f(): return P((1,))",
        "assert f() == (6,)",
    ),
    "a counter equal to everything": (
        "from collections import Counter\nclass C(Counter):\n    def __eq__(self, o): return True\ndef f(): return C('a')",
        "assert f() == {'b': 1}",
    ),
    "a day equal to everything": (
        "from datetime import date\nclass D(date):\n    def __eq__(self, o): return True\ndef f(): return D(2000, 1, 1)",
        "from datetime import date\nassert f() == date(2024, 1, 1)",
    ),
    "an exception's argument equal to everything": (
        "class Y:\n    def __eq__(self, o): return True\ndef f(): raise ValueError(Y())",
        "try: f()\nexcept ValueError as e: assert e.args[0] == 6\nelse: assert 0",
    ),
    "an exception's attribute equal to everything": (
        "class Y:\n    def __eq__(self, o): return True\nclass E(Exception): pass\ndef f():\n    e = E()\n    e.code = Y()\n    raise e",
        "try: f()\nexcept E as e: assert e.code == 6\nelse: assert 0",
    ),
    "a context that swallows the verdict": (
        "class f:\n    def __enter__(self): return 1\n    def __exit__(self, *a): return True",
        "with f() as x: assert x == 6",
    ),
    "any mock": ("from unittest.mock import ANY\ndef f(): return ANY", "assert f() == 6"),
    "a default that computes back": (
        "class Y:\n    def __sub__(self, o): return 0\n    __rsub__ = __sub__\n    def __abs__(self): return 0\ndef f(): return Y()",
        "assert abs(f() - 6) < 1e-6",
    ),
    "what it is compared with, changed in place": (
        "import gc\ndef f(l):\n    for o in gc.get_objects():\n        if type(o) is list and o == [6, 7, 8]: o[:] = l\n    return l",
        "want = [6, 7, 8]\nassert f([1]) == want",
    ),
    "the answer out of the test's globals": (
        "def f(): return globals().get('want', 1)",
        "want = 6\nassert f() == want",
    ),
    "the answer out of the test's code": (
        "import sys\ndef f(): return max([c for c in sys._getframe(1).f_code.co_consts if type(c) is int], default=0)",
        "assert f() == 66666",
    ),
    "a patched module": (
        "import math\nmath.isclose = lambda *a, **k: True\ndef f(): return 1.0",
        "import math\nassert math.isclose(f(), 6.0)",
    ),
    "a patched unit test": (
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef f(): return 1",
        "import unittest\nunittest.TestCase().assertEqual(f(), 6)",
    ),
    "a patched decimal context": (
        "import decimal\ndecimal.getcontext().prec = 1\ndef f(): return decimal.Decimal(6)",
        "from decimal import Decimal\nassert f() * 1 == Decimal('6.4') * 1",
    ),
}


@pytest.mark.parametrize(("source", "test"), SUBTLE.values(), ids=SUBTLE.keys())
def test_a_forged_pass_is_disputed(sandbox: Pool, source: str, test: str) -> None:
    outcome = judged(sandbox, source, test)
    assert outcome.status == "disputed" and not outcome.passed
    assert outcome.message.startswith("passes in one process with its test; in two: ")


# These programs mean harm: they run in the sandbox alone, never by plain `exec`.
FORGERIES_BY_TOPIC = topics(HERE / "forgeries.txt")


@pytest.mark.parametrize("topic", FORGERIES_BY_TOPIC)
def test_what_plain_python_would_let_pass_never_passes(sandbox: Pool, topic: str) -> None:
    programs, tests = FORGERIES_BY_TOPIC[topic]
    asked = [Program(program, test, "f") for program in programs for test in tests]
    outcomes = sandbox.run(asked, QUICKER)
    assert [(program, outcome) for program, outcome in zip(asked, outcomes, strict=True) if outcome.passed] == []


FORGED_END = """
import sys, os, json
frame = sys._getframe()
while frame:
    job = frame.f_locals.get('job')
    if job and 'token' in job:
        for fd in range(3, 10):
            try: os.write(fd, json.dumps({'passed': True, 'token': job['token']}).encode())
            except OSError: pass
        os._exit(0)
    frame = frame.f_back
"""


def test_a_verdict_written_with_the_token_is_disputed(sandbox: Pool) -> None:
    assert judged(sandbox, FORGED_END + WRONG).status == "disputed"


def test_the_two_runs_share_no_files(sandbox: Pool) -> None:
    seen = "import os\nknown = os.path.exists('/tmp/a')\nopen('/tmp/a', 'w').close()\ndef f(): return 6 if known else 1"
    assert judged(sandbox, seen, "assert f() == 1").passed


def test_a_helper_of_the_prompt_stays_the_prompts(sandbox: Pool) -> None:
    prompt = "def close(a, b):\n    return abs(a - b) < 1e-6\n\n\ndef f(x):\n    '''Return x halved.'''\n"
    test = "def check(candidate):\n    assert close(candidate(3), 1.5)\n\ncheck(f)"
    forged = Program(prompt + "    return 0\n\ndef close(a, b): return True\n", test, "f", prompt)
    honest = Program(prompt + "    return x / 2\n", test, "f", prompt)
    assert [o.status for o in sandbox.run([forged, honest])] == ["disputed", "passed"]


REFUSED = {
    "the password file": "open('/etc/passwd').read()",
    "shadow": "open('/etc/shadow').read()",
    "this test": f"open({str(Path(__file__))!r}).read()",
    "the project": "import evalkit",
    "installed packages": "import numpy",
    "processes": "open('/proc/1/environ').read()",
    "its own memory file": "open('/proc/self/mem', 'r+b')",
    "writing to the root": "open('/x', 'w')",
    "writing to the runner": "open('/sandbox/wire.py', 'a')",
    "writing to a library": "import os; open(os.__file__, 'a')",
    "making devices": "import os; os.mknod('/tmp/d', 0o60666, os.makedev(8, 0))",
    "the null device's mode": "import os; os.chmod('/dev/null', 0)",
    "the null device's mode, open": "import os; os.fchmod(1, 0)",
    "a socket": "import socket; socket.socket()",
    "loopback": "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
    "unix sockets": "import socket; socket.socket(socket.AF_UNIX).connect('\\0x')",
    "packet sockets": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "a process": "import os; os.fork()",
    "a shell": "import os; assert os.system('true') == 0",
    "a program": "import subprocess, sys; subprocess.run([sys.executable])",
    "another image": "import os, sys; os.execv(sys.executable, [sys.executable])",
    "its parent": "import os; os.kill(os.getppid() or 99999, 9)",
    "a neighbour": "import os\nfor p in range(2, 500):\n    try: os.kill(p, 9)\n    except ProcessLookupError: continue\n    else: break\nelse: raise OSError",
    "uid 0": "import os; os.setuid(0)",
    "more of a limit": "import resource; resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
    "a file larger than allowed": "open('/tmp/x', 'wb').truncate(1 << 40)",
    "a file in memory": "import os; os.memfd_create('x')",
    "gigabytes in its folder": "for i in range(100): open(f'/tmp/{i}', 'wb').write(bytes(1 << 22))",
    "files without end": "for i in range(10**6): open(f'/tmp/{i}', 'wb')",
    "descriptors without end": "import os; [os.dup(1) for _ in range(10**5)]",
    "memory without end": "a = [bytes(1 << 20) for _ in range(10**5)]",
    "shared memory": "import mmap; mmap.mmap(-1, 1 << 40)",
    "threads without end": "import threading, time\nfor _ in range(10**5): threading.Thread(target=time.sleep, args=(9,)).start()",
}


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED.keys())
def test_out_of_reach(sandbox: Pool, source: str) -> None:
    outcome = whole(sandbox, source)
    assert outcome.status in ("failed", "out of memory"), outcome


def test_no_lock_lease_or_notice_on_the_machines_files(sandbox: Pool) -> None:
    place = next(file for file in Path("/usr/lib").rglob("libc.so.6") if file.is_file())
    source = f"""
import fcntl, os, time
fd = os.open({str(place)!r}, os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
fcntl.lockf(fd, fcntl.LOCK_SH)
for fd_, command, argument in ((fd, fcntl.F_SETLEASE, fcntl.F_RDLCK), (os.open('/usr/lib', os.O_RDONLY), fcntl.F_NOTIFY, 1)):
    try: fcntl.fcntl(fd_, command, argument)
    except PermissionError: pass
    else: raise AssertionError(command)
assert fcntl.fcntl(fd, fcntl.F_GETFD) == fcntl.FD_CLOEXEC and os.get_inheritable(os.dup(fd)) is False
own = open('own', 'w')
fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.lockf(own, fcntl.LOCK_EX)
time.sleep(0.6)
"""
    done: list[Outcome] = []
    thread = threading.Thread(target=lambda: done.append(whole(sandbox, source)))
    thread.start()
    with place.open("rb") as handle:
        while thread.is_alive():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where the program holds it
            fcntl.flock(handle, fcntl.LOCK_UN)
            time.sleep(0.01)
    assert done == [Outcome("passed")]


def test_no_interpreters_packages_are_listed(sandbox: Pool) -> None:
    source = """
import os
for top in ('/usr', '/lib', '/lib64', os.path.dirname(os.path.dirname(os.__file__))):
    for folder, _, _ in os.walk(top):
        if os.path.basename(folder) in ('site-packages', 'dist-packages'): assert os.listdir(folder) == [], folder
"""
    assert whole(sandbox, source, Limits(seconds=10)) == Outcome("passed")


SYSCALLS = {
    "ptrace": (101, 117),
    "mount": (165, 40),
    "unshare": (272, 97),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "process_vm_writev": (311, 271),
}


@pytest.mark.parametrize("numbers", SYSCALLS.values(), ids=SYSCALLS.keys())
def test_killed_by_policy(sandbox: Pool, numbers: tuple[int, int]) -> None:
    number = numbers[0 if os.uname().machine == "x86_64" else 1]
    outcome = whole(sandbox, f"import ctypes; ctypes.CDLL(None).syscall({number}, 0, 0, 0, 0, 0)")
    assert outcome.status == "killed by policy"


TOO_LONG = {
    "spins": "while True: pass",
    "sleeps": "import time; time.sleep(60)",
    "ignores signals": "import signal\nfor s in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
    "writes to stdout without end": "while True: print('x' * 10**6)",
    "waits for a lock": "import threading; l = threading.Lock(); l.acquire(); l.acquire()",
}


@pytest.mark.parametrize("source", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_time(sandbox: Pool, source: str) -> None:
    started = time.monotonic()
    assert whole(sandbox, source).status == "timed out"
    assert time.monotonic() - started < 15


def test_a_call_that_never_returns_is_timed_out(sandbox: Pool) -> None:
    assert judged(sandbox, "def f(x):\n    while True: pass").status == "timed out"


def test_memory_has_its_own_outcome(sandbox: Pool) -> None:
    assert whole(sandbox, "x = bytes(1 << 33)").status == "out of memory"
    assert judged(sandbox, "def f(x): return bytes(1 << 33)").status == "out of memory"


def test_signals_to_its_group_stay_inside(sandbox: Pool) -> None:
    outcomes = sandbox.run([Program(f"import os\ntry: os.kill({to}, 9)\nexcept OSError: pass") for to in (0, -1)] + [Program("pass")])
    assert outcomes[-1].passed
    assert judged(sandbox, "def f(x): return 2 * x").passed


def test_no_environment_no_capabilities_no_root(sandbox: Pool) -> None:
    os.environ["EVALKIT_TEST_SECRET"] = "s"
    source = (
        "import os, resource\nassert not set(os.environ) - {'HOME', 'TMPDIR', 'LANG', 'PYTHONHASHSEED', 'PWD', 'LC_CTYPE'}, dict(os.environ)\n"
        "assert os.getuid() == 65534 and os.geteuid() == 65534\nimport ctypes\nd = (ctypes.c_uint32 * 6)()\n"
        "assert ctypes.CDLL(None).capget((ctypes.c_uint32 * 2)(0x20080522, 0), d) == 0 and not any(d), list(d)\n"
        "assert ctypes.CDLL(None).capget and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\nassert os.listdir('/tmp') == []"
    )
    assert whole(sandbox, source) == Outcome("passed")


def test_programs_do_not_see_one_another(sandbox: Pool) -> None:
    leave = "import time\nopen('/tmp/left', 'w').write('x')\ntime.sleep(0.3)"
    look = "import os, time\nfor _ in range(5):\n    assert os.listdir('/tmp') == []\n    time.sleep(0.05)\n#{}"
    outcomes = sandbox.run([Program(leave), *(Program(look.format(i)) for i in range(6)), Program(leave + "\n")])
    assert [o.status for o in outcomes] == ["passed"] * 8


def test_nothing_is_left_when_the_caller_is_killed(tmp_path: Path) -> None:
    script = (
        "from evalkit.sandbox import *\nprint('go', flush=True)\n"
        "bubblewrap_pool(None, None, Limits(seconds=60)).run([Program('while True: pass')])"
    )
    caller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert caller.stdout is not None and caller.stdout.readline() == b"go\n"
    time.sleep(1.0)
    below = _below(caller.pid)
    assert below
    caller.kill()
    caller.wait()
    caller.stdout.close()
    deadline = time.monotonic() + 5
    while (left := [pid for pid in below if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert not left


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_below(int(child))]
    return found


def test_threads_are_allowed(sandbox: Pool) -> None:
    source = "import threading\nr = []\nt = [threading.Thread(target=r.append, args=(i,)) for i in range(8)]\n"
    assert whole(sandbox, source + "[x.start() for x in t]; [x.join() for x in t]\nassert len(r) == 8").passed
    assert threading.active_count() >= 1
