from __future__ import annotations

import bz2
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stages.wiki import compression, frames
from stages.wiki.dump import page_records
from stages.wiki.frames import (
    Frame,
    FrameIndex,
    Record,
    index_multistream,
    open_dump,
    pack,
    read_shard,
)
from storage.errors import SourceError

HEADER = b'<mediawiki xml:lang="en">\n  <siteinfo><dbname>nelbywiki</dbname></siteinfo>\n'
FOOTER = b"</mediawiki>\n"
Packer = Callable[[bytes], bytes]


def page(number: int, words: int = 3) -> bytes:
    return (
        f"  <page><title>Pier {number}</title><ns>0</ns><id>{number}</id>"
        f"<revision><id>1</id><text>{'word ' * words}</text></revision></page>\n"
    ).encode()


def dump(ids: list[int]) -> bytes:
    return HEADER + b"".join(page(number, number % 50) for number in ids) + FOOTER


def in_streams(data: bytes, size: int = 700) -> bytes:
    return b"".join(bz2.compress(data[i : i + size]) for i in range(0, len(data), size))


def in_zstd_frames(data: bytes, size: int = 700) -> bytes:
    compress = zstandard.ZstdCompressor().compress
    return b"".join(compress(data[i : i + size]) for i in range(0, len(data), size))


def in_members(data: bytes, size: int = 700) -> bytes:
    return b"".join(gzip.compress(data[i : i + size]) for i in range(0, len(data), size))


PACKERS: dict[str, Packer] = {
    "plain": bytes,
    "bz2": bz2.compress,
    "bz2, many streams": in_streams,
    "gz": gzip.compress,
    "gz, many members": in_members,
    "gz, zeros behind": lambda data: gzip.compress(data) + b"\0" * 512,
    "zst": zstandard.ZstdCompressor().compress,
    "zst, many frames": in_zstd_frames,
    "UTF-8 with mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "UTF-16, big end first": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "UTF-16 in bz2": lambda data: in_streams(data.decode().encode("utf-16"), 333),
}


def multistream(folder: Path, ids: list[int], size: int, *, packed_index: bool = True) -> Path:
    """Write a multistream dump and its index; return the path of the dump."""
    path, lines = folder / "x-multistream.xml.bz2", []
    data = bz2.compress(HEADER)
    for start in range(0, len(ids), size):
        group = ids[start : start + size]
        lines += [f"{len(data)}:{number}:Pier: {number}\n" for number in group]
        data += bz2.compress(b"".join(page(number, number % 50) for number in group))
    path.write_bytes(data + bz2.compress(FOOTER))
    index = "".join(lines).encode()
    ending = ".txt.bz2" if packed_index else ".txt"
    name = index_of(path, ending)
    name.write_bytes(bz2.compress(index) if packed_index else index)
    return path


def index_of(path: Path, ending: str = ".txt.bz2") -> Path:
    return path.with_name(f"x-multistream-index{ending}")


def shards(count: int, block: int = 1) -> Callable[[int], int]:
    return lambda key: key // block % count


def packed(path: Path, shard_of: Callable[[int], int], out: Path) -> FrameIndex:
    with open_dump(path) as stream:
        header, pages = page_records(stream, path.name)
        return pack(pages, shard_of, out, header=header.decode())


def by_shard(
    index: FrameIndex, file: Path, count: int, shard_of: Callable[[int], int]
) -> list[list[tuple[int | None, bytes]]]:
    return [[(r.key, r.data) for r in read_shard(index, file, s, shard_of)] for s in range(count)]


IDS = st.lists(st.integers(0, 400), max_size=25, unique=True)


@given(IDS, st.integers(1, 5), st.sampled_from([1, 3, 100]), st.integers(1, 9))
def test_how_a_dump_is_packed_changes_no_shard(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], count: int, block: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("dump")
    shard_of = shards(count, block)
    expected: list[list[tuple[int | None, bytes]]] = [[] for _ in range(count)]
    for number in ids:
        expected[shard_of(number)].append((number, page(number, number % 50).strip()))
    written = set()
    for name, packer in PACKERS.items():
        file, out = folder / "dump", folder / "frames"
        file.write_bytes(packer(dump(ids)))
        index = packed(file, shard_of, out)
        assert by_shard(index, out, count, shard_of) == expected, name
        assert index.records == len(ids)
        assert index.header.startswith("<mediawiki")
        written.add((out.read_bytes(), index.to_json()))
    assert len(written) == 1
    if ids:
        path = multistream(folder, ids, size, packed_index=bool(size % 2))
        index = index_multistream(
            path, index_of(path, ".txt.bz2" if size % 2 else ".txt"), shard_of
        )
        assert by_shard(index, path, count, shard_of) == expected
        assert index.records == len(ids)
        assert index.header == HEADER.decode()


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 300)), max_size=60))
def test_little_memory_gives_smaller_frames_and_the_same_shards(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[int, int]]
) -> None:
    out = tmp_path_factory.mktemp("frames") / "frames"
    given_records = [Record(key, place, b"x" * place) for key, place in records]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "FRAME", 400)
        patch.setattr(frames, "MEMORY", 1000)
        index = pack(given_records, shards(7), out)
    for shard in range(7):
        expected = [r for r in given_records if r.key is not None and r.key % 7 == shard]
        assert list(read_shard(index, out, shard, shards(7))) == expected
    assert all(len(frame.shards) == 1 for frame in index.frames)


