"""The program an answer means: a fenced block, a completion of the prompt, or code between lines of prose."""

from __future__ import annotations

import ast
import itertools
import json
import re
import textwrap
import warnings
from collections.abc import Iterator

from evalkit.metrics.extraction.marks import fenced

# Lines that only say where an answer begins and ends; `[BEGIN]` alone would be Python.
_TAGS = re.compile(
    r"(?mi)^[ \t]*(?:\[/?(?:python|begin|end|done|code|answer|solution)\]|</?(?:code|answer|solution|python|pre)>)[ \t]*$\n?"
)
_WIDE_INDENT = re.compile(r"(?m)^[ \t\u00a0\u3000]+")
_SESSION = re.compile(r"(?m)^[ \t]*(?:>>>|\.\.\.)(?: |$)(.*)$")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_START = re.compile(r"(?m)^(?:from\s+\S+\s+import|import\s|def\s|class\s|async\s+def\s|@\w)")
MAX_LENGTH = 100_000
MAX_STARTS = 20  # lines of a text at which code may begin
MAX_TRIES = 200  # lines dropped from the end of prose before it is given up
_SETUP = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def program(text: str, prompt: str, entry_point: str) -> str | None:
    """The program that an answer to a problem in HumanEval's form means; None where it holds none.

    Of several fenced blocks the last that defines the entry point counts, with what earlier ones define for it; without one, the
    text. A block may go on from the prompt, indented or not, or say the signature again: then what is in the prompt in
    front of it (imports, helpers) comes first. A program compiles and gives the entry point a body.
    """
    if len(text) > MAX_LENGTH:
        return None
    text = _WIDE_INDENT.sub(lambda match: match[0].replace("\u00a0", " ").replace("\u3000", " "), text.lstrip("\ufeff\u200b"))
    text = _TAGS.sub("", text)
    blocks = [block for block in fenced(text) if block.strip()]
    for place in range(len(blocks) - 1, -1, -1):
        if _defined(block := blocks[place], entry_point) and (found := _whole(_with_setup(blocks, place), prompt, entry_point)):
            return found
        if _defined(block, entry_point) and (found := _whole(block, prompt, entry_point)):
            return found
    # A turn that was begun for the model goes on with the body, up to the fence that closes it.
    for part in (text.partition("```")[0], *reversed(blocks)):
        for candidate in _readings(part, prompt, entry_point):
            if _complete(candidate, entry_point):
                return candidate
    return next((found for other in _otherwise(text, blocks) if (found := _whole(other, prompt, entry_point))), None)


def _otherwise(text: str, blocks: list[str]) -> Iterator[str]:
    """Code in rarer dress: with a fence inside its docstring, as a session of the interpreter, in one line, in JSON."""
    first, last = text.find("```"), text.rfind("```")
    if 0 <= first < last:
        yield text[first:last].partition("\n")[2]
    for block in (*reversed(blocks), text):
        yield "\n".join(_SESSION.findall(block))
    yield from _INLINE.findall(text)
    for block in (*reversed(blocks), text):
        try:
            said = json.loads(block)
        except (ValueError, RecursionError):
            continue
        yield from (value for value in (said.values() if isinstance(said, dict) else ()) if isinstance(value, str))


def _readings(text: str, prompt: str, entry_point: str) -> Iterator[str]:
    """The programs that a text may mean, the most literal first."""
    yield prompt + text
    if text[:1] in (" ", "\t") and (end := re.search(r"(?m)^[^\s#]", text)):
        yield prompt + text[: end.start()]  # a body, and then prose that is not indented
    if (whole := _whole(text, prompt, entry_point)) is not None:
        yield whole
    body = textwrap.dedent(text.strip("\n"))
    if _returns(body):  # else a word of prose would be a body
        yield prompt.rstrip("\n") + "\n" + textwrap.indent(body, " " * _indent(prompt)) + "\n"
    for start in itertools.islice(_START.finditer(text), MAX_STARTS):
        if (
            _defined(text[start.start() :], entry_point)
            and (code := _compiles_up_to(text[start.start() :]))
            and (whole := _whole(code, prompt, entry_point)) is not None
        ):
            yield whole


def _whole(code: str, prompt: str, entry_point: str) -> str | None:
    """Code that defines the entry point by itself, behind what the prompt has in front of it; None where it does not."""
    code = textwrap.dedent(code)
    if not _defined(code, entry_point):
        return None
    if (signature := _signature(prompt, entry_point)) is None:
        return code
    before = prompt[: signature.start()]
    # A `from __future__` of the code has to stay first.
    whole = f"{before.rstrip()}\n\n{code}" if before.strip() else code
    return next((candidate for candidate in (whole, code) if _complete(candidate, entry_point)), None)


def _with_setup(blocks: list[str], place: int) -> str:
    """A block behind those earlier ones that do nothing but define names."""
    earlier = [block for block in blocks[:place] if (tree := _parsed(block)) and all(isinstance(node, _SETUP) for node in tree.body)]
    return "\n\n".join([*earlier, blocks[place]])


def _signature(text: str, entry_point: str) -> re.Match[str] | None:
    """The last line that begins the entry point's definition."""
    found = None
    for match in re.finditer(rf"(?m)^[ \t]*(?:async\s+)?def\s+{re.escape(entry_point)}\s*\(", text):
        found = match
    return found


def _defined(code: str, entry_point: str) -> bool:
    assigned = re.search(rf"(?m)^{re.escape(entry_point)}\s*=", code)
    return _signature(code, entry_point) is not None or assigned is not None


def _indent(prompt: str) -> int:
    """Columns of the prompt's body: its docstring's, else four."""
    last = next((line for line in reversed(prompt.splitlines()) if line.strip()), "")
    return len(last) - len(last.lstrip()) or 4


def _compiles_up_to(text: str) -> str | None:
    """As many lines of a text, from its first, as compile."""
    lines = text.splitlines()
    for end in range(len(lines), max(0, len(lines) - MAX_TRIES), -1):
        if _parsed(code := "\n".join(lines[:end])) is not None:
            return code
    return None


def _complete(code: str, entry_point: str) -> bool:
    """Whether code compiles and gives the entry point more than a docstring."""
    if (tree := _parsed(code)) is None:
        return False
    made = [node for node in tree.body if entry_point in _names(node)]
    if not made:
        return False
    last = made[-1]
    if not isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return True
    return not all(_nothing(node, entry_point) for node in last.body)


def _nothing(node: ast.stmt, entry_point: str) -> bool:
    """What a prompt may hold of a body: a docstring, an import; or what is left of an answer cut short, or of one indented whole."""
    if isinstance(node, ast.FunctionDef):
        return node.name == entry_point
    words = isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.Name))
    return words or isinstance(node, (ast.Import, ast.ImportFrom))


def _returns(body: str) -> bool:
    """Whether statements return something themselves, not only in functions that they define."""
    try:
        waiting: list[ast.AST] = [ast.parse(body)]
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)):
                return True
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
                waiting.append(node)
    return False


def _names(node: ast.stmt) -> set[str]:
    """What a statement defines or assigns."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()


def _parsed(code: str) -> ast.Module | None:
    """The code's tree where it compiles; nothing of it is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            compile(tree, "<answer>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
        return None
    return tree
