"""What is left of an approved plan, when a run of it was interrupted: still approved."""

from pathlib import Path

import pytest

from tests.integration.history.test_interrupted import EVERY, NEW, OLD, released
from tests.support.approving import approved, refused
from tests.support.changing import Changing
from tests.support.copies import copy_of
from tests.support.database import Database


def test_steps_that_no_run_has_done_were_not_approved(database: Database, tmp_path: Path) -> None:
    """Somebody did a part by hand: nobody has said that the rest is right without it."""
    releases = released(database, OLD)
    before = approved(releases.settings, releases.planned(NEW), tmp_path / "plan.json")
    assert refused(releases.settings, before, releases.planned(NEW)) == ()
    database.execute("CREATE TABLE q (id serial PRIMARY KEY)")
    [refusal] = refused(releases.settings, before, releases.planned(NEW))
    assert refusal.why[0] == "No longer to do: create table public.q."


def test_what_a_run_has_begun_may_be_finished(database: Database, tmp_path: Path) -> None:
    """Its history has recorded what is done; the halves that it left are dropped first."""
    releases = released(database, OLD)
    before = approved(releases.settings, releases.planned(NEW), tmp_path / "plan.json")
    releases.apply(NEW, steps=20)
    rest = releases.planned(NEW)
    assert refused(releases.settings, before, rest) == ()
    database.execute("DELETE FROM eater_schema_history WHERE run = 2")
    assert refused(releases.settings, before, rest) != ()


@pytest.mark.long
def test_what_is_left_behind_any_step_was_approved(database: Database, tmp_path: Path) -> None:
    """Whatever it is that a run was interrupted in."""
    count = len(released(database, OLD).planned(NEW).steps)
    for number in range(3, count + 2, EVERY):
        with copy_of(database) as twin:
            changing = Changing(twin)
            plan = changing.planned(NEW)
            before = approved(changing.settings, plan, tmp_path / f"{number}.json")
            changing.apply(NEW, steps=number)
            assert refused(changing.settings, before, changing.planned(NEW)) == (), number
