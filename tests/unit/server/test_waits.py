"""How a wait is worded."""

from converge.server.waits import Wait

VACUUM = "autovacuum: VACUUM public.weight"
WHO = "a lock on public.weight held by pid 7 (autovacuum worker), active, for 00:01:00: "


def test_a_vacuum_that_gives_way_to_nobody_is_said_to_be_one() -> None:
    """An ordinary autovacuum ends when somebody waits for it; against wraparound it does not."""
    plain = Wait("public.weight", 7, "autovacuum worker", "active", "00:01:00", VACUUM)
    assert str(plain) == WHO + VACUUM
    urgent = plain._replace(query=f"{VACUUM} (to prevent wraparound)")
    assert str(urgent) == (
        f"{WHO}{VACUUM} (to prevent wraparound); it prevents wraparound, so it does not give way"
    )
