"""errors: what, where and the mend, in one sentence each, across process borders."""

from __future__ import annotations

import pickle

import pytest

import storage.errors
from storage.errors import PipelineError, SourceError, StageError

KINDS = [getattr(storage.errors, name) for name in storage.errors.__all__]
USERS = {"ConfigError", "SourceError", "MissingArtifactError", "PlanError", "QueryError"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling_whole(kind: type[PipelineError]) -> None:
    error = kind("what", where="align, shard 3/4", mend="Do this")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.what, copy.where, copy.mend) == ("what", "align, shard 3/4", "Do this")
    assert str(copy) == str(error)


def test_the_message_is_where_what_and_the_mend() -> None:
    error = SourceError("the file is cut off", where="wikipedia-0, byte 7", mend="Get it again")
    assert str(error) == "wikipedia-0, byte 7: the file is cut off. Get it again."


def test_parts_that_are_missing_leave_no_trace() -> None:
    assert str(StageError("it broke")) == "it broke."
    assert str(StageError("it broke", mend="Mend it")) == "it broke. Mend it."
    assert str(StageError("it broke", where="link")) == "link: it broke."


@pytest.mark.parametrize("end", [".", "?", "!"])
def test_a_sentence_that_has_its_end_gets_no_other(end: str) -> None:
    assert str(StageError(f"What{end}", mend=f"Mend{end}")) == f"What{end} Mend{end}"


def test_a_place_is_put_in_front_of_those_already_named() -> None:
    error = SourceError("bad", where="byte 7", mend="Mend it").at("wikipedia-0").at("fetch")
    assert str(error) == "fetch, wikipedia-0, byte 7: bad. Mend it."
    assert type(error) is SourceError


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_user_can_mend_ends_with_2_and_a_failure_with_1(
    kind: type[PipelineError],
) -> None:
    assert kind.exit_code == (2 if kind.__name__ in USERS else 1)


def test_only_what_may_pass_is_worth_another_try() -> None:
    assert {kind.__name__ for kind in KINDS if kind.retryable} == {"PassingError"}
