"""recognize: sentences and mentions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy

from stages.linking.names import occurrences
from stages.ner.pipeline import load
from stages.recognize import RECOGNIZE, RecognizeConfig, check, facts, title_names
from storage.errors import ConfigError
from storage.tables import HYPERLINKS, MENTIONS, PAGES, PARAGRAPHS, SENTENCES, SITE
from tests.conftest import Outcome, RunStage

BLANK = RecognizeConfig()


def span(text: str, words: str, nth: int = 0) -> dict[str, int]:
    start = -1
    for _ in range(nth + 1):
        start = text.index(words, start + 1)
    return {"char_start": start, "char_end": start + len(words)}


@pytest.fixture
def recognize(run_stage: RunStage) -> Any:
    def run(
        text: str,
        *,
        links: list[str | tuple[str, int] | None] = (),  # type: ignore[assignment]
        title: str = "Nobody",
        bold: list[str] = (),  # type: ignore[assignment]
        config: RecognizeConfig = BLANK,
        language: str = "en",
        targets: list[str] = (),  # type: ignore[assignment]
        **page: Any,
    ) -> Outcome:
        paragraphs, start = [], 0
        for line in text.splitlines(keepends=True):
            end = start + len(line.rstrip("\n"))
            paragraphs.append({"page_id": 1, "char_start": start, "char_end": end})
            start += len(line)
        hyperlinks = [
            {"page_id": 1, "char_start": None, "char_end": None}
            if link is None
            else {"page_id": 1, **span(text, *((link,) if isinstance(link, str) else link))}
            for link in links
        ]
        for link, target in zip(hyperlinks, targets, strict=False):
            link["target_title"] = target
        names = [span(text, name) for name in bold]
        pages = [{"page_id": 1, "title": title, "text": text, "bold_names": names, **page}]
        return run_stage(
            RECOGNIZE,
            config,
            {
                PAGES: pages,
                PARAGRAPHS: paragraphs,
                HYPERLINKS: hyperlinks,
                SITE: [{"language": language}],
            },
        )

    return run


def mentions(outcome: Outcome) -> list[tuple[str, str, str | None]]:
    return [(r["surface"], r["source"], r["type"]) for r in outcome.rows(MENTIONS)]


def sentences(outcome: Outcome, text: str) -> list[str]:
    return [text[r["char_start"] : r["char_end"]] for r in outcome.rows(SENTENCES)]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RecognizeConfig:
    """A blank pipeline with patterns, saved as a model."""
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "GPE", "pattern": "Warsaw"},
            {"label": "GPE", "pattern": "New York"},
            {"label": "PERSON", "pattern": [{"TEXT": "Marie"}, {"TEXT": "Curie"}]},
            {"label": "DATE", "pattern": "1867"},
        ]
    )
    folder = tmp_path_factory.mktemp("model") / "rules"
    nlp.to_disk(folder)
    return RecognizeConfig(model=str(folder))


TEXT = "Marie Curie was born in Warsaw in 1867. She left Warsaw for Paris."


def test_blank_finds_sentences_hyperlinks_their_repeats_and_titles(recognize: Any) -> None:
    outcome = recognize(TEXT, links=["Paris", ("Warsaw", 1)], title="Marie Curie")
    assert sentences(outcome, TEXT) == [
        "Marie Curie was born in Warsaw in 1867.",
        "She left Warsaw for Paris.",
    ]
    assert mentions(outcome) == [
        ("Marie Curie", "title", None),
        ("Warsaw", "repeat", None),
        ("Warsaw", "hyperlink", None),
        ("Paris", "hyperlink", None),
    ]
    assert outcome.drops == {}


def test_a_pipeline_with_rules_adds_what_it_finds_with_its_type(
    recognize: Any, rules: RecognizeConfig
) -> None:
    outcome = recognize(TEXT, config=rules)
    assert mentions(outcome) == [
        ("Marie Curie", "ner", "PERSON"),
        ("Warsaw", "ner", "GPE"),
        ("1867", "ner", "DATE"),
        ("Warsaw", "ner", "GPE"),
    ]


def test_a_hyperlink_wins_over_ner_and_takes_the_type_of_the_very_same_span(
    recognize: Any, rules: RecognizeConfig
) -> None:
    outcome = recognize(TEXT, links=["Warsaw", "Warsaw in 1867"][:1], config=rules)
    assert ("Warsaw", "hyperlink", "GPE") in mentions(outcome)
    assert ("Warsaw", "repeat", "GPE") in mentions(outcome)
    assert outcome.drops == {"overlaps_hyperlink": 1, "overlaps_repeat": 1}


def test_every_loser_against_a_hyperlink_is_counted(recognize: Any, rules: RecognizeConfig) -> None:
    outcome = recognize(TEXT, links=["Warsaw in 1867"], config=rules)
    assert mentions(outcome) == [
        ("Marie Curie", "ner", "PERSON"),
        ("Warsaw in 1867", "hyperlink", None),
        ("Warsaw", "ner", "GPE"),
    ]
    assert outcome.drops == {"overlaps_hyperlink": 2}


def test_a_title_wins_over_ner_and_loses_to_a_hyperlink(
    recognize: Any, rules: RecognizeConfig
) -> None:
    text = "Marie Curie met Marie Curie and Marie."
    outcome = recognize(text, links=["Marie Curie"], title="Marie Curie", config=rules)
    assert mentions(outcome) == [
        ("Marie Curie", "hyperlink", "PERSON"),
        ("Marie Curie", "title", "PERSON"),
    ]
    # The hyperlink keeps out the title, its own repeat is no loss, and NER found both again.
    assert outcome.drops == {"overlaps_hyperlink": 2, "overlaps_title": 1}


def test_a_title_inside_a_longer_name_is_another_name(recognize: Any) -> None:
    text = (
        "Brommorvik is a town in the north. Sporting Brommorvik play in Brommorvik. "
        "In Brommorvik there is a port. Brommorvik United lost, Neo-Brommorvik won, "
        "Brommorvik-based firms paid. Brommorvik's mayor left Brommorvik."
    )
    outcome = recognize(text, title="Brommorvik")
    behind = [text[r["char_end"] : r["char_end"] + 6] for r in outcome.rows(MENTIONS)]
    assert behind == [" is a ", ". In B", " there", "-based", "'s may", "."]
    assert outcome.drops == {"within_longer_name": 3}


def test_a_longer_name_that_ner_found_takes_in_the_repeat(
    recognize: Any, rules: RecognizeConfig
) -> None:
    text = "We saw Curie. Then Marie Curie came, and Curie went."
    outcome = recognize(text, links=["Curie"], config=rules)
    assert mentions(outcome) == [
        ("Curie", "hyperlink", None),
        ("Marie Curie", "ner", "PERSON"),
        ("Curie", "repeat", None),
    ]


def test_words_without_a_capital_or_with_two_targets_are_not_repeated(recognize: Any) -> None:
    text = "A radium salt and Radium, then Radium, radium and Radium."
    links = ["radium", ("Radium", 0), ("Radium", 1)]
    outcome = recognize(text, links=links, targets=["Radium", "Radium", "Radium (band)"])
    assert [source for _, source, _ in mentions(outcome)] == ["hyperlink"] * 3
    same = recognize(text, links=links, targets=["Radium", "Radium", "Radium"])
    assert mentions(same)[-1] == ("Radium", "repeat", None)
    assert len(mentions(same)) == 4


def test_no_two_mentions_overlap_and_each_cuts_its_surface(
    recognize: Any, rules: RecognizeConfig
) -> None:
    outcome = recognize(TEXT, links=["born in Warsaw", "Paris"], title="Marie", config=rules)
    rows = outcome.rows(MENTIONS)
    assert all(TEXT[r["char_start"] : r["char_end"]] == r["surface"] for r in rows)
    ends = [r["char_end"] for r in rows]
    assert all(end <= r["char_start"] for end, r in zip(ends, rows[1:], strict=False))


def test_hyperlinks_that_do_not_stand_in_the_text_are_no_mentions(recognize: Any) -> None:
    assert mentions(recognize(TEXT, links=[None, "Paris"])) == [("Paris", "hyperlink", None)]


def test_a_sentence_border_inside_a_mention_is_taken_out(recognize: Any) -> None:
    text = "He read Help! The film by the band. It was long."
    outcome = recognize(text, links=["Help! The film"])
    assert sentences(outcome, text) == ["He read Help! The film by the band.", "It was long."]
    assert [r["sentence"] for r in outcome.rows(SENTENCES)] == [0, 1]


def test_no_sentence_crosses_a_paragraph(recognize: Any) -> None:
    text = "A first line without a stop\nA second. A third"
    assert sentences(recognize(text), text) == [
        "A first line without a stop",
        "A second.",
        "A third",
    ]


def test_a_disambiguation_page_is_dropped_and_counted(recognize: Any) -> None:
    outcome = recognize(TEXT, links=["Paris"], disambiguation=True)
    assert outcome.rows(SENTENCES) == outcome.rows(MENTIONS) == []
    assert outcome.drops == {"disambiguation": 1}


def test_a_page_without_text_has_no_rows(recognize: Any) -> None:
    outcome = recognize("")
    assert outcome.rows(SENTENCES) == outcome.rows(MENTIONS) == []


def test_an_unknown_language_takes_generic_rules(recognize: Any) -> None:
    text = "Jõgõv. Ja vīel."
    assert len(sentences(recognize(text, language="ltg"), text)) == 2


def test_chinese_sentences_end_at_their_own_stops(recognize: Any) -> None:
    text = "北京是首都。上海很大。"
    assert sentences(recognize(text, language="zh"), text) == ["北京是首都。", "上海很大。"]


def names(title: str, text: str, *bold: str) -> list[str]:
    page = {"title": title, "text": text, "bold_names": [span(text, name) for name in bold]}
    return [text[a:b] for a, b in occurrences(text, title_names(page), set())[0]]


def test_a_title_counts_as_a_whole_word_only() -> None:
    text = "Ann met Anna, Ann's sister and Joann; not ann."
    assert names("Ann", text) == ["Ann", "Ann"]


def test_what_tells_titles_apart_is_no_part_of_the_name() -> None:
    assert names("Mercury (planet)", "Mercury is small.") == ["Mercury"]


def test_bold_names_of_the_lead_name_the_page_everywhere() -> None:
    text = "Warsaw or Warszawa is big. Warszawa lies there."
    assert names("Warsaw", text, "Warszawa") == ["Warsaw", "Warszawa", "Warszawa"]


def test_of_names_that_overlap_the_longest_counts() -> None:
    assert names("Curie", "Marie Curie. Curie.", "Marie Curie") == ["Marie Curie", "Curie"]


def test_names_of_one_letter_and_blanks_are_no_names() -> None:
    assert names("C (programming language)", "C is a language. C.") == []
    assert names("C", "C  is", "  ") == []


def test_names_with_signs_are_taken_literally() -> None:
    assert names("C++", "C++ and C+++ and C.") == ["C++", "C++"]


def test_a_missing_model_is_refused_with_the_command_that_installs_it() -> None:
    for model in ("en_core_nothing", "en_core_nothing==3.8.0"):
        with pytest.raises(ConfigError) as caught:
            check(RecognizeConfig(model=model))
        message = str(caught.value)
        assert "the spaCy model 'en_core_nothing' is not installed" in message
        assert "python -m spacy download en_core_nothing" in message


def test_another_version_than_the_recipe_pins_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.7.0")
    check(RecognizeConfig(model="en_core_web_lg==3.7.0"))
    check(RecognizeConfig(model="en_core_web_lg"))
    with pytest.raises(ConfigError, match=r"in version 3\.7\.0, the recipe wants 3\.8\.0"):
        check(RecognizeConfig(model="en_core_web_lg==3.8.0"))


def test_a_version_counts_whether_or_not_the_recipe_pins_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.7.0")
    assert facts(RecognizeConfig(model="blank")) == {}
    assert facts(RecognizeConfig(model="en_core_web_lg==3.8.0")) == {}
    assert facts(RecognizeConfig(model="en_core_web_lg")) == {"model": "3.7.0"}


def test_a_folder_counts_by_its_files_and_needs_no_installation(tmp_path: Path) -> None:
    config = RecognizeConfig(model=str(tmp_path))
    (tmp_path / "config.cfg").write_text("[nlp]")
    check(config)
    one = facts(config)
    (tmp_path / "config.cfg").write_text("[nlp]\n")
    assert facts(config) != one


def test_a_folder_that_is_no_model_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a folder without config\.cfg: no spaCy model"):
        check(RecognizeConfig(model=str(tmp_path)))


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text("[nlp")
    with pytest.raises(ConfigError, match="spaCy cannot load the model"):
        load(str(tmp_path), "en")


def test_a_title_in_a_script_without_spaces_is_found_inside_running_text() -> None:
    page = {"title": "柏林", "text": "他在柏林長大。", "bold_names": []}
    assert occurrences(page["text"], title_names(page), set())[0] == [(2, 4)]
