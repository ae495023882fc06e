"""THE DAG: the stages in the order in which they run; edges follow from what each reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pipeline.processes import Launch
from stages.align import ALIGN
from stages.base import Every, Read, Stage, StageConfig, WhereWritten, selected, table_of
from stages.count_relations import COUNT_RELATIONS
from stages.denoise import DENOISE
from stages.evaluate import EVALUATE
from stages.featurize import FEATURIZE
from stages.fetch import FETCH
from stages.fetch_benchmarks import FETCH_BENCHMARKS
from stages.finetune import FINETUNE
from stages.hold_out import HOLD_OUT
from stages.import_annotated import IMPORT_ANNOTATED
from stages.index_aliases import INDEX_ALIASES
from stages.learn_order import LEARN_ORDER
from stages.link import LINK
from stages.parse_wikidata import PARSE_WIKIDATA
from stages.parse_wikipedia import PARSE_WIKIPEDIA
from stages.pretrain import PRETRAIN
from stages.protect import PROTECT
from stages.recognize import RECOGNIZE
from stages.report import REPORT
from stages.segment import SEGMENT
from stages.train_ner import TRAIN_NER
from stages.train_tokenizer import TRAIN_TOKENIZER
from storage.errors import ConfigError
from storage.table import Table

DAG: tuple[Stage, ...] = (
    IMPORT_ANNOTATED,
    FETCH,
    FETCH_BENCHMARKS,
    PARSE_WIKIDATA,
    PARSE_WIKIPEDIA,
    INDEX_ALIASES,
    TRAIN_NER,
    RECOGNIZE,
    SEGMENT,
    LINK,
    ALIGN,
    COUNT_RELATIONS,
    PROTECT,
    HOLD_OUT,
    TRAIN_TOKENIZER,
    FEATURIZE,
    LEARN_ORDER,
    DENOISE,
    PRETRAIN,
    FINETUNE,
    EVALUATE,
    REPORT,
)


@dataclass(frozen=True)
class Node:
    """A stage with its config, and the name of the variant where it may have several.

    One that trains also says how its processes are launched.

    What it reads may hang on the config: which tables, and of which variant.
    """

    stage: Stage
    config: StageConfig
    variant: str = ""
    launch: Launch | None = None

    @property
    def name(self) -> str:
        """Name of the step in plans and runs: "link", or "finetune.x"."""
        return f"{self.stage.name}.{self.variant}" if self.variant else self.stage.name

    @property
    def reads(self) -> tuple[Read, ...]:
        """What it reads with this config."""
        return self.stage.reads_with(self.config)

    @property
    def facts(self) -> dict[str, Any]:
        """What counts beside config and inputs."""
        facts = dict(self.stage.facts(self.config)) if self.stage.facts else {}
        if self.launch is not None and self.launch.mixed_precision != "no":
            facts["mixed_precision"] = self.launch.mixed_precision
        return facts

    def selection(self, table: Table) -> tuple[str, str | None]:
        """Return the field that names the variant of a table, and what it says; None for open."""
        for name, info in type(self.config).model_fields.items():
            if selected(info) == table.name:
                return name, getattr(self.config, name)
        return "", None


def stage(name: str) -> Stage:
    """Return a stage by name.

    Raises:
        ConfigError: If there is none; it names the nearest one.
    """
    for candidate in DAG:
        if candidate.name == name:
            return candidate
    raise unknown("stage", name, [s.name for s in DAG])


def stages_of(sections: Collection[str]) -> tuple[Stage, ...]:
    """Return the stages of a recipe with these sections, in the order in which they run.

    A stage that stands in the place of others does so where the recipe has a section for it.
    """
    instead = [s for s in DAG if s.replaces and s.name in sections]
    gone = {name for s in instead for name in s.replaces}
    return tuple(s for s in DAG if s.name not in gone and (not s.replaces or s in instead))


def writers(table: Table, nodes: Iterable[Node]) -> list[Node]:
    """Return those among `nodes` that write a table: one, or its variants."""
    return [n for n in nodes if table.name in {t.name for t in n.stage.writes}]


def unwritten(child: Node, nodes: Sequence[Node]) -> list[str]:
    """Return the tables that a node cannot do without and none of `nodes` writes."""
    tables = (table_of(read) for read in child.reads if not may_lack(read))
    return [table.name for table in tables if not writers(table, nodes)]


def may_lack(read: Read) -> bool:
    """Whether a stage does without a table where nothing writes it."""
    return isinstance(read, WhereWritten) or (isinstance(read, Every) and read.if_written)


def sources(child: Node, nodes: Sequence[Node]) -> list[tuple[Read, Node]]:
    """Return each read of a node with the node that it reads from; all variants for `every`.

    Of variants it is the one that a field names, or that has the node's own name, or the only one.

    Raises:
        ConfigError: If there is no such variant, or it stays open which one is meant.
    """
    found: list[tuple[Read, Node]] = []
    for read in child.reads:
        written = writers(table_of(read), nodes)
        if may_lack(read) and not written:
            continue
        chosen = written if isinstance(read, Every) else [choice(child, table_of(read), written)]
        found += [(read, node) for node in chosen]
    return found


def choice(child: Node, table: Table, written: Sequence[Node]) -> Node:
    """Return the one among the writers of a table that a node reads."""
    field, name = child.selection(table)
    variants = {node.variant: node for node in written}
    place = f"{child.name}.{field}" if field else child.name
    if name is not None and name not in variants:
        raise unknown(f"variant of {written[0].stage.name}", name, variants).at(place)
    if name is not None:
        return variants[name]
    if len(written) == 1:
        return written[0]
    if child.variant in variants:
        return variants[child.variant]
    raise ConfigError(
        f"which {table.name} are meant, of {', '.join(variants)}?",
        where=child.name,
        mend=f"Set {place}" if field else f"Give {child.stage.name} variants of these names",
    )


def parents(child: Node, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return those of `nodes` that one of them reads from, in their order."""
    names = {node.name for _, node in sources(child, nodes)}
    return tuple(n for n in nodes if n.name in names)


def ancestry(targets: Collection[Node], nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return some of `nodes` and everything that they depend on, in their order."""
    needed = {target.name for target in targets}
    for candidate in reversed(nodes):
        if candidate.name in needed:
            needed.update(p.name for p in parents(candidate, nodes))
    return tuple(n for n in nodes if n.name in needed)


def wanted(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return what a plan without a target makes: all but optional stages that nothing reads."""
    return ancestry([n for n in nodes if not n.stage.optional], nodes)


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that does not exist: the nearest one, and the whole list."""
    choices = list(known)
    near = get_close_matches(name, choices, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"there is no {kind} {name!r}", mend=f"{guess}There are: {', '.join(choices)}"
    )
