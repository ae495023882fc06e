"""Entities out of mentions."""

from __future__ import annotations

from typing import Any

from stages.linking.clusters import clusters


def mention(start: int, surface: str, kind: str | None = None) -> dict[str, Any]:
    end = start + len(surface)
    return {"char_start": start, "char_end": end, "surface": surface, "type": kind}


def test_all_mentions_of_one_item_are_one_entity() -> None:
    mentions = [mention(0, "Ann Lee"), mention(20, "Lee", "PERSON"), mention(40, "she")]
    entities = clusters(mentions, {(0, 7): "Q1", (20, 23): "Q1"}, [0, 15, 35], {})
    assert [(e.qid, e.name, e.type, e.sentences) for e in entities] == [
        ("Q1", "Ann Lee", "PERSON", (0, 1)),
        (None, "she", None, (2,)),
    ]


def test_unlinked_mentions_go_together_by_their_very_words() -> None:
    mentions = [mention(0, "Bo"), mention(10, "bo"), mention(20, "Bo"), mention(30, "Bo")]
    entities = clusters(mentions, {(20, 22): "Q2"}, [0], {})
    assert [(e.qid, e.mentions) for e in entities] == [
        (None, ((0, 2), (30, 32))),
        (None, ((10, 12),)),
        ("Q2", ((20, 22),)),
    ]


def test_a_surface_that_looks_like_an_item_is_still_a_surface() -> None:
    entities = clusters([mention(0, "Q1"), mention(10, "x")], {(10, 11): "Q1"}, [0], {})
    assert [e.qid for e in entities] == [None, "Q1"]


def test_the_type_of_the_item_counts_and_where_it_is_unknown_that_of_the_mentions() -> None:
    mentions = [mention(0, "Troy", "PERSON"), mention(10, "Ida", "LOC"), mention(20, "Lee", "ORG")]
    entities = clusters(mentions, {(0, 4): "Q1", (10, 13): "Q2"}, [0], {"Q1": "LOC", "Lee": "LOC"})
    assert [(e.name, e.type) for e in entities] == [("Troy", "LOC"), ("Ida", "LOC"), ("Lee", "ORG")]
