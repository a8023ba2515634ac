"""The places in the code that print something to type, and which of them a run has come by."""

import ast
import sys
from contextlib import contextmanager
from types import FrameType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from converge.plan import WayOut
from tests.support.program import ROOT

Line = Tuple[str, int]


class Place(NamedTuple):
    """A call that makes a way out with statements, or hands them to what makes it."""

    file: str
    first: int
    last: int


def places() -> Dict[str, Place]:
    """Return all places by name: `compare.columns.refuse_generated`, numbered from the second on.

    A function that only passes its own parameters on is none itself, but each of its calls is.
    """
    found: Dict[str, Place] = {}
    for path in sorted((ROOT / "converge").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        module = ".".join(path.relative_to(ROOT / "converge").with_suffix("").parts)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        makers = {"WayOut"} | {node.name for node in functions if _passes_on(node)}
        for function in functions:
            if function.name in makers:
                continue
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            for call in sorted(calls, key=lambda node: node.lineno):
                if _called(call) in makers and _has_statements(call):
                    name = f"{module}.{function.name}"
                    number = sum(known.partition(" ")[0] == name for known in found) + 1
                    name += f" {number}" if number > 1 else ""
                    found[name] = Place(str(path), call.lineno, call.end_lineno or call.lineno)
    return found


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def _passes_on(function: ast.FunctionDef) -> bool:
    parameters = [argument.arg for argument in function.args.args]
    return any(
        isinstance(node, ast.Call)
        and _called(node) == "WayOut"
        and getattr(node.args[0], "id", "") in parameters
        for node in ast.walk(function)
    )


def _has_statements(call: ast.Call) -> bool:
    """Advice alone is nothing to type: of a maker's arguments the last are the statements."""
    return len(call.args) + len(call.keywords) > (1 if _called(call) == "WayOut" else 2)


@contextmanager
def passed() -> Iterator[Set[Line]]:
    """Collect the lines of the program that are being run whenever a way out is made."""
    lines: Set[Line] = set()
    code = WayOut.__new__.__code__

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is code:
            caller: Optional[FrameType] = frame.f_back
            while caller is not None:
                lines.add((caller.f_code.co_filename, caller.f_lineno))
                caller = caller.f_back

    sys.setprofile(note)
    try:
        yield lines
    finally:
        sys.setprofile(None)


def names_of(lines: Set[Line]) -> List[str]:
    """Return the places that the lines belong to."""
    return sorted(
        name
        for name, place in places().items()
        if any(file == place.file and place.first <= line <= place.last for file, line in lines)
    )
