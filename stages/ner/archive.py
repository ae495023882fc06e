"""A trained pipeline as one file: the folder that `nlp.to_disk` writes, zipped."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import spacy
from spacy.language import Language

EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, path: Path) -> None:
    """Zip a folder; equal folders give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def unpack(path: Path) -> Language:
    """Load a pipeline from a file that `pack` wrote.

    Raises:
        OSError, ValueError: If it is none.
    """
    with tempfile.TemporaryDirectory(prefix="relmill-ner-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error
        return spacy.load(folder)
