"""Whether a thing that a page or a table names as `file::name` is there, without importing anything."""

import ast
from functools import cache

from .extract import ROOT


@cache
def names(file: str) -> frozenset[str]:
    """Functions, classes and constants of a module, and the members of its classes as `Class.member`."""
    return frozenset(_names(ast.parse((ROOT / file).read_text()).body, ""))


def _names(body: list[ast.stmt], owner: str):
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield owner + statement.name
        if isinstance(statement, ast.ClassDef) and not owner:
            yield from _names(statement.body, f"{statement.name}.")
        for target in getattr(statement, "targets", [getattr(statement, "target", None)]):
            if isinstance(target, ast.Name):
                yield owner + target.id


def missing(reference: str) -> str:
    """What is wrong with `file::name`, or nothing."""
    file, _, name = reference.partition("::")
    if not (ROOT / file).is_file():
        return f"there is no {file}"
    return "" if name in names(file) else f"{file} has no {name}"
