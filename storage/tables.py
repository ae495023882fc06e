"""Every table of relmill: its columns with type and meaning, its key, and along what it is cut.

Spans are half-open `[start, end)` and count Unicode code points of `pages.text`. QIDs and PIDs are
strings ("Q270"). Rows of a part are sorted by the table's key.
"""

from __future__ import annotations

import pyarrow as pa

from storage.table import Column, Table

TEXT = pa.string()
ID = pa.int64()
OFFSET = pa.int32()
ORDINAL = pa.int32()
MOMENT = pa.struct(
    [
        pa.field("time", TEXT, nullable=False),
        pa.field("precision", pa.int8(), nullable=False),
        pa.field("calendar", TEXT, nullable=False),
    ]
)
SPAN = pa.struct(
    [
        pa.field("char_start", OFFSET, nullable=False),
        pa.field("char_end", OFFSET, nullable=False),
    ]
)
MENTION_SPAN = pa.struct(
    [
        pa.field("char_start", OFFSET, nullable=False),
        pa.field("char_end", OFFSET, nullable=False),
        pa.field("sentence", ORDINAL, nullable=False),
    ]
)


LABEL = pa.struct(
    [
        pa.field("head_entity", ORDINAL, nullable=False),
        pa.field("tail_entity", ORDINAL, nullable=False),
        pa.field("relation", TEXT, nullable=False),
        pa.field("evidence", pa.list_(pa.field("item", ORDINAL, nullable=False))),
        pa.field("noisy", pa.bool_()),
    ]
)


def texts() -> pa.DataType:
    """Type of a list of strings."""
    return pa.list_(pa.field("item", TEXT, nullable=False))


def _qualifiers(*names: tuple[str, str]) -> tuple[Column, ...]:
    form = "time as in the dump, precision 0 to 14 (9 year, 10 month, 11 day), calendar QID"
    return tuple(
        Column(name, MOMENT, f"qualifier {pid}: {form}; null where not stated", nullable=True)
        for name, pid in names
    )


QUALIFIERS = _qualifiers(("start", "P580"), ("end", "P582"), ("point", "P585"))
PAGE_ID = Column("page_id", ID, "page id of Wikipedia")
START = Column("char_start", OFFSET, "first code point of the span in pages.text")
END = Column("char_end", OFFSET, "code point behind the span in pages.text")
RANK = Column("rank", TEXT, "preferred, normal or deprecated")

SOURCES = Table(
    "sources",
    "raw file that the pipeline starts from",
    "source",
    ("source", "ordinal"),
    (
        Column("source", TEXT, "what the file is: wikipedia, wikidata, truth or gold"),
        Column("ordinal", ORDINAL, "place of the file within its source, from 0"),
        Column("name", TEXT, "file name, without folders"),
        Column("bytes", ID, "size of the file"),
        Column("sha256", TEXT, "checksum of the file"),
        Column("limit_pages", ID, "only so many records are read of it; null for all", True),
        Column("records", ID, "pages or entities that the file holds (that are read of it)", True),
        Column("licence", TEXT, "licence of the content, as its publisher states it"),
        Column("dump_date", TEXT, "YYYYMMDD in the file's name; null where it has none", True),
    ),
    identity=("source", "ordinal", "sha256", "limit_pages"),
)

SITE = Table(
    "site",
    "Wikipedia dump file: what its header says of the wiki",
    "source",
    ("ordinal",),
    (
        Column("ordinal", ORDINAL, "place of the dump file within its source, from 0"),
        Column("language", TEXT, "language code of the wiki, or what the recipe puts in its place"),
        Column("dbname", TEXT, "name of the wiki, as in Wikidata's sitelinks (enwiki)"),
        Column("site", TEXT, "namespaces, title case and language as JSON"),
    ),
)

OWN_IDS = Table(
    "own_ids",
    "id of a knowledge graph or text of one's own that goes by another one here",
    "source",
    ("kind", "id"),
    (
        Column("kind", TEXT, "entity, relation or page"),
        Column("id", TEXT, "QID, PID or page id that stands for it in all tables"),
        Column("own_id", TEXT, "the id as the file has it"),
    ),
)

TEMPLATE_REDIRECTS = Table(
    "template_redirects",
    "redirect of the template namespace",
    "source",
    ("ordinal", "title"),
    (
        Column("ordinal", ORDINAL, "place of the dump file within its source, from 0"),
        Column("title", TEXT, "normalised title without its namespace"),
        Column("target_title", TEXT, "template that it leads to, likewise; not followed further"),
    ),
)

