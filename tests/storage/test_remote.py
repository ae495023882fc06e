"""A warehouse in a store: published whole or not at all, and reused from another machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.errors import MissingArtifactError, PassingError
from storage.reading import open_warehouse, refresh_catalog
from storage.refs import Refs, remove
from storage.remote import Remote, remote_of
from storage.warehouse import Warehouse, open_root
from tests.pipeline import toy
from tests.pipeline.toy import Mill


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bucket on a server of moto's."""
    pytest.importorskip("moto.server", reason="moto[server] is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed: the extra s3")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("moto") / "log").open("wb")
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=log, stderr=log)
    names = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    kept = dict(os.environ)
    os.environ.update(names)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        import s3fs

        s3fs.S3FileSystem(use_listings_cache=False).mkdir("relmill")
        yield "s3://relmill"
    finally:
        os.environ.clear()
        os.environ.update(kept)
        server.terminate()
        server.wait()
        log.close()


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that holds nothing yet."""
    if request.param == "file":
        return f"file://{tmp_path}/store"
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


class Machine:
    """A machine with a working folder of its own; all see the same store and raw files."""

    def __init__(self, name: str, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self._cache = folder / name
        self._patch = monkeypatch
        self._raw = folder / "raw"
        self._raw.mkdir(exist_ok=True)

    def mill(self) -> Mill:
        """The toy pipeline on the store as it is now."""
        self._patch.setenv("RELMILL_CACHE", str(self._cache))
        mill = Mill(self._raw)
        mill.warehouse = open_root(self.url)
        return mill


@pytest.fixture
def machines(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Machine]:
    return (
        Machine("one", url, tmp_path, monkeypatch),
        Machine("two", url, tmp_path, monkeypatch),
    )


Machines = tuple[Machine, Machine]


def store(warehouse: Warehouse) -> Remote:
    assert warehouse.remote is not None
    return warehouse.remote


def fetched(mill: Mill) -> set[str]:
    """Parts and files that lie in the working folder."""
    root = mill.warehouse.root / "artifacts"
    kinds = (*root.rglob("*.parquet"), *root.rglob("files/*"))
    return {str(path.relative_to(root)) for path in kinds}


def test_another_machine_reuses_all_and_fetches_only_what_it_reads(machines: Machines) -> None:
    first = machines[0].mill()
    run = first.run()
    expected = first.bytes(run)
    second = machines[1].mill()
    assert second.warehouse.root != first.warehouse.root
    assert fetched(second) == set()
    assert set(second.verdicts().values()) == {"current"}
    again = second.run(join={"glue": "-"})
    assert again.made == ["join"]
    read = {name.split("/")[0] for name in fetched(second)}
    assert read == {"read", "mark", "index", "join"}
    whole = {o.path for a in second.warehouse.artifacts() for o in a.held(a.manifest().records)}
    for artifact in second.warehouse.artifacts():
        assert list(artifact.faults()) == []
    assert all(path.is_file() for path in whole)
    assert second.bytes(run) == expected


def test_a_run_that_was_stopped_goes_on_elsewhere_from_the_last_whole_step(
    machines: Machines,
) -> None:
    first = machines[0].mill()
    with pytest.raises(KeyboardInterrupt):
        first.run(toy.Serial(stop_after=7))
    second = machines[1].mill()
    begun = {a.stage for a in first.warehouse.artifacts() if not a.complete}
    assert begun, "it was stopped within a step"
    assert not begun & {a.stage for a in second.warehouse.artifacts()}
    assert second.verdicts()["gather"] == "current"
    run = second.run()
    assert "gather" not in run.made
    assert machines[0].mill().verdicts() == dict.fromkeys(second.verdicts(), "current")


def test_a_reader_never_sees_a_half_published_table(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machines
    seen: list[tuple[str, bool]] = []
    put = Remote.publish

    def watched(remote: Remote, name: str, objects: Any, manifest: bytes) -> None:
        """Look from the other machine before, amid and after each publication."""
        half = len(objects) // 2
        remote.files.put(
            [str(o.path) for o in objects[:half]], [remote.place(o) for o in objects[:half]]
        )
        seen.append((name, second.mill().warehouse.named(name).complete))
        put(remote, name, objects, manifest)
        found = second.mill().warehouse.named(name)
        seen.append((name, found.complete))
        assert list(found.faults()) == []

    monkeypatch.setattr(Remote, "publish", watched)
    first.mill().run()
    names = dict.fromkeys(name for name, _ in seen)
    assert len(names) == len(toy.DAG)
    assert seen == [(name, whole) for name in names for whole in (False, True)]


def test_a_publication_that_broke_off_leaves_nothing_to_see_and_goes_on(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machines[0].mill()
    first.run(to="read")
    files = store(first.warehouse).files
    whole = files.put

    def broken(paths: Any, keys: Any) -> None:
        whole(paths[:1], keys[:1])
        raise ConnectionError("the network is gone")

    monkeypatch.setattr(files, "put", broken)
    with pytest.raises(PassingError, match=r"the store .* refuses: the network is gone"):
        first.run(to="mark")
    assert "mark" not in {a.stage for a in machines[1].mill().warehouse.artifacts()}
    monkeypatch.setattr(files, "put", whole)
    assert machines[0].mill().run(toy.Serial(stop_after=0), to="mark").made == ["mark"]
    assert machines[1].mill().verdicts(to="mark")["mark"] == "current"


def test_two_machines_that_make_a_step_with_other_bytes_do_not_mix_them(
    machines: Machines,
) -> None:
    first, second = (machine.mill() for machine in machines)
    first.run(to="read")
    second.dag = toy.changed(second.dag, "read", run=in_capitals)
    second.run(to="read")
    for machine in machines:
        mill = machine.mill()
        read = next(a for a in mill.warehouse.artifacts() if a.stage == "read")
        assert list(read.faults()) == []
        rows = [r["word"] for r in mill.rows(next(Refs(mill.warehouse).runs()), toy.WORDS)]
        assert all(word.isupper() for word in rows)


def in_capitals(config: Any, inputs: Any) -> Any:
    for table, batch in toy.read(config, inputs):
        rows = [(r["page_id"], r["word"].upper()) for r in batch.to_pylist()]
        yield table, table.batch(rows)


def test_sql_reads_the_store_where_it_lies(machines: Machines) -> None:
    machines[0].mill().run()
    second = machines[1].mill()
    with toy.installed():
        tables = open_warehouse(machines[1].url).tables("toy")
        count = tables.sql("SELECT count(*) AS n FROM joined")["n"][0].as_py()
        assert fetched(second) == set()
        assert count == tables.arrow("joined").num_rows == 12
        assert any(name.startswith("join/") for name in fetched(second))
        refresh_catalog(second.warehouse)


def test_tags_and_withdrawn_steps_are_the_same_everywhere(machines: Machines) -> None:
    first = machines[0].mill()
    run = first.run(to="read")
    Refs(first.warehouse).tag("kept", run)
    second = machines[1].mill()
    assert Refs(second.warehouse).find_tag("kept").run == run.id
    assert [r.status for r in Refs(second.warehouse).runs()] == ["succeeded"]
    read = second.warehouse.named(run.steps["read"])
    time.sleep(1.1)  # what changed in the very second of a look is looked at the next time
    Refs(second.warehouse).remove_tag("kept")
    remove(read)
    remote = store(second.warehouse)
    assert remote.files.find(remote.key("objects", read.name)) == []
    late = first.warehouse.named(run.steps["read"])
    for each in late.held(late.manifest().records):
        each.path.unlink()
    with pytest.raises(MissingArtifactError, match="pruned"):
        late.require_whole(late.manifest().records, "words")
    again = machines[0].mill()
    assert list(Refs(again.warehouse).tags()) == []
    assert again.verdicts()["read"] != "current"


def test_a_folder_alone_has_no_store(tmp_path: Path) -> None:
    warehouse = open_root(tmp_path / "warehouse")
    assert warehouse.remote is None is remote_of(tmp_path)
    assert warehouse.place == str(tmp_path / "warehouse")
    assert list(tmp_path.iterdir()) == []
