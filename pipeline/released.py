"""Encoders that others released, brought into the form that recipes take."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.export import require_empty
from pipeline.predict import require_torch
from storage.errors import ConfigError

System = Literal["mtb", "cp", "erica", "finecl"]


def import_checkpoint(
    system: System,
    checkpoint: Path,
    base: str,
    out: Path,
    *,
    revision: str | None,
    entity_markers: bool,
) -> list[Path]:
    """Write a released checkpoint as a Hugging Face folder and return its files.

    Args:
        base: Encoder that it was trained from: a folder, or a hub id with its revision.
        out: A folder that is empty or not there yet.

    Raises:
        ConfigError: If there is no such file, the folder holds something, or the base does not fit.
        SourceError: If the file is not what the system's code saves.
    """
    require_empty(out)
    if not checkpoint.is_file():
        raise ConfigError(
            f"there is no file {checkpoint}",
            mend="Give the file that the system's code saved, ckpt_of_step_N",
        )
    if not Path(base).is_dir() and revision is None:
        raise ConfigError(
            f"--base is {base!r}: no folder, and no revision says which one of the hub it is",
            mend="Name a folder that is there, or give --revision with the commit",
        )
    require_torch()
    from stages.model.released import import_released

    import_released(system, checkpoint, base, out, revision=revision, entity_markers=entity_markers)
    return sorted(path for path in out.iterdir() if path.is_file())