BENCHMARK_FILES = Table(
    "benchmark_files",
    "split of a benchmark: the file that holds it",
    "source",
    ("benchmark", "split"),
    (
        Column("benchmark", TEXT, "name of the benchmark in the recipe"),
        Column("split", TEXT, "train, dev or test"),
        Column("format", TEXT, "format that its records are read by: docred, opennre, ..."),
        Column("file", TEXT, "name of the copy that is kept beside the parts"),
        Column("name", TEXT, "name of the file as it was given, without folders"),
        Column("bytes", ID, "size of the file"),
        Column("sha256", TEXT, "checksum of the file"),
        Column("documents", ID, "records that were read, each of them checked"),
        Column("relations", texts(), "names of the relations that occur, sorted"),
        Column("licence", TEXT, "licence, as its publisher states it"),
    ),
    identity=("benchmark", "split", "format", "sha256"),
)

PAGES = Table(
    "pages",
    "article: a page of namespace 0 that is no redirect",
    "page",
    ("page_id",),
    (
        PAGE_ID,
        Column("title", TEXT, "normalised title"),
        Column("text", TEXT, "plain text: prose and list items, one block a line, then captions"),
        Column("revision_id", ID, "revision that the text is of"),
        Column("revision_time", pa.timestamp("s", tz="UTC"), "time of that revision", True),
        Column("disambiguation", pa.bool_(), "whether the page only tells apart equal names"),
        Column(
            "bold_names",
            pa.list_(pa.field("item", SPAN, nullable=False)),
            "spans of bold words in the first paragraph: names of the page's own entity",
        ),
        Column("digest", TEXT, "16 hex digits of all that is read of the page but its revision"),
    ),
)

SECTIONS = Table(
    "sections",
    "section of an article; section 0 is the lead",
    "page",
    ("page_id", "section"),
    (
        PAGE_ID,
        Column("section", ORDINAL, "ordinal within the page, 0 for the lead"),
        Column("level", ORDINAL, "number of equals signs of the heading; 0 for the lead"),
        Column("title", TEXT, "heading, empty for the lead; headings do not stand in pages.text"),
        START,
        END,
    ),
)

PARAGRAPHS = Table(
    "paragraphs",
    "block of an article's text",
    "page",
    ("page_id", "paragraph"),
    (
        PAGE_ID,
        Column("paragraph", ORDINAL, "ordinal within the page"),
        Column("section", ORDINAL, "section that the block stands in"),
        Column("kind", TEXT, "prose, list or caption"),
        START,
        END,
    ),
)

HYPERLINKS = Table(
    "hyperlinks",
    "link of an article to a title of namespace 0",
    "page",
    ("page_id", "hyperlink"),
    (
        PAGE_ID,
        Column("hyperlink", ORDINAL, "ordinal within the page, in the order of the wikitext"),
        Column("char_start", OFFSET, "span in pages.text; null where it is not there", True),
        Column("char_end", OFFSET, "end of that span; null where it is not in the text", True),
        Column("surface", TEXT, "words that the reader sees, link trail included"),
        Column("target_title", TEXT, "normalised title that is linked to, redirects not followed"),
        Column("fragment", TEXT, "section that is linked to, behind #; empty for none"),
        Column("place", TEXT, "prose, list, caption, table, template or ref"),
    ),
)

REDIRECTS = Table(
    "redirects",
    "redirect of namespace 0",
    "page",
    ("page_id",),
    (
        PAGE_ID,
        Column("title", TEXT, "normalised title of the redirect"),
        Column("target_title", TEXT, "normalised title that it leads to, one step"),
        Column("fragment", TEXT, "section that it leads to; empty for none"),
    ),
)

ITEMS = Table(
    "items",
    "Wikidata item",
    "item",
    ("qid",),
    (
        Column("qid", TEXT, "id of the item"),
        Column("label", TEXT, "label in the wiki's language; null where it has none", True),
        Column("description", TEXT, "description in that language", True),
        Column("aliases", texts(), "further names in that language"),
        Column("sitelink_title", TEXT, "title of its article on the wiki, normalised", True),
        Column("instance_of", texts(), "QIDs of P31 statements that are not deprecated"),
    ),
)

