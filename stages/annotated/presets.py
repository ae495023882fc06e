"""Benchmarks that relmill knows by name: their format, and where their publishers keep them.

Addresses name one commit, so what they lead to never changes. A split without an address is not to
be had without a licence, or has no address that stays: its file is given in the recipe.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["PRESETS", "Located", "Preset"]

GITHUB = "https://raw.githubusercontent.com"
CP = (
    f"{GITHUB}/thunlp/RE-Context-or-Names/ae75ef183d0775c4c91ea8656b7cb1ea79fc4bb9"
    "/finetune/supervisedRE/data"
)
FEWREL = f"{GITHUB}/thunlp/FewRel/278a2315d2138810a379cd8d5718914dc56e2582/data"
RE_DOCRED = f"{GITHUB}/tonytan48/Re-DocRED/ccfb54f5ddf5836027c87badda10f6dfc56efaac/data"
SCIBERT = f"{GITHUB}/allenai/scibert/06793f77d7278898159ed50da30d173cdc8fdea9/data"
CHEMPROT = f"{SCIBERT}/text_classification/chemprot"
SCIIE = f"{SCIBERT}/text_classification/sciie-relation-extraction"


@dataclass(frozen=True)
class Located:
    """A file at its publisher's.

    Attributes:
        sha256: Checksum of the file as it is downloaded; None where it was never seen here.
    """

    location: str
    sha256: str | None = None


@dataclass(frozen=True)
class Preset:
    """What is known of a benchmark by its name.

    Attributes:
        format: Name of one of FORMATS.
        licence: As its publisher states it.
        files: By split; only those that have an address that stays.
        whence: Where a person gets the files that have none.
    """

    format: str
    licence: str
    files: dict[str, Located] = field(default_factory=dict)
    whence: str = ""


PRESETS: dict[str, Preset] = {
    "semeval": Preset(
        "opennre",
        "CC BY 3.0",
        {
            "train": Located(
                f"{CP}/semeval/train.txt",
                "5a53be5e2dfbf865f77c287deec7b9e8a12be333ffb6157bfb5a692250a06220",
            ),
            "dev": Located(
                f"{CP}/semeval/dev.txt",
                "a91170e7c19354a895a58e582bf7fad43994467a0d27a8632319a70840b88e02",
            ),
            "test": Located(
                f"{CP}/semeval/test.txt",
                "1f33efe3db4dc6ff99f52416331682f3ec6759de526786d3629e6b43f8020795",
            ),
        },
    ),
    "tacred": Preset(
        "tacred",
        "Linguistic Data Consortium, LDC2018T24: may not be passed on",
        whence="the Linguistic Data Consortium sells it as LDC2018T24",
    ),
    "wiki80": Preset(
        "opennre",
        "MIT",
        {
            "dev": Located(
                f"{CP}/wiki80/dev.txt",
                "f27fccbaa96f9c4f25fde1cd2e414bdc14e4fce872462e049a0d23a4d3541804",
            )
        },
        whence="OpenNRE's benchmark/download_wiki80.sh brings train and dev",
    ),
    "chemprot": Preset(
        "scibert",
        "not stated",
        {
            "train": Located(
                f"{CHEMPROT}/train.txt",
                "ab17b85c4fb869b2338d7c9617414e63f3c7225e5005920b18d9cd996f1049d8",
            ),
            "dev": Located(
                f"{CHEMPROT}/dev.txt",
                "bfe8f39e5146ad4bb16b23707dade850546a305047bc666f6f6824c6a7e3df2f",
            ),
            "test": Located(
                f"{CHEMPROT}/test.txt",
                "372249c85ffea6d9a18dc5168cf45841b3d79b03412d6c620381cfc0dd3d6d49",
            ),
        },
    ),
    "sciie": Preset(
        "scibert",
        "not stated",
        {
            "train": Located(
                f"{SCIIE}/train.txt",
                "83d395d97de2c02dcb4898af3c6e34b5f5aa19771298fbc9f69ae435fa1258fb",
            ),
            "dev": Located(
                f"{SCIIE}/dev.txt",
                "9500a8e561f1ce50d972b8473525fe24ebae732bde653c381a4c65945965567a",
            ),
            "test": Located(
                f"{SCIIE}/test.txt",
                "be4c06d2b8903783818a5e4cba08c71b954a86f00021907706f66ac3e26c58bd",
            ),
        },
    ),
    "fewrel": Preset(
        "fewrel",
        "MIT",
        {
            "train": Located(f"{FEWREL}/train_wiki.json"),
            "dev": Located(
                f"{FEWREL}/val_wiki.json",
                "76bb44c2485b6faed358a3ce040eadafcc8a8835245cd7e6afc1bef672d4a0bf",
            ),
        },
    ),
    "docred": Preset(
        "docred",
        "MIT",
        whence="its publisher links them from https://github.com/thunlp/DocRED",
    ),
    "redocred": Preset(
        "docred",
        "MIT",
        {
            "train": Located(f"{RE_DOCRED}/train_revised.json"),
            "dev": Located(
                f"{RE_DOCRED}/dev_revised.json",
                "051ee1d057204a5d08ef5502beacdadf191245b5eaf0e29ec2c607cf002c016f",
            ),
            "test": Located(f"{RE_DOCRED}/test_revised.json"),
        },
    ),
}
"""Every known benchmark by name."""
