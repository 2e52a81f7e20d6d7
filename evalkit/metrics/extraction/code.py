"""The program an answer means: a fenced block, a completion of the prompt, or code between lines of prose."""

from __future__ import annotations

import ast
import html
import itertools
import json
import re
import symtable
import textwrap
import warnings
from collections.abc import Iterator

from evalkit.metrics.extraction.marks import ended, fenced

# Lines that only say where an answer begins and ends; `[BEGIN]` alone would be Python.
_TAGS = re.compile(
    r"(?mi)^[ \t]*(?:\[/?(?:python|begin|end|done|code|answer|solution)\]|</?(?:code|answer|solution|python|pre)>)[ \t]*$\n?"
)
_HTML = re.compile(r"(?s)<pre\b[^>]*>\s*(?:<code\b[^>]*>)?\n?(.*?)(?:</code>|</pre>|\Z)")
_QUOTED = re.compile(r"(?m)^> ?")
_WIDE_INDENT = re.compile(r"(?m)^[ \t\u00a0\u3000]+")
_SESSION = re.compile(r"(?m)^[ \t]*(?:>>>|\.\.\.)(?: |$)(.*)$")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_START = re.compile(r"(?m)^(?:from\s+\S+\s+import|import\s|def\s|class\s|async\s+def\s|@\w)")
MAX_LENGTH = 100_000
MAX_STARTS = 20  # lines of a text at which code may begin
MAX_TRIES = 200  # lines dropped from the end of prose before it is given up
_VALUES = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.While, ast.With, ast.Delete)
_SETTERS = ("setrecursionlimit", "seed", "setcontext", "set_int_max_str_digits")
_FILLERS = ("append", "extend", "update", "add", "insert", "setdefault")
_SETUP = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def program(text: str, prompt: str, entry_point: str) -> str | None:
    """The program that an answer to a problem in HumanEval's form means; None where it holds none.

    Of several fenced blocks the last that defines the entry point counts, with what earlier ones define for it; without one, the
    text. A block may go on from the prompt, indented or not, or say the signature again: then what is in the prompt in
    front of it (imports, helpers) comes first. A program compiles and gives the entry point a body; a method of a class that needs
    nothing to be made is taken for the function. What a program runs by itself (its own tests, examples, `sys.exit()`) is left out.
    """
    found = _program(text, prompt, entry_point)
    return found and _definitions(found, entry_point)


def _program(text: str, prompt: str, entry_point: str) -> str | None:
    if len(text) > MAX_LENGTH:
        return None
    text = ended(text)
    if all(line.startswith(">") and not line.startswith(">>>") for line in text.splitlines() if line.strip()):
        text = _QUOTED.sub("", text)
    text = _HTML.sub(lambda match: f"```\n{html.unescape(match[1])}\n```", text)
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
    if found := next((found for other in _otherwise(text, blocks) if (found := _whole(other, prompt, entry_point))), None):
        return found
    return next((found for part in (*reversed(blocks), text) if (found := _of_a_class(part, prompt, entry_point))), None)


def _of_a_class(code: str, prompt: str, entry_point: str) -> str | None:
    """A program whose one class has the function as a method."""
    if (tree := _parsed(code := textwrap.dedent(code))) is None:
        return None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    holds = [node for node in classes if any(isinstance(inner, ast.FunctionDef) and inner.name == entry_point for inner in node.body)]
    if len(holds) != 1 or any(isinstance(inner, ast.FunctionDef) and inner.name == "__init__" for inner in holds[0].body):
        return None
    signature = _signature(prompt, entry_point)
    before = prompt[: signature.start()].rstrip() if signature else ""
    return f"{before}\n\n{code}\n\n{entry_point} = {holds[0].name}().{entry_point}\n".lstrip("\n")


def _definitions(code: str, entry_point: str) -> str:
    """A program without what it runs by itself: calls, assertions, its main part, and values that only those use."""
    if (tree := _parsed(code)) is None:
        return code
    used = _used(code, tree) | {entry_point}
    kept: list[ast.stmt] = []
    while len(more := [node for node in tree.body if _needed(node, used)]) > len(kept):
        kept = more  # what a kept value is made of is needed as well
        used |= {name.id for node in kept if isinstance(node, _VALUES) for name in ast.walk(node) if isinstance(name, ast.Name)}
    lines = code.splitlines(keepends=True)
    staying = {line for node in kept for line in range(_first_line(node), (node.end_lineno or 0) + 1)}
    out = {line for node in tree.body if node not in kept for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    if not out or out & staying:
        return code
    return "".join(line for number, line in enumerate(lines, 1) if number not in out)


def _used(code: str, tree: ast.Module) -> set[str]:
    """Names of the module that its functions and classes use, when they are defined or when they run."""
    used: set[str] = set()
    tables = [symtable.symtable(code, "<answer>", "exec")]
    for table in tables:
        tables += table.get_children()
        if table.get_type() != "module":
            used |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            body = {id(inner) for part in node.body for inner in ast.walk(part)}
            used |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and id(inner) not in body}
    return used


def _first_line(node: ast.stmt) -> int:
    """A definition's first line is that of its decorators."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _is_main(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    return isinstance(node, ast.If) and any(isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test))


def _needed(node: ast.stmt, used: set[str]) -> bool:
    """Whether a statement defines something, or sets up what a definition uses: a value, `sys.setrecursionlimit(…)`."""
    if isinstance(node, ast.Expr):
        call = node.value.func if isinstance(node.value, ast.Call) else None
        if not isinstance(call, ast.Attribute):
            return isinstance(node.value, ast.Constant)
        return call.attr in _SETTERS or (isinstance(call.value, ast.Name) and call.value.id in used and call.attr in _FILLERS)
    if isinstance(node, _VALUES):
        stored = (ast.Store, ast.Del)
        names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, stored)}
        items = [item.value for item in ast.walk(node) if isinstance(item, (ast.Subscript, ast.Attribute)) and isinstance(item.ctx, stored)]
        calls = [inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)]
        items += [call.value for call in calls if isinstance(call, ast.Attribute) and call.attr in _FILLERS]
        return bool((names | {item.id for item in items if isinstance(item, ast.Name)}) & used)
    return not isinstance(node, (ast.Assert, ast.Raise)) and not _is_main(node)


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