ITEM_REDIRECTS = Table(
    "item_redirects",
    "Wikidata item that was merged into another",
    "item",
    ("qid",),
    (
        Column("qid", TEXT, "id that was given up"),
        Column("target_qid", TEXT, "id that it leads to, one step"),
    ),
)

PROPERTIES = Table(
    "properties",
    "Wikidata property",
    "item",
    ("pid",),
    (
        Column("pid", TEXT, "id of the property"),
        Column("label", TEXT, "label in the wiki's language", True),
        Column("description", TEXT, "description in that language", True),
        Column("aliases", texts(), "further names in that language"),
        Column("datatype", TEXT, "kind of its values, as Wikidata names it", True),
    ),
)

TRIPLES = Table(
    "triples",
    "Wikidata statement whose value is an item, or unknown, or none",
    "item",
    ("head_qid", "statement"),
    (
        Column("head_qid", TEXT, "item that the statement is about"),
        Column("statement", ORDINAL, "ordinal among all statements of the item"),
        Column("pid", TEXT, "property"),
        Column("tail_qid", TEXT, "item that is the value; null for somevalue and novalue", True),
        RANK,
        Column("snak", TEXT, "value, somevalue (there is one, unknown) or novalue"),
        *QUALIFIERS,
    ),
)

LITERALS = Table(
    "literals",
    "Wikidata statement whose value is no item: a date, a quantity, a string, a place on a globe",
    "item",
    ("head_qid", "statement"),
    (
        Column("head_qid", TEXT, "item that the statement is about"),
        Column("statement", ORDINAL, "ordinal among all statements of the item"),
        Column("pid", TEXT, "property"),
        Column("kind", TEXT, "type of the value: time, quantity, string, ... as in the JSON"),
        Column("datatype", TEXT, "datatype of the property; null where the dump is silent", True),
        Column("value", TEXT, "time, amount, string, ... as text; null without a value", True),
        Column("precision", pa.int8(), "precision of a time, 0 to 14", True),
        Column("calendar", TEXT, "QID of a time's calendar", True),
        Column("unit", TEXT, "QID of a quantity's unit or of a place's globe; null for none", True),
        Column("language", TEXT, "language code of a monolingual text", True),
        Column("snak", TEXT, "value, somevalue (there is one, unknown) or novalue"),
        RANK,
        *QUALIFIERS,
    ),
)

NER_SCORES = Table(
    "ner_scores",
    "entity type that a NER model learnt, or all of them: how well it finds held-out mentions",
    "whole",
    ("type",),
    (
        Column("type", TEXT, "entity type; all for all of them"),
        Column("learnt", ID, "mentions that it learnt from"),
        Column("gold", ID, "held-out mentions that are known"),
        Column("precision", pa.float64(), "share of what it found, [0, 1]", True),
        Column("recall", pa.float64(), "share of what is known, [0, 1]", True),
        Column("f1", pa.float64(), "harmonic mean of both, exact span and type, [0, 1]", True),
        Column("model", TEXT, "SHA-256 of the model, the file ner_model.zip beside the table"),
    ),
)

SENTENCES = Table(
    "sentences",
    "sentence of an article; none crosses a paragraph",
    "page",
    ("page_id", "sentence"),
    (PAGE_ID, Column("sentence", ORDINAL, "ordinal within the page"), START, END),
)

MENTIONS = Table(
    "mentions",
    "span of an article's text that names an entity; no two overlap",
    "page",
    ("page_id", "char_start", "char_end"),
    (
        PAGE_ID,
        START,
        END,
        Column("surface", TEXT, "the words themselves"),
        Column("type", TEXT, "entity type that the NER model gave; null without one", True),
        Column("source", TEXT, "ner, hyperlink, title or gold: what the mention was found by"),
    ),
)

DOCUMENTS = Table(
    "documents",
    "unit of text within which pairs are formed",
    "page",
    ("page_id", "char_start", "char_end"),
    (
        Column("document_id", TEXT, "page_id:char_start-char_end"),
        PAGE_ID,
        START,
        END,
        Column("unit", TEXT, "paragraph, lead, page or sentence"),
        Column("words", ORDINAL, "number of words"),
    ),
)

ITEM_TYPE = Column("type", TEXT, "entity type of the item by its classes; null if unknown", True)

