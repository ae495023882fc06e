"""code: a digest of what a stage runs, and the lock file that holds it."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import code
from pipeline.code import accept, bump, code_digest, read_lock, read_module, stage_digest
from pipeline.dag import DAG, stage
from storage.errors import ConfigError

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules of a package `stages` of our own and return the digest of one."""
    folder = tmp_path / "stages"
    (folder / "kit").mkdir(parents=True)
    for package in (folder, folder / "kit"):
        (package / "__init__.py").touch()
    monkeypatch.setattr(code, "module_path", lambda name: path_of(name))
    monkeypatch.setattr(code, "is_module", lambda name: path_of(name).is_file())

    def path_of(name: str) -> Path:
        path = tmp_path / Path(*name.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def digest(**files: str) -> str:
        for name, text in files.items():
            ending = ".toml" if name.endswith("_toml") else ".py"
            inside = name.removesuffix("_toml").replace("kit_", "kit/")
            (folder / f"{inside}{ending}").write_text(textwrap.dedent(text))
        read_module.cache_clear()
        return code_digest("stages.main")

    yield digest
    read_module.cache_clear()


MAIN = '''
"""Main."""

def run(config):
    """Run."""
    return config + 1
'''


def test_comments_docstrings_and_layout_do_not_count(write: Write) -> None:
    plain = write(main=MAIN)
    assert plain == write(
        main='''
        # A comment.
        """Another docstring."""


        def run(
            config,
        ):  # why
            return (config
                    + 1)
        '''
    )


def test_a_docstring_alone_and_an_empty_body_are_the_same(write: Write) -> None:
    documented = write(main='class A:\n    """Only words."""\n')
    assert documented == write(main="class A:\n    pass\n")


@pytest.mark.parametrize("other", ["config + 2", "config - 1", "1 + config"])
def test_another_expression_counts(write: Write, other: str) -> None:
    assert write(main=MAIN) != write(main=MAIN.replace("config + 1", other))


def test_a_string_that_is_no_docstring_counts(write: Write) -> None:
    one = write(main='def run():\n    x = 1\n    "first"\n')
    assert one != write(main='def run():\n    x = 1\n    "second"\n')


@pytest.mark.parametrize(
    "line",
    [
        "from stages.kit.helper import help",
        "from stages.kit import helper",
        "import stages.kit.helper",
        "import stages.kit.helper as h",
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_helper_modules_count_however_they_are_imported(
    write: Write, line: str, inside: bool
) -> None:
    main = f"def run():\n    {line}\n" if inside else f"{line}\n"
    one = write(main=main, kit_helper="VALUE = 1\n")
    assert one != write(main=main, kit_helper="VALUE = 2\n")
    assert one == write(main=main, kit_helper="VALUE = 1  # as before\n")


def test_what_helpers_import_counts_too_and_circles_end(write: Write) -> None:
    main = "from stages.kit.helper import a\n"
    helper = "from stages.kit.far import b\n"
    one = write(main=main, kit_helper=helper, kit_far="from stages.kit.helper import a\nb = 1\n")
    two = write(main=main, kit_helper=helper, kit_far="from stages.kit.helper import a\nb = 2\n")
    assert one != two


def test_modules_that_are_not_imported_do_not_count(write: Write) -> None:
    one = write(main=MAIN, kit_helper="VALUE = 1\n")
    assert one == write(main=MAIN, kit_helper="VALUE = 2\n")


def test_a_toml_file_that_is_named_counts_by_its_values(write: Write) -> None:
    main = 'DATA = "data.toml"\n'
    one = write(main=main, data_toml="a = 1\nb = 2\n")
    assert one != write(main=main, data_toml="a = 1\nb = 3\n")
    assert one == write(main=main, data_toml="# reordered\nb = 2\na = 1\n")


def test_a_toml_file_that_is_not_named_does_not_count(write: Write) -> None:
    one = write(main=MAIN, data_toml="a = 1\n")
    assert one == write(main=MAIN, data_toml="a = 2\n")


def test_a_path_that_ends_like_a_toml_file_is_only_a_string(write: Write) -> None:
    assert write(main='MEND = "see recipes/my.toml"\n') != write(main='MEND = "see a/b.toml"\n')


def test_of_storage_only_the_spans_count() -> None:
    text = """
        from storage.spans import Span
        from storage.tables import PAGES
        from storage import spans
        from pipeline.dag import DAG
        import numpy
    """
    names = set(code.first_party_imports(code.ast.walk(code.ast.parse(textwrap.dedent(text)))))
    assert names == {"storage.spans"}


def test_empty_fields_of_syntax_trees_do_not_count_so_that_every_python_agrees(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python 3.12 gave functions and classes a list of type parameters.
    one = write(main=MAIN)
    monkeypatch.setattr(
        code.ast.FunctionDef, "_fields", (*code.ast.FunctionDef._fields, "type_params")
    )
    parse = code.ast.parse

    def newer(text: str) -> code.ast.Module:
        tree = parse(text)
        for node in code.ast.walk(tree):
            if isinstance(node, code.ast.FunctionDef):
                node.type_params = []
        return tree

    monkeypatch.setattr(code.ast, "parse", newer)
    assert write(main=MAIN) == one


def test_the_real_stages_have_digests_of_their_own() -> None:
    digests = {s.name: stage_digest(s) for s in DAG}
    assert len(set(digests.values())) == len(DAG)
    assert all(len(digest) == 16 for digest in digests.values())


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no module stages\.nothing"):
        code_digest("stages.nothing")


def test_a_lock_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = tmp_path / "stages.lock"
    assert read_lock(lock) == {}
    code.write_lock(lock, {"link": (2, "00ff"), "align": (1, "abcd")})
    assert read_lock(lock) == {"link": (2, "00ff"), "align": (1, "abcd")}


@pytest.mark.parametrize("line", ["link 1", "link one 00ff", "link 1 00ff more"])
def test_a_damaged_lock_file_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "stages.lock"
    lock.write_text(f"# head\n{line}\n")
    with pytest.raises(ConfigError, match=r"stages\.lock, line 2: ") as caught:
        read_lock(lock)
    assert repr(line) in str(caught.value)


def test_accept_records_the_digest_and_keeps_the_version_and_the_others(tmp_path: Path) -> None:
    lock = tmp_path / "stages.lock"
    code.write_lock(lock, {"link": (1, "old"), "align": (7, "other")})
    digest = accept("link", lock)
    assert digest == stage_digest(stage("link"))
    assert read_lock(lock) == {"link": (stage("link").version, digest), "align": (7, "other")}


def test_accept_of_an_unknown_stage_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean align"):
        accept("aling", tmp_path / "stages.lock")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package `stages` that is edited in place of the real one."""
    real = code.module_path("stages.segment")
    copy = tmp_path / "segment.py"
    copy.write_text(real.read_text("utf-8"), "utf-8")
    found = code.module_path
    monkeypatch.setattr(
        code, "module_path", lambda name: copy if name == "stages.segment" else found(name)
    )
    read_module.cache_clear()
    yield copy
    read_module.cache_clear()


def test_bump_raises_the_version_in_the_stages_own_file_and_in_the_lock(
    copied: Path, tmp_path: Path
) -> None:
    lock = tmp_path / "stages.lock"
    before, text = stage_digest(stage("segment")), copied.read_text("utf-8")
    version = stage("segment").version
    assert bump("segment", lock) == version + 1
    after = copied.read_text("utf-8")
    assert after == text.replace(f"version={version},", f"version={version + 1},", 1)
    locked_version, digest = read_lock(lock)["segment"]
    assert locked_version == version + 1
    assert digest == stage_digest(stage("segment")) != before


def test_bump_refuses_a_file_that_does_not_spell_its_version(copied: Path, tmp_path: Path) -> None:
    copied.write_text(copied.read_text("utf-8").replace("version=", "version = 0 + "), "utf-8")
    text = copied.read_text("utf-8")
    with pytest.raises(ConfigError, match="Raise the version there by hand"):
        bump("segment", tmp_path / "stages.lock")
    assert copied.read_text("utf-8") == text
    assert not (tmp_path / "stages.lock").exists()


def test_digests_do_not_import_what_they_read() -> None:
    name = "stages.ner.pipeline"
    loaded = sys.modules.pop(name, None)
    try:
        read_module.cache_clear()
        stage_digest(stage("recognize"))
        assert name not in sys.modules
    finally:
        if loaded is not None:
            sys.modules[name] = loaded
            importlib.import_module("stages.ner").pipeline = loaded  # type: ignore[attr-defined]
