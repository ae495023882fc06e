"""The model card: what an encoder is, what it was made from, and what is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

USE = """```python
from transformers import AutoModel, AutoTokenizer
tokenizer, model = (kind.from_pretrained("PATH") for kind in (AutoTokenizer, AutoModel))
states = model(**tokenizer("[E1] Ada [/E1] lives in [E2] York [/E2].", return_tensors="pt"))
```"""
OWN = "made with relmill"
MARKED = (
    "Head and tail of a pair stand between `[E1]` `[/E1]` and `[E2]` `[/E2]`; the states of the"
    " two start markers, side by side, stand for their relation."
)


@dataclass(frozen=True)
class Card:
    """What is said of an encoder.

    Attributes:
        name: What it is called.
        start: What its weights were before: a hub id with revision, a folder's digest, or scratch.
        data: What it was trained on, a sentence each.
        config: Every value of its training.
        fingerprints: Artifacts that it was made from, by table.
        scores: What was measured, by name; empty where nothing was.
        licences: Licences of the data.
        made: Who made it.
        pairs: What of its states stands for a pair.
    """

    name: str
    start: str = "scratch"
    data: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    licences: Sequence[str] = ()
    made: str = OWN
    pairs: str = MARKED

    def text(self, own: bool = True) -> str:
        """Return the card as Markdown, with the header that the hub reads.

        Args:
            own: Whether transformers loads it by itself.
        """
        library = ["library_name: transformers"] if own else []
        head = ["---", *library, "tags: [relation-extraction, relmill]", "---"]
        use = USE if own else "It is loaded with `stages.model.encoder.load_encoder`."
        parts = [
            "\n".join(head),
            f"# {self.name}",
            f"An encoder for relation extraction, {self.made}. It started from {self.start}.",
            f"{self.pairs}\n\n{use}",
            section("Data", [f"- {line}" for line in (*self.data, *self.licences)], "Not stated."),
            section("Evaluation", scored(self.scores), "It was not evaluated on any task."),
            section("Made from", [f"- {t}: `{f}`" for t, f in self.fingerprints.items()], "-"),
            "## Configuration\n\n```json\n"
            f"{json.dumps(dict(self.config), indent=2, default=str)}\n```",
        ]
        return "\n\n".join(parts) + "\n"


def section(title: str, lines: Sequence[str], otherwise: str) -> str:
    """Return a section of the card."""
    return f"## {title}\n\n" + ("\n".join(lines) or otherwise)


def scored(scores: Mapping[str, float]) -> list[str]:
    """Return a line for each score, and what they say nothing of."""
    lines = [f"- {name}: {value:.4f}" for name, value in scores.items()]
    return [*lines, "- Nothing else was evaluated."] if lines else []