TITLES = Table(
    "titles",
    "title that leads to an item, directly or through redirects",
    "whole",
    ("title",),
    (
        Column("title", TEXT, "normalised title, of an article or of a redirect"),
        Column("qid", TEXT, "item of the article that it leads to"),
        Column("hops", ORDINAL, "redirects on the way, 0 for the article itself"),
        ITEM_TYPE,
    ),
)

ALIASES = Table(
    "aliases",
    "item that a surface may name, and how likely",
    "whole",
    ("surface", "qid"),
    (
        Column("surface", TEXT, "words as they stand in a text, case kept"),
        Column("qid", TEXT, "item that they may name"),
        Column("anchors", ID, "hyperlinks with these words that lead to the item"),
        Column(
            "known", TEXT, "the most telling of title, label, stem, alias; null by links only", True
        ),
        ITEM_TYPE,
        Column("prior", pa.float64(), "share of the surface's evidence for this item, (0, 1)"),
    ),
)

LINKS = Table(
    "links",
    "mention that was linked to an item",
    "page",
    ("page_id", "char_start", "char_end"),
    (
        PAGE_ID,
        START,
        END,
        Column("qid", TEXT, "item that the mention names"),
        Column(
            "method",
            TEXT,
            "hyperlink, title, page (named so elsewhere on the page), part (of a name before it on "
            "the page) or alias",
        ),
        Column("score", pa.float64(), "share of the evidence, (0, 1]; 1 for all but alias"),
        ITEM_TYPE,
    ),
)

LITERAL_MENTIONS = Table(
    "literal_mentions",
    "date or number that a text states",
    "page",
    ("page_id", "char_start", "char_end"),
    (
        PAGE_ID,
        START,
        END,
        Column("surface", TEXT, "the words themselves"),
        Column("kind", TEXT, "time or quantity, as in literals"),
        Column("value", TEXT, "time or amount, written as in literals"),
        Column("precision", pa.int8(), "precision of a time, as in literals; null else", True),
        Column("calendar", TEXT, "QID of a time's calendar; null else", True),
    ),
)

ENTITIES = Table(
    "entities",
    "entity of a document: all its mentions there",
    "page",
    ("page_id", "document_id", "entity"),
    (
        Column("document_id", TEXT, "document that it is named in"),
        PAGE_ID,
        Column("entity", ORDINAL, "ordinal within the document, by first mention"),
        Column("qid", TEXT, "item; null for an entity that was not linked", True),
        Column("name", TEXT, "surface of its first mention"),
        Column(
            "type",
            TEXT,
            "entity type of its item by its classes; where that is unknown the commonest NER type "
            "of its mentions; null without one",
            True,
        ),
        Column(
            "mentions",
            pa.list_(pa.field("item", MENTION_SPAN, nullable=False)),
            "spans in pages.text and the sentence that each starts in",
        ),
    ),
)

TUPLES = Table(
    "tuples",
    "ordered pair of linked entities of a document, with its distant labels",
    "page",
    ("page_id", "document_id", "head_entity", "tail_entity"),
    (
        Column("tuple_id", TEXT, "document_id/head_entity-tail_entity"),
        Column("document_id", TEXT, "document that the pair stands in"),
        PAGE_ID,
        Column("head_entity", ORDINAL, "entity of the document that is the head"),
        Column("tail_entity", ORDINAL, "entity of the document that is the tail"),
        Column("head_qid", TEXT, "item of the head; null only in a corpus without QIDs", True),
        Column("tail_qid", TEXT, "item of the tail; null only in a corpus without QIDs", True),
        Column(
            "pids",
            texts(),
            "relations of the pair, sorted; empty for NA; an imported corpus may "
            "have names in place of PIDs",
        ),
        Column("sentence_distance", ORDINAL, "sentences between the nearest mentions; 0 is same"),
        Column("intra", pa.bool_(), "whether some sentence holds both"),
    ),
)

TUPLE_STATEMENTS = Table(
    "tuple_statements",
    "statement that gave a tuple one of its labels",
    "page",
    ("page_id", "document_id", "head_entity", "tail_entity", "pid", "head_qid", "statement"),
    (
        Column("tuple_id", TEXT, "the tuple"),
        PAGE_ID,
        Column("document_id", TEXT, "document that it stands in"),
        Column("head_entity", ORDINAL, "entity of the document that is the head"),
        Column("tail_entity", ORDINAL, "entity of the document that is the tail"),
        Column("pid", TEXT, "label that the statement gave"),
        Column("head_qid", TEXT, "item of the statement; one merged into the tuple's head, maybe"),
        Column("statement", ORDINAL, "ordinal among all statements of that item"),
        Column("rank", TEXT, "preferred or normal: deprecated statements give no label"),
        *QUALIFIERS,
    ),
)