def test_records_without_key_come_with_shard_0(tmp_path: Path) -> None:
    records = [Record(1, 10, b"a"), Record(None, 20, b"b"), Record(2, 30, b"c")]
    index = pack(records, shards(2), tmp_path / "frames")
    found = [list(read_shard(index, tmp_path / "frames", s, shards(2))) for s in (0, 1)]
    assert found == [[records[1], records[2]], [records[0]]]


def test_limit_and_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "REPORT", 10)
    taken, told = [], []

    def records() -> Iterator[Record]:
        for key in range(100):
            taken.append(key)
            yield Record(key, key, b"12345")

    index = pack(
        records(),
        shards(3),
        tmp_path / "frames",
        limit=5,
        progress=lambda count, size: told.append((count, size)),
    )
    assert index.records == len(taken) == 5
    assert told == [(2, 10), (4, 20), (5, 25)]


def test_an_index_survives_json() -> None:
    index = FrameIndex(
        "multistream", "<siteinfo>\u00e9", (Frame(5, 7, (0, 3), 9), Frame(12, 1, (2,), 1))
    )
    assert FrameIndex.from_json(index.to_json()) == index
    assert index.of_shard(3) == index.frames[:1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "kind": "packed"}', "null"])
def test_what_is_no_index_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="index of a dump's frames cannot be read"):
        FrameIndex.from_json(text)


def test_an_index_of_a_newer_relmill_is_refused() -> None:
    stored = json.loads(FrameIndex("packed", "", ()).to_json()) | {"format": 99}
    with pytest.raises(SourceError, match="format 99, known is 1"):
        FrameIndex.from_json(json.dumps(stored))


def read_all(path: Path) -> bytes:
    with open_dump(path) as stream:
        return stream.read()


@pytest.mark.parametrize("name", ["bz2", "bz2, many streams", "gz", "zst", "zst, many frames"])
def test_a_file_that_is_cut_off(tmp_path: Path, name: str) -> None:
    whole = PACKERS[name](os.urandom(3000))
    path = tmp_path / "dump.xml.bz2"
    for length in (len(whole) - 1, len(whole) - 300):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError, match="ends in the middle of its") as error:
            read_all(path)
        assert f"{path}, byte {length}" in str(error.value)


