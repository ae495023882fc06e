"""ed: given a relation and its head, find the tail among the entities of the document.

Shapes: A anchors (one a sequence), E entities, L labels, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from stages.objectives.parts import MlmConfig, ObjectiveConfig, Pool

if TYPE_CHECKING:
    from torch import Tensor

    from stages.model.batch import Batch
    from stages.model.chance import Chance
    from stages.model.course import Groups, Taken
    from stages.model.losses import Loss
    from stages.model.meter import Work
    from stages.model.ragged import Array, Ints
    from stages.model.update import Losses, Output, Rows
    from stages.objectives.setting import Setting


class EdConfig(ObjectiveConfig):
    """Entity discrimination.

    One tuple of each document is drawn in each epoch; its relation's name and its head stand in
    front of the document. The tail stands in the denominator once, so that the least loss is 0.

    Paper: Qin et al., ERICA (ACL 2021), section 3.3, Eq. 2.
    """

    name: Literal["ed"] = "ed"
    temperature: float = Field(0.05, gt=0.0, description="divides similarities")
    mask_false_negatives: bool = Field(
        True, description="other true tails of the head and relation are no negatives"
    )
    representation: Literal["mean", "marker"] = Field(
        "mean", description="mean over mentions of means over pieces, or their start markers"
    )
    max_pieces: int = Field(512, ge=64, description="pieces of a document, all included")
    mlm: MlmConfig = Field(MlmConfig(), description="masked language modelling beside")


@dataclass(frozen=True)
class Question:
    """What is asked of a batch: one tuple of each sequence.

    Attributes:
        relation_A: Relation that is named.
        head_A, tail_A: Entities of the batch.
        true_AE: Whether an entity is a true tail of the head and the relation.
    """

    relation_A: Ints
    head_A: Ints
    tail_A: Ints
    true_AE: Array


@dataclass(frozen=True)
class EdMicro:
    """A micro-batch of documents with a question in front of each."""

    batch: Batch[Array]
    question: Question
    work: Work


class Ed:
    """Asks each document for the tail of one of its tuples."""

    pool: Pool = "micro"

    def __init__(self, config: EdConfig, setting: Setting) -> None:
        from stages.objectives.documents import Documents
        from stages.objectives.sentences import require_mlm_head

        require_mlm_head(setting.encoder, config.mlm)
        self._config = config
        self._encoder = setting.encoder
        self._name_bounds, self._name_ids = pieces_of(setting)
        mention = setting.corpus.mention
        longest = int((mention["end"] - mention["start"]).max(initial=0))
        self._documents = Documents(
            setting,
            config.max_pieces,
            marked=config.representation == "marker",
            # In front stand the name of a relation, a mention of the head, and [SEP].
            reserve=int(np.diff(self._name_bounds).max(initial=0)) + longest + 1,
        )
        self.dropped = self._documents.dropped
        self.weights: Mapping[str, float] = {
            "ed": config.weight,
            "mlm": config.weight * config.mlm.weight,
        }

    def epoch(self, epoch: int) -> Groups:
        """Return the documents in random order."""
        return self._documents.epoch(epoch)

    def lengths(self, rows: Ints) -> Ints:
        """Return the pieces of documents."""
        return self._documents.lengths(rows)

    def names(self, rows: Ints) -> Sequence[str]:
        """Return names of documents."""
        return self._documents.names(rows)

    def collate(self, taken: Taken) -> EdMicro:
        """Return documents, each with the question in front."""
        from stages.model.batch import keep
        from stages.model.meter import measured

        asked: list[Question] = []

        def view(batch: Batch[Array], chance: Chance) -> Batch[Array]:
            from stages.model import views
            from stages.objectives.documents import label_sequence

            has_label = np.zeros(len(batch), dtype=bool)
            has_label[label_sequence(batch)[batch.label_relation_L != 0]] = True
            batch = keep(batch, {"B": has_label})
            question = ask(batch, chance)
            asked.append(question)
            return views.prefix(
                batch,
                self._encoder.markers,
                question.relation_A,
                question.head_A,
                self._name_bounds,
                self._name_ids,
            )

        batch = self._documents.disguised(taken, view, self._config.mlm)
        return EdMicro(batch, beside(asked), measured(self._encoder, batch))

    def forward(self, micro: EdMicro) -> Output:
        """Return the loss of the questions, and that of the hidden pieces."""
        from stages.model.update import Output
        from stages.objectives.sentences import mlm_loss

        encoded = self._encoder.encode(micro.batch.to(self._encoder.device))
        entities = encoded.entity_ED(self._config.representation)
        losses = {"ed": answer(entities, micro, self._config)}
        if self._config.mlm.weight:
            losses["mlm"] = mlm_loss(self._encoder, encoded)
        return Output({}, losses)

    def counts(self, micros: Sequence[EdMicro]) -> Mapping[str, int]:
        """Return the number of questions and of hidden pieces."""
        from stages.objectives.sentences import masked_count

        return {
            "ed": sum(len(micro.question.head_A) for micro in micros),
            "mlm": masked_count([micro.batch for micro in micros]),
        }

    def pooled(self, rows: Rows, micros: Sequence[EdMicro]) -> Losses:
        """Pay for nothing over a pool: a tail is looked for in its own document."""
        return {}


def ask(batch: Batch[Array], chance: Chance) -> Question:
    """Draw one tuple of each sequence, each of its labels being equally likely."""
    from stages.objectives.documents import label_sequence

    labelled = np.flatnonzero(batch.label_relation_L != 0)
    sequence = label_sequence(batch)[labelled]
    counts = np.bincount(sequence, minlength=len(batch))
    first = np.searchsorted(sequence, np.arange(len(batch)))
    chosen = labelled[first + chance.below(counts, "ed", batch.key_B)]
    pair = batch.label_pair_L[chosen]
    head, tail, relation = (
        batch.pair_head_P[pair],
        batch.pair_tail_P[pair],
        batch.label_relation_L[chosen],
    )
    true = np.zeros((len(batch), len(batch.entity_sequence_E)), dtype=bool)
    own_pair = batch.label_pair_L[labelled]
    matching = (batch.pair_head_P[own_pair] == head[sequence]) & (
        batch.label_relation_L[labelled] == relation[sequence]
    )
    true[sequence[matching], batch.pair_tail_P[own_pair[matching]]] = True
    return Question(relation, head, tail, true)


def beside(questions: Sequence[Question]) -> Question:
    """Return the questions of batches that are joined."""
    if len(questions) == 1:
        return questions[0]
    sizes = [question.true_AE.shape for question in questions]
    true = np.zeros((sum(a for a, _ in sizes), sum(e for _, e in sizes)), dtype=bool)
    heads, tails, anchor, entity = [], [], 0, 0
    for question, (anchors, entities) in zip(questions, sizes, strict=True):
        true[anchor : anchor + anchors, entity : entity + entities] = question.true_AE
        heads.append(question.head_A + entity)
        tails.append(question.tail_A + entity)
        anchor, entity = anchor + anchors, entity + entities
    relations = np.concatenate([question.relation_A for question in questions])
    return Question(relations, np.concatenate(heads), np.concatenate(tails), true)


def answer(entity_ED: Tensor, micro: EdMicro, config: EdConfig) -> Loss:
    """Return the loss of a batch's questions.

    Shape:
        entity_ED: (E, D), vectors of all entities of the batch.

    Paper: Qin et al., ERICA (ACL 2021), Eq. 2; other true tails left out of the denominator.
    """
    import torch

    from stages.model.losses import info_nce, similarities

    question, device = micro.question, entity_ED.device
    sequence_E = torch.as_tensor(micro.batch.entity_sequence_E, device=device)
    head_A, tail_A = (torch.as_tensor(x, device=device) for x in (question.head_A, question.tail_A))
    anchors = torch.arange(len(head_A), device=device)
    positive_AE = torch.zeros(len(head_A), len(sequence_E), dtype=torch.bool, device=device)
    positive_AE[anchors, tail_A] = True
    negative_AE = sequence_E[None] == sequence_E[head_A][:, None]
    negative_AE[anchors, head_A] = False
    negative_AE &= ~positive_AE
    if config.mask_false_negatives:
        negative_AE &= ~torch.as_tensor(question.true_AE, device=device)
    similarity = similarities(entity_ED[head_A], entity_ED, "cosine")
    return info_nce(similarity, positive_AE, negative_AE, temperature=config.temperature)


def pieces_of(setting: Setting) -> tuple[Ints, Ints]:
    """Return the pieces of each relation's name: bounds (R + 1,), and ids one behind the other."""
    from stages.model.ragged import offsets

    tokenizer = setting.encoder.tokenizer
    names = [tokenizer(n, add_special_tokens=False)["input_ids"] for n in setting.relation_names]
    bounds = offsets(np.array([len(ids) for ids in names]))
    return bounds, np.array([i for ids in names for i in ids], dtype=np.int64)