RELATION_COUNTS = Table(
    "relation_counts",
    "relation that is a label of some tuple",
    "whole",
    ("pid",),
    (
        Column("pid", TEXT, "the relation"),
        Column("tuples", ID, "tuples with this label, held-out ones too"),
        Column("documents", ID, "documents that these stand in"),
        Column("pages", ID, "pages that these stand in"),
        Column(
            "keep_upto",
            ID,
            "largest number that a tuple may have drawn; null for any",
            nullable=True,
        ),
    ),
)

PROTECTED_SPLITS = Table(
    "protected_splits",
    "split of a benchmark that is protected",
    "whole",
    ("ordinal",),
    (
        Column("ordinal", ORDINAL, "number of the split in the lookups beside"),
        Column("benchmark", TEXT, "name of the benchmark in the recipe"),
        Column("split", TEXT, "train, dev or test"),
        Column("protect", texts(), "pair, page, text: what is held out; empty for nothing"),
        Column("documents", ID, "documents of the split"),
        Column("pairs", ID, "pairs that it asks about, counted in each document"),
        Column("titles", ID, "titles that are protected, with those that they redirect to"),
        Column("passages", ID, "stretches of text that are protected"),
    ),
)

REASONS = pa.list_(
    pa.field(
        "item",
        pa.struct(
            [
                pa.field("benchmark", TEXT, nullable=False),
                pa.field("split", TEXT, nullable=False),
                pa.field("protect", TEXT, nullable=False),
            ]
        ),
        nullable=False,
    )
)
VERDICT = "train; held_out: a benchmark is protected from it"

SPLITS = Table(
    "splits",
    "tuple: whether it may be trained on",
    "page",
    ("page_id", "document_id", "head_entity", "tail_entity"),
    (
        Column("tuple_id", TEXT, "the tuple"),
        PAGE_ID,
        Column("document_id", TEXT, "document that it stands in"),
        Column("head_entity", ORDINAL, "entity of the document that is the head"),
        Column("tail_entity", ORDINAL, "entity of the document that is the tail"),
        Column("verdict", TEXT, f"{VERDICT}; sampled_out: one too many of its relations"),
        Column("reasons", REASONS, "for which splits, and by pair, page or text"),
    ),
)

DOCUMENT_SPLITS = Table(
    "document_splits",
    "document: whether its text may be trained on",
    "page",
    ("page_id", "char_start", "char_end"),
    (
        Column("document_id", TEXT, "the document"),
        PAGE_ID,
        START,
        END,
        Column("verdict", TEXT, VERDICT),
        Column("reasons", REASONS, "for which splits, and by page or text"),
    ),
)

ANNOTATIONS = Table(
    "annotations",
    "document of an imported corpus: what its file says beyond the other tables",
    "page",
    ("page_id", "document_id"),
    (
        Column("document_id", TEXT, "the document"),
        PAGE_ID,
        Column("id", TEXT, "id of the document in its file, or its number there"),
        Column("file", TEXT, "name of that file"),
        Column(
            "tokens",
            pa.list_(pa.field("item", pa.list_(pa.field("item", SPAN, nullable=False)))),
            "spans of the file's own tokens, by sentence; null where it gives plain text",
            True,
        ),
        Column("names", pa.list_(pa.field("item", texts())), "name of each mention, by entity"),
        Column(
            "types",
            pa.list_(pa.field("item", pa.list_(pa.field("item", TEXT)))),
            "type of each mention, by entity; null without one",
        ),
        Column(
            "labels",
            pa.list_(pa.field("item", LABEL, nullable=False)),
            "labels in the order of the file; null where it has none to give",
            True,
        ),
    ),
)

CELL = (
    Column("task", TEXT, "name of the task: semeval, fewrel, ..."),
    Column("benchmark", TEXT, "name of the benchmark in the recipe"),
    Column("encoder", TEXT, "what was fine-tuned: name of an encoder in the recipe"),
    Column("setting", TEXT, "what else sets runs apart: 5-way 1-shot dot; empty for nothing"),
    Column("input_format", TEXT, "what the model sees: C+M, C+T, OnlyC, OnlyM or OnlyT"),
    Column("fraction", pa.float64(), "share of the training data, [0, 1]; 0 without training"),
    Column("seed", ID, "seed of the run"),
)
CELL_KEY = tuple(column.name for column in CELL)

