"""The diagram's geometry: whatever the tables are, it can be read."""

import random
from itertools import combinations
from typing import Iterator, List, Sequence, Tuple

import pytest

from converge.report.diagram import NAME, Box, Diagram, columns_of, cut, draw
from converge.report.layers import layers
from converge.report.model import Reference, Table
from tests.support import reports
from tests.support.reports import reference, table

Model = Tuple[Sequence[Table], Sequence[Reference]]


def linked(*edges: Tuple[str, str]) -> Model:
    """Return tables of two columns, of which the first refers from each edge's end to its other."""
    names = sorted({name for edge in edges for name in edge})
    tables = [table("public", name, ("id integer k", "other integer ?")) for name in names]
    return tables, [reference(f"{child}.other", f"{parent}.id") for child, parent in edges]


def drawn_by_chance(seed: int) -> Model:
    """Return up to 30 tables and 60 references among them, cycles and loops too."""
    chance = random.Random(seed)
    names = [f"t{number}" for number in range(chance.randint(2, 30))]
    edges = {(chance.choice(names), chance.choice(names)) for _ in range(chance.randint(1, 60))}
    return linked(*sorted(edges))


def models() -> Iterator[Model]:
    for report in (reports.small(), reports.broken()):
        yield report.tables, report.references
    yield linked(("orders", "users"), ("lines", "orders"), ("lines", "goods"), ("lines", "users"))
    yield linked(("chicken", "egg"), ("egg", "chicken"), ("tree", "tree"))
    yield linked(*((f"child_{number:02}", "parent") for number in range(40)))
    yield from map(drawn_by_chance, range(20))


MODELS = list(models())


def edges_of(box: Box) -> Tuple[int, int, int, int]:
    return box.x, box.y, box.x + box.width, box.y + box.height


def on_the_side(box: Box, point: Tuple[int, int]) -> bool:
    left, top, right, bottom = edges_of(box)
    return point[0] in (left, right) and top <= point[1] <= bottom


def parts(diagram: Diagram) -> Iterator[Tuple[Tuple[int, int], Tuple[int, int]]]:
    """Return the curves of the arrows, and the lines between these; no loops."""
    for arrow in diagram.arrows:
        yield from ((one, to) for one, to in zip(arrow.points, arrow.points[1:]) if one[0] != to[0])


@pytest.mark.parametrize("model", MODELS)
def test_no_boxes_overlap(model: Model) -> None:
    """Nor do two touch."""
    boxes = [edges_of(box) for box in draw(*model).boxes]
    for one, other in combinations(boxes, 2):
        apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        assert apart, (one, other)


@pytest.mark.parametrize("model", MODELS)
def test_every_foreign_key_connects_two_boxes(model: Model) -> None:
    """It begins at the child's side and ends at the parent's, and goes through no box."""
    diagram = draw(*model)
    assert len(diagram.arrows) == len(model[1])
    by_title = {box.title.whole or box.title.text: box for box in diagram.boxes}
    for one, arrow in zip(sorted(model[1]), sorted(diagram.arrows, key=lambda a: a.title)):
        assert any(on_the_side(box, arrow.points[0]) for box in diagram.boxes), one
        assert any(on_the_side(box, arrow.points[-1]) for box in diagram.boxes), one
    assert len(by_title) == len(diagram.boxes)
    for (x, y), (to_x, to_y) in parts(diagram):
        for left, top, right, bottom in map(edges_of, diagram.boxes):
            beside = max(x, to_x) <= left or right <= min(x, to_x)
            assert beside or max(y, to_y) < top or bottom < min(y, to_y)


@pytest.mark.parametrize("model", MODELS)
def test_everything_is_inside(model: Model) -> None:
    diagram = draw(*model)
    for left, top, right, bottom in map(edges_of, diagram.boxes):
        assert left >= 0
        assert top >= 0
        assert right <= diagram.width
        assert bottom <= diagram.height
    for arrow in diagram.arrows:
        assert all(0 <= x <= diagram.width and 0 <= y <= diagram.height for x, y in arrow.points)


def test_a_foreign_key_joins_its_columns() -> None:
    """The line is at the height of the columns; the parent is to the left."""
    [parent, child], [arrow] = (
        sorted((d := draw(*linked(("orders", "users")))).boxes, key=lambda box: box.x),
        d.arrows,
    )
    assert (parent.title.text, child.title.text) == ("users", "orders")
    assert arrow.points == (
        (child.x, child.y + child.lines[1].y),
        (parent.x + parent.width, parent.y + parent.lines[0].y),
    )
    assert arrow.title == "orders (other) → users (id): orders_other_fkey"


def test_the_same_tables_are_drawn_the_same() -> None:
    """In whatever order they come."""
    tables, references = drawn_by_chance(3)
    again = draw(list(reversed(tables)), list(reversed(references)))
    assert sorted(draw(tables, references).boxes) == sorted(again.boxes)


def test_what_is_referred_to_and_not_there_has_a_box() -> None:
    """A table of another schema is named with it."""
    [one] = linked(("orders", "orders"))[0]
    diagram = draw([one], [reference("orders.other", "users.id", to="billing")])
    assert [(box.title.text, box.outside) for box in diagram.boxes] == [
        ("billing.users", True),
        ("orders", False),
    ]


def test_no_tables() -> None:
    assert draw([], []).boxes == ()


def test_long_and_wide_names_are_cut() -> None:
    """A letter of East Asia takes the room of two; what is cut is told as a whole."""
    assert cut("short", NAME) == ("short", "")
    for name in ("x" * 63, "名" * 21):
        label = cut(name, NAME)
        assert label.whole == name
        assert columns_of(label.text) <= NAME
    assert cut("character varying(9)", 12, shorter={"character varying": "varchar"}) == (
        "varchar(9)",
        "character varying(9)",
    )
    assert cut("a\u202eb", NAME) == ("a\\u202eb", "")


def test_a_table_with_many_columns_says_how_many_more() -> None:
    """Of a table that is not the models', fewer are shown."""
    many = table("public", "wide", [f"c{n} integer" for n in range(60)])
    [wide] = draw([many], []).boxes
    assert (len(wide.lines), wide.more) == (40, "20 more columns")
    [other] = draw([many._replace(managed=False)], []).boxes
    assert (len(other.lines), other.more) == (10, "50 more columns")


def test_a_high_layer_goes_on_in_the_next() -> None:
    """An edge that skips a layer has a lane in it."""
    heights = {"parent": 10, **{f"c{n}": 10 for n in range(5)}}
    found: List[List[Tuple[str, ...]]] = layers(
        heights, [(f"c{n}", "parent") for n in range(5)], 30
    )
    assert [[cell for cell in layer if len(cell) == 1] for layer in found] == [
        [("parent",)],
        [("c0",), ("c1",), ("c2",)],
        [("c3",), ("c4",)],
    ]
    assert [cell for cell in found[1] if len(cell) == 2] == [("parent", "c3"), ("parent", "c4")]
