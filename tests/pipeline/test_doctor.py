"""The doctor names what is amiss and the mend, and changes nothing."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pipeline import doctor
from pipeline.doctor import amiss, examine
from storage.warehouse import Warehouse


def test_a_sound_machine_lacks_nothing_that_is_needed(tmp_path: Path) -> None:
    found = list(examine(Warehouse(tmp_path / "w")))
    assert not [each for each in found if each.needed and each.mend]
    assert {"python", "packages", "for training", "GPU", "warehouse"} <= {e.what for e in found}
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("numpy>=2.0", ""),
        ("numpy<1.0", f"numpy is {metadata.version('numpy')}, required is <1.0"),
        ("no-such-package>=1", "no-such-package is not installed"),
    ],
)
def test_a_package_is_compared_with_what_is_required(line: str, fault: str) -> None:
    assert amiss(Requirement(line)) == fault


def test_a_wrong_package_and_a_missing_extra_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["fastapi<0.1", 'no-such-package; extra == "train"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: lines)
    found = {each.what: each for each in examine(Warehouse(tmp_path))}
    assert found["packages"].needed
    assert "required is <0.1" in found["packages"].found
    assert "pip install" in found["packages"].mend
    assert not found["for training"].needed
    assert "no-such-package is not installed" in found["for training"].found
    assert "relmill[train]" in found["for training"].mend