PREDICTIONS = Table(
    "predictions",
    "example of a benchmark that a fine-tuned model has answered",
    "whole",
    (*CELL_KEY, "split", "example"),
    (
        *CELL,
        Column("split", TEXT, "dev or test"),
        Column("example", TEXT, "id of the example; of an episode, its number and the query's"),
        Column("cluster", TEXT, "what it is answered together with: an episode; else null", True),
        Column("gold", TEXT, "relation that it has"),
        Column("predicted", TEXT, "relation that the model gives it"),
        Column("probability", pa.float64(), "probability of that relation; null without one", True),
        Column(
            "text",
            TEXT,
            "the text with head and tail marked; of a document the names of both; empty within an "
            "episode",
        ),
        Column(
            "tags",
            texts(),
            "what scores set apart: intra or cross (whether a sentence holds both entities), known "
            "(the training data state it); null where nothing is",
            True,
        ),
    ),
)

CURVES = Table(
    "curves",
    "value that was measured in the course of a fine-tuning",
    "whole",
    (*CELL_KEY, "name", "step"),
    (
        *CELL,
        Column("name", TEXT, "what was measured: loss, or a score on dev"),
        Column("step", ID, "updates before it"),
        Column("value", pa.float64(), "what came out"),
    ),
)

METRICS = Table(
    "metrics",
    "score of one run on one split",
    "whole",
    (*CELL_KEY, "split", "metric"),
    (
        *CELL,
        Column("split", TEXT, "dev or test"),
        Column("metric", TEXT, "name of the score"),
        Column("headline", pa.bool_(), "whether it is the one that the task is judged by"),
        Column("value", pa.float64(), "the score, [0, 1]"),
        Column("low", pa.float64(), "lower bound of its interval at 95 %"),
        Column("high", pa.float64(), "upper bound"),
        Column("examples", ID, "examples that it is over"),
    ),
)

LEADERBOARD = Table(
    "leaderboards",
    "score over the seeds of otherwise equal runs",
    "whole",
    (*(name for name in CELL_KEY if name != "seed"), "split", "metric"),
    (
        *(column for column in CELL if column.name != "seed"),
        Column("split", TEXT, "dev or test"),
        Column("metric", TEXT, "name of the score"),
        Column("headline", pa.bool_(), "whether it is the one that the task is judged by"),
        Column("mean", pa.float64(), "mean over seeds, [0, 1]"),
        Column("median", pa.float64(), "median over seeds"),
        Column("deviation", pa.float64(), "standard deviation of a sample; 0 for one seed"),
        Column("runs", ID, "number of seeds"),
        Column("seeds", pa.list_(pa.field("item", ID, nullable=False)), "the seeds"),
    ),
)

WORD_PIECES = Table(
    "word_pieces",
    "piece of the vocabulary that was trained on the corpus",
    "whole",
    ("id",),
    (
        Column("id", ORDINAL, "id of the piece, from 0"),
        Column("piece", TEXT, "its characters; ## in front of one that goes on a word"),
        Column("special", pa.bool_(), "whether no text gives it: [CLS], a marker and the like"),
    ),
)


def _list(*fields: tuple[str, pa.DataType]) -> pa.DataType:
    parts = [pa.field(name, kind, nullable=kind == TEXT) for name, kind in fields]
    return pa.list_(pa.field("item", pa.struct(parts), nullable=False))