@pytest.mark.parametrize("name", ["bz2", "gz", "zst"])
def test_a_file_that_is_damaged(tmp_path: Path, name: str) -> None:
    path = tmp_path / "dump"
    whole = bytearray(PACKERS[name](os.urandom(200_000)))
    # In the middle zstd stores random bytes as they are and has no checksum of them.
    whole[4 if name == "zst" else len(whole) // 2] ^= 255
    path.write_bytes(whole)
    with pytest.raises(SourceError, match="data is damaged") as error:
        read_all(path)
    assert f"{path}, near byte" in str(error.value)


@pytest.mark.parametrize("name", ["bz2", "gz", "zst"])
def test_what_stands_behind_packed_data_is_damage(tmp_path: Path, name: str) -> None:
    path = tmp_path / "dump"
    path.write_bytes(PACKERS[name](b"text") + b"garbage that is longer than any header is")
    with pytest.raises(SourceError, match="data is damaged"):
        read_all(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_dump(tmp_path / "none")
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        open_dump(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(SourceError, match="is empty"):
        open_dump(tmp_path / "empty")
    (tmp_path / "dump.7z").write_bytes(b"7z\xbc\xaf\x27\x1c and so on")
    with pytest.raises(SourceError, match="is a 7z archive"):
        open_dump(tmp_path / "dump.7z")


def test_utf_16_that_is_no_text_becomes_bytes_that_are_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"\xff\xfea\x00\x00\xd8b\x00")
    assert read_all(path) == b"a\xed\xa0\x80b"
    path.write_bytes(b"\xff\xfea\x00b")
    with pytest.raises(SourceError, match="in the middle of a character"):
        read_all(path)


def test_a_pair_of_surrogates_may_be_cut_by_a_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dump"
    path.write_bytes("a\U0001f30d\u00e9b".encode("utf-16"))
    for size in range(1, 9):
        monkeypatch.setattr(compression, "CHUNK", size)
        assert read_all(path).decode() == "a\U0001f30d\u00e9b"


@pytest.fixture
def dumped(tmp_path: Path) -> Path:
    return multistream(tmp_path, list(range(1, 31)), 10)


def test_an_index_of_another_dump(dumped: Path, tmp_path: Path) -> None:
    other = tmp_path / "other-index.txt"
    text = bz2.decompress(index_of(dumped).read_bytes()).decode()
    other.write_text(text.replace(":5:", ":500:"))
    index = index_multistream(dumped, other, shards(400))
    with pytest.raises(SourceError, match="not the one that was indexed: it holds id 5 of shard 5"):
        list(read_shard(index, dumped, 1, shards(400)))
    other.write_text(text.replace(":5:Pier: 5\n", ":5:Pier: 5\n" + text.partition("\n")[0] + "\n"))
    index = index_multistream(dumped, other, shards(2))
    with pytest.raises(SourceError, match="it holds 10 records instead of 11"):
        list(read_shard(index, dumped, 1, shards(2)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n", "names no page"),
        ("ten:1:A\n", "line 1: this is no line of an index"),
        ("10:1:A\n20\n", "line 2: this is no line of an index"),
        ("0:1:A\n", "points to bytes 0 to 0"),
        ("99999999:1:A\n", "points to bytes 99999999 to 99999999 of a dump of"),
    ],
)
def test_indexes_that_are_wrong(dumped: Path, tmp_path: Path, text: str, message: str) -> None:
    index = tmp_path / "index.txt"
    index.write_text(text)
    with pytest.raises(SourceError, match=message):
        index_multistream(dumped, index, shards(2))


def test_a_multistream_dump_that_is_cut_off(dumped: Path) -> None:
    whole = dumped.read_bytes()
    dumped.write_bytes(whole[:-3])
    with pytest.raises(SourceError, match="ends in the middle of its bz2 data"):
        index_multistream(dumped, index_of(dumped), shards(2))
    dumped.write_bytes(whole.removesuffix(bz2.compress(FOOTER)))
    with pytest.raises(SourceError, match="without its end tag"):
        index_multistream(dumped, index_of(dumped), shards(2))
    index = FrameIndex("multistream", "", (Frame(0, len(whole), (0,), 1),))
    with pytest.raises(SourceError, match="bytes are left of"):
        list(read_shard(index, dumped, 0, shards(1)))


def test_damage_in_a_multistream_dump_comes_once(tmp_path: Path) -> None:
    groups = [page(1) + page(2).replace(b"<id>2", b"<id>two"), b"  <pag" + page(3)[7:] + page(4)]
    data, lines = bz2.compress(HEADER), ""
    for number, group in enumerate(groups):
        ids = (2 * number + 1, 2 * number + 2)
        lines += "".join(f"{len(data)}:{i}:Pier {i}\n" for i in ids)
        data += bz2.compress(group)
    (tmp_path / "dump").write_bytes(data + bz2.compress(FOOTER))
    (tmp_path / "index").write_text(lines)
    index = index_multistream(tmp_path / "dump", tmp_path / "index", shards(5))
    found = by_shard(index, tmp_path / "dump", 5, shards(5))
    keys = sorted((key or 0, data.count(b"<id>")) for shard in found for key, data in shard)
    assert [key for key, _ in keys] == [0, 0, 1, 4]


def test_frames_that_are_damaged(tmp_path: Path) -> None:
    out = tmp_path / "frames"
    index = pack([Record(1, 1, b"x" * 1000)], shards(1), out)
    whole = out.read_bytes()
    out.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1, whole[-1]]))
    with pytest.raises(SourceError, match="data is damaged"):
        list(read_shard(index, out, 0, shards(1)))
    out.write_bytes(whole[:-2])
    with pytest.raises(SourceError, match="bytes are left of"):
        list(read_shard(index, out, 0, shards(1)))
    other = replace(index, frames=(replace(index.frames[0], records=2),))
    out.write_bytes(whole)
    with pytest.raises(SourceError, match="holds 1 records instead of 2"):
        list(read_shard(other, out, 0, shards(1)))
    out.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        list(read_shard(index, out, 0, shards(1)))


def test_records_are_taken_one_by_one(tmp_path: Path) -> None:
    """A reader of a dump that is larger than memory must not gather its pages."""
    pages = 200
    text = b"word " * 20_000

    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.left = [FOOTER]
            each = b"<page><title>A</title><ns>0</ns><id>%d</id><revision><id>1</id><text>"
            for number in range(pages):
                self.left.append(each % number + text + b"</text></revision></page>\n")
            self.left.append(HEADER)

        def read(self, size: int = -1, /) -> bytes:
            return self.left.pop() if self.left else b""

    stream = Endless()
    _, records = page_records(stream, "x")  # type: ignore[arg-type]
    first = next(records)
    assert first.key == pages - 1
    assert len(stream.left) >= pages - 3
    assert sum(1 for _ in records) == pages - 1
