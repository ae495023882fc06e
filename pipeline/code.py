"""Code identity: a digest of what a stage runs, held against `stages.lock`.

The version in a stage's fingerprint is raised by hand. So that nobody forgets, the lock file holds
the digest of each stage's code; when it changes, a person says which it is: `bump` (rows change)
or `accept` (they do not).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.dag import stage
from stages.base import Stage
from storage.errors import ConfigError
from storage.fingerprint import canonical_json

COUNTED_OF_STORAGE = {"storage.spans"}
COUNTED = (ast.Import, ast.ImportFrom, ast.Constant)
DATA = (".toml", ".sql")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_digest(module: str) -> str:
    """Return 16 hex digits for the code of a module and of all first-party modules it imports.

    Comments, docstrings and layout do not count; data files that a module names (`x.toml` or
    `x.sql` beside it) do. Of `storage`, only `spans` counts: the rest decides where rows lie, not
    which.
    """
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen[name], imports = read_module(name)
            waiting.extend(imports)
    return hashlib.sha256(canonical_json(seen).encode()).hexdigest()[:16]


@cache
def read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the digest of one module alone, and the modules of ours that it imports."""
    path = module_path(name)
    met: list[ast.AST] = []
    code = dumped(ast.parse(path.read_text(encoding="utf-8")), met)
    text = "\n".join([code, *data_files(met, path)])
    return hashlib.sha256(text.encode()).hexdigest(), tuple(first_party_imports(met))


def changed_since(moment: str) -> bool:
    """Whether a file that digests may count was changed after a moment (ISO 8601)."""
    then = datetime.fromisoformat(moment).timestamp()
    files = (f for f in module_path("stages").parent.rglob("*") if f.suffix in (".py", *DATA))
    return any(f.stat().st_mtime > then for f in [*files, module_path("storage.spans")])


def module_path(name: str) -> Path:
    """Return the file of a module of ours, without importing it or what it stands in."""
    package, *inside = name.split(".")
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent.joinpath(*inside)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return file
    raise ConfigError(f"there is no module {name}")


def first_party_imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the modules of ours that nodes of a syntax tree import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module, *(n for n in inner if is_module(n))]
        else:
            continue
        yield from (n for n in names if n.split(".")[0] == "stages" or n in COUNTED_OF_STORAGE)


def is_module(name: str) -> bool:
    """Whether a dotted name of ours is a module, and not something inside one."""
    if name.split(".")[0] not in {"stages", "storage"}:
        return False
    try:
        return module_path(name).is_file()
    except ConfigError:
        return False


def dumped(node: Any, met: list[ast.AST]) -> str:
    """Return a syntax tree as text, and note the imports and constants met.

    Left out are docstrings, and empty fields: each Python version adds some.
    """
    if isinstance(node, list):
        return f"[{', '.join([dumped(each, met) for each in node])}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, COUNTED):
        met.append(node)
    elif isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    shown = []
    for name in node._fields:
        value = getattr(node, name, None)
        if value is not None and value != []:
            shown.append(f"{name}={dumped(value, met)}")
    return f"{type(node).__name__}({', '.join(shown)})"


def data_files(nodes: Iterable[ast.AST], path: Path) -> Iterator[str]:
    """Yield the values of TOML files, and SQL, beside a module that nodes name in a string."""
    for node in nodes:
        if isinstance(node, ast.Constant) and str(node.value).endswith(DATA):
            file = path.parent / str(node.value)
            if file.parent == path.parent and file.is_file():
                text = file.read_text(encoding="utf-8")
                toml = file.suffix == ".toml"
                yield canonical_json(tomllib.loads(text)) if toml else text


def stage_digest(which: Stage) -> str:
    """Return the digest of a stage's code."""
    return code_digest(f"stages.{which.name}")


def read_lock(path: Path) -> dict[str, tuple[int, str]]:
    """Return version and digest of each stage as the lock file has them; none where it is missing.

    Raises:
        ConfigError: If a line is not `name version digest`.
    """
    locked = {}
    if path.is_file():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            fields = line.split()
            if len(fields) != 3 or not fields[1].isdigit():
                raise ConfigError(
                    f"{line!r} is not `name version digest`",
                    where=f"{path}, line {number}",
                    mend="Take the file back from version control",
                )
            locked[fields[0]] = (int(fields[1]), fields[2])
    return locked


def write_lock(path: Path, locked: dict[str, tuple[int, str]]) -> None:
    """Write the lock file."""
    head = (
        "# Version and code digest of each stage. Do not edit: `relmill stages accept NAME` where\n"
        "# a change leaves the rows as they were, `relmill stages bump NAME` where it does not.\n"
    )
    lines = [f"{name} {version} {digest}\n" for name, (version, digest) in locked.items()]
    path.write_text(head + "".join(lines), encoding="utf-8")


def accept(name: str, lock: Path) -> str:
    """Record that a stage's changed code makes the same rows; return the new digest."""
    which = stage(name)
    locked = read_lock(lock)
    locked[name] = (which.version, stage_digest(which))
    write_lock(lock, locked)
    return locked[name][1]


def bump(name: str, lock: Path) -> int:
    """Raise the version of a stage in its own file, and in the lock; return the new version.

    Raises:
        ConfigError: If the stage's file does not spell its version as expected.
    """
    which = stage(name)
    path = module_path(f"stages.{name}")
    pattern = re.compile(rf'(Stage\(\s*(?:name=)?"{name}",\s*version=){which.version}\b')
    text, found = pattern.subn(rf"\g<1>{which.version + 1}", path.read_text(encoding="utf-8"))
    if found != 1:
        raise ConfigError(
            f'no `Stage("{name}", version={which.version}` found',
            where=str(path),
            mend="Raise the version there by hand, then run `relmill stages accept`",
        )
    path.write_text(text, encoding="utf-8")
    read_module.cache_clear()
    locked = read_lock(lock)
    locked[name] = (which.version + 1, stage_digest(which))
    write_lock(lock, locked)
    return which.version + 1