FEATURES = Table(
    "features",
    "document in word pieces",
    "page",
    ("page_id", "document_id"),
    (
        Column("document_id", TEXT, "document that it is made from"),
        PAGE_ID,
        Column("tokenizer", TEXT, "digest of how its tokenizer cuts text and numbers pieces"),
        Column(
            "pieces",
            _list(("id", pa.int32()), ("word", pa.bool_())),
            "ids of its word pieces without [CLS] and [SEP]; word: whether one begins a word",
        ),
        Column(
            "sentences",
            _list(("start", pa.int32()), ("end", pa.int32())),
            "pieces [start, end) of each of its sentences",
        ),
        Column(
            "mentions",
            _list(*((n, pa.int32()) for n in ("start", "end", "entity", "sentence"))),
            "pieces [start, end), entity and sentence by their place in this row; by entity, start",
        ),
        Column(
            "entities",
            _list(("entity", ORDINAL), ("qid", TEXT), ("type", TEXT)),
            "entities with a mention among the pieces: ordinal in the table entities, item, type",
        ),
        Column(
            "pairs",
            pa.list_(
                pa.field(
                    "item",
                    pa.struct(
                        [
                            pa.field("head", pa.int32(), nullable=False),
                            pa.field("tail", pa.int32(), nullable=False),
                            pa.field("tuple_id", TEXT, nullable=False),
                            pa.field("intra", pa.bool_(), nullable=False),
                            pa.field("pids", texts(), nullable=False),
                        ]
                    ),
                    nullable=False,
                )
            ),
            "tuples of the document: head and tail by their place in entities, relations",
        ),
    ),
)


def _per_epoch(seen: str) -> tuple[Column, ...]:
    of = f"{seen}, by epoch; null in an epoch that left the row out"
    return tuple(
        Column(f"{seen}_{name}", pa.list_(pa.field("item", kind)), f"{meaning} {of}", True)
        for name, kind, meaning in (
            ("correct", pa.bool_(), "whether the label was the classifier's answer,"),
            ("loss", pa.float64(), "loss of the label, 0 or more,"),
            ("probability", pa.float64(), "probability of the label, [0, 1],"),
        )
    )


LEARNING_ORDERS = Table(
    "learning_orders",
    "label of a tuple, and NA of one without: what a classifier made of it while it learnt all",
    "whole",
    ("tuple_id", "pid"),
    (
        Column("tuple_id", TEXT, "the tuple"),
        Column("pid", TEXT, "one of its relations; NA for a pair without"),
        Column(
            "batch_order",
            ORDINAL,
            "epoch, from 0, in which it was first right when its own batch was trained on; the "
            "number of epochs for never; null where the classifier learnt from other labels",
            True,
        ),
        Column(
            "epoch_order",
            ORDINAL,
            "likewise when all was looked at anew after each epoch; null where that was not done",
            True,
        ),
        *_per_epoch("batch"),
        *_per_epoch("epoch"),
    ),
)

WEIGHTS = Table(
    "weights",
    "label of a tuple, and NA of one without: how much it counts",
    "whole",
    ("tuple_id", "pid"),
    (
        Column("tuple_id", TEXT, "the tuple"),
        Column("pid", TEXT, "one of its relations; NA for a pair without"),
        Column("weight", pa.float64(), "0 or more; 0 for a label that is left out"),
    ),
)

ENCODERS = Table(
    "encoders",
    "file of a pre-trained encoder; together they are a Hugging Face folder",
    "whole",
    ("file",),
    (
        Column("file", TEXT, "its name; the file lies among the artifact's files"),
        Column("bytes", ID, "its size"),
        Column("sha256", TEXT, "checksum"),
        Column("step", ID, "updates of the weights; 0 for an encoder as it began"),
    ),
)

UPDATES = Table(
    "updates",
    "value that was logged for an update of a pre-training",
    "whole",
    ("step", "name"),
    (
        Column("step", ID, "update, from 1"),
        Column("name", TEXT, "a loss, the norm of the gradient, the learning rate, a speed"),
        Column("value", pa.float64(), "what it was"),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        SOURCES,
        SITE,
        TEMPLATE_REDIRECTS,
        OWN_IDS,
        BENCHMARK_FILES,
        ITEMS,
        ITEM_REDIRECTS,
        PROPERTIES,
        TRIPLES,
        LITERALS,
        PAGES,
        SECTIONS,
        PARAGRAPHS,
        HYPERLINKS,
        REDIRECTS,
        NER_SCORES,
        SENTENCES,
        MENTIONS,
        DOCUMENTS,
        TITLES,
        ALIASES,
        LINKS,
        LITERAL_MENTIONS,
        ENTITIES,
        TUPLES,
        TUPLE_STATEMENTS,
        RELATION_COUNTS,
        PROTECTED_SPLITS,
        SPLITS,
        DOCUMENT_SPLITS,
        ANNOTATIONS,
        WORD_PIECES,
        FEATURES,
        LEARNING_ORDERS,
        WEIGHTS,
        ENCODERS,
        UPDATES,
        PREDICTIONS,
        CURVES,
        METRICS,
        LEADERBOARD,
    )
}
"""Every table by name."""
