"""What of a machine is as relmill needs it, and what will not work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from storage.warehouse import Warehouse

EXTRAS = {
    "train": "training",
    "server": "a Prefect server on PostgreSQL and Redis",
    "dask": 'runner = "dask"',
    "ray": 'runner = "ray"',
    "s3": "a warehouse at s3://",
}
"""What the extras of the package are for."""

LOW_DISK = 20e9
"""Free bytes below which a real corpus will not fit."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        found: What was found, in words.
        mend: What to do; empty where all is well.
        needed: Whether relmill cannot work without.
    """

    what: str
    found: str
    mend: str = ""
    needed: bool = False


def examine(warehouse: Warehouse) -> Iterator[Finding]:
    """Look at this machine; nothing is changed."""
    yield Finding("python", sys.version.split()[0])
    yield from packages()
    yield models()
    yield gpu()
    yield disk(warehouse)


def packages() -> Iterator[Finding]:
    """Compare what is installed with what relmill requires: itself, and for each of its extras."""
    wanted = [Requirement(line) for line in metadata.requires("relmill") or ()]
    core = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [fault for each in core if (fault := amiss(each))]
    yield Finding(
        "packages",
        "; ".join(wrong) or f"all {len(core)} as required",
        "Install them anew: pip install -c constraints.txt relmill" if wrong else "",
        needed=True,
    )
    for extra, use in EXTRAS.items():
        own = [
            r for r in wanted if r not in core and r.marker and r.marker.evaluate({"extra": extra})
        ]
        wrong = [fault for each in own if (fault := amiss(each))]
        yield Finding(
            f"for {use}",
            "; ".join(wrong) or f"all {len(own)} as required",
            f'Where it is wanted: pip install -c constraints.txt "relmill[{extra}]"'
            if wrong
            else "",
        )


def amiss(requirement: Requirement) -> str:
    """Return what is wrong with an installed package; nothing where it is as required."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"{requirement.name} is {version}, required is {requirement.specifier}"


def models() -> Finding:
    """Name the spaCy pipelines that are installed as packages."""
    found = sorted(point.name for point in metadata.entry_points(group="spacy_models"))
    return Finding(
        "spaCy pipelines",
        ", ".join(f"{name} {metadata.version(name)}" for name in found) or "none",
        ""
        if found
        else 'None is needed: recognize.model = "trained" learns one from hyperlinks; '
        "for English there is python -m spacy download en_core_web_lg",
    )


def gpu() -> Finding:
    """Name the GPUs, and say where PyTorch cannot use them."""
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Finding("GPU", "none", "Corpora need none; training of real size does")
    found = "; ".join(asked.stdout.strip().splitlines())
    try:
        build = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding("GPU", found)
    mend = "This PyTorch is a build for CPUs: install the one for CUDA" if "+cpu" in build else ""
    return Finding("GPU", found, mend)


def disk(warehouse: Warehouse) -> Finding:
    """Look at the place of the warehouse: whether it can be written, and how much is free."""
    place = next(p for p in (warehouse.root, *warehouse.root.parents) if p.exists())
    if not os.access(place, os.W_OK):
        mend = "Name a folder that you may write with --root or RELMILL_ROOT"
        return Finding("warehouse", f"{place} cannot be written", mend, needed=True)
    free = shutil.disk_usage(place).free
    return Finding(
        "warehouse",
        f"{warehouse.root}, {free / 1e9:,.0f} GB free",
        "Little for a real corpus: docs/scale.md has sizes" if free < LOW_DISK else "",
    )
