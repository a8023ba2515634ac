"""The entity-relationship diagram: where its boxes and lines are. Lengths are pixels."""

import unicodedata
from typing import Dict, Iterable, List, Mapping, NamedTuple, Sequence, Set, Tuple

from converge.report.layers import Cell, layers
from converge.report.model import Column, Reference, Table
from converge.text import counted, visible

WIDE = 1080  # what a page has room for; only layers may make a diagram wider
TALL = 1400  # where a layer goes on in the next one
HEAD, LINE, FOOT = 32, 20, 8
LETTER = 7.3  # of the monospaced font
LEFT, BETWEEN, RIGHT = 38, 18, 14  # of the texts in a box
LANE = 16  # the height of an edge that passes a layer
GAP, LAYER_GAP, MARGIN = 32, 84, 16
NAME, TYPE, TITLE = 26, 18, 34  # letters that are shown
MOST, MOST_UNMANAGED = 40, 10  # columns that are shown
LOOP = 18  # how far a reference to its own table goes out
SHORT = {
    "character varying": "varchar",
    "double precision": "float8",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
Point = Tuple[int, int]
Key = str  # of a table: its place in the sorted tables, so that no name can be taken for another


class Label(NamedTuple):
    """A text, cut where it is too long; then `whole` is all of it, else empty."""

    text: str
    whole: str = ""


class Line(NamedTuple):
    """A column in a box."""

    y: int  # of the middle, from the top of the box
    name: Label
    type: Label
    column: Column
    refers: bool


class Box(NamedTuple):
    """A table; `outside` is one that is referred to and not shown."""

    x: int
    y: int
    width: int
    height: int
    title: Label
    managed: bool
    outside: bool
    lines: Tuple[Line, ...]
    more: str  # `12 more columns`, or empty


class Arrow(NamedTuple):
    """A foreign key: from the column of the child to that of its parent, in curves and lines."""

    points: Tuple[Point, ...]
    title: str

    @property
    def path(self) -> str:
        """The SVG path, with a crow's foot at the child."""
        (x, y), (next_x, _) = self.points[:2]
        side = 1 if next_x >= x else -1
        foot = f"M{x},{y - 5}L{x + 10 * side},{y}L{x},{y + 5}"
        curves = zip(self.points[::2], self.points[1::2])
        lines = [f"M{x},{y}", *(_curve(start, end) for start, end in curves)]
        return "".join([foot, *lines])


class Diagram(NamedTuple):
    width: int
    height: int
    boxes: Tuple[Box, ...]
    arrows: Tuple[Arrow, ...]

    def moved(self, right: int, down: int) -> "Diagram":
        boxes = (b._replace(x=b.x + right, y=b.y + down) for b in self.boxes)
        arrows = (
            arrow._replace(points=tuple((x + right, y + down) for x, y in arrow.points))
            for arrow in self.arrows
        )
        return self._replace(boxes=tuple(boxes), arrows=tuple(arrows))


def _curve(start: Point, end: Point) -> str:
    """Return a curve, and the straight line to it from where the one before has ended."""
    (x, y), (to_x, to_y) = start, end
    middle = x + LOOP * 4 // 3 if x == to_x else (x + to_x) // 2
    return f"L{x},{y}C{middle},{y},{middle},{to_y},{to_x},{to_y}"


def draw(tables: Iterable[Table], references: Sequence[Reference]) -> Diagram:
    """Return the diagram: tables that refer to each other in layers, the others in columns.

    The tables are those of one schema; what they refer to may be another's.
    """
    boxes, keys = _boxes(tables, references)
    edges = [_edge(reference, keys) for reference in references]
    parts, single = [], []
    for group in _groups(sorted(boxes, key=int), edges):
        linked = [(r, edge) for r, edge in zip(references, edges) if edge[0] in group]
        if len(group) > 1:
            parts.append(_linked({key: boxes[key] for key in group}, linked))
        else:
            single.append((boxes[group[0]], linked))
    return _together([*parts, *_columns(single)])


def _boxes(
    tables: Iterable[Table], references: Iterable[Reference]
) -> Tuple[Dict[Key, Box], Dict[Tuple[str, str], Key]]:
    """Return a box for each table, the managed ones first, and the key of each."""
    shown = sorted(tables, key=lambda table: (not table.managed, table.name))
    referring: Dict[Tuple[str, str], Set[str]] = {}
    for r in references:
        referring.setdefault((r.schema, r.table), set()).update(r.columns)
    names = [(table.schema, table.name) for table in shown]
    ends = {end for r in references for end in ((r.schema, r.table), (r.to_schema, r.to_table))}
    outside = sorted(ends - set(names))
    found = [_box(table, referring.get((table.schema, table.name), set())) for table in shown]
    found += [_outside(*name) for name in outside]
    width = max((box.width for box in found), default=0)
    keys = {name: str(number) for number, name in enumerate([*names, *outside])}
    return {str(n): box._replace(width=width) for n, box in enumerate(found)}, keys


def _box(table: Table, referring: Set[str]) -> Box:
    most = MOST if table.managed else MOST_UNMANAGED
    lines = tuple(
        Line(
            HEAD + LINE * number + LINE // 2 + FOOT // 2,
            cut(column.name, NAME),
            cut(column.type, TYPE, shorter=SHORT),
            column,
            column.name in referring,
        )
        for number, column in enumerate(table.columns[:most])
    )
    hidden = len(table.columns) - len(lines)
    more = counted(hidden, "more column") if hidden else ""
    title = cut(table.name, TITLE)
    letters = [columns_of(title.text) + 2] + [
        columns_of(line.name.text) + columns_of(line.type.text) for line in lines
    ]
    width = round(LEFT + LETTER * max(letters) + BETWEEN + RIGHT)
    height = HEAD + LINE * (len(lines) + bool(more)) + FOOT
    return Box(0, 0, width, height, title, table.managed, False, lines, more)


def _outside(schema: str, name: str) -> Box:
    title = cut(f"{schema}.{name}", TITLE)
    width = round(LEFT + LETTER * columns_of(title.text) + RIGHT)
    return Box(0, 0, width, HEAD, title, False, True, (), "")


def _edge(reference: Reference, keys: Mapping[Tuple[str, str], Key]) -> Tuple[Key, Key]:
    child = keys[reference.schema, reference.table]
    return child, keys[reference.to_schema, reference.to_table]


def _groups(keys: Iterable[Key], edges: Iterable[Tuple[Key, Key]]) -> List[List[Key]]:
    """Return the keys with those together that edges connect."""
    group = {key: [key] for key in keys}
    for child, parent in edges:
        one, other = group[child], group[parent]
        if one is not other:
            one += other
            group.update(dict.fromkeys(other, one))
    return list({id(members): sorted(members, key=int) for members in group.values()}.values())


Linked = Sequence[Tuple[Reference, Tuple[Key, Key]]]


def _linked(boxes: Mapping[Key, Box], linked: Linked) -> Diagram:
    """Return a group in its layers, each in the middle."""
    heights = {key: box.height + GAP for key, box in boxes.items()}
    columns = layers(heights, [edge for _, edge in linked], TALL)
    width = next(iter(boxes.values())).width
    tall = [sum(heights[c[0]] if len(c) == 1 else LANE for c in column) for column in columns]
    placed: Dict[Key, Box] = {}
    lanes: Dict[Cell, List[Point]] = {}
    for number, column in enumerate(columns):
        x, y = number * (width + LAYER_GAP), (max(tall) - tall[number]) // 2
        for cell in column:
            if len(cell) == 1:
                placed[cell[0]] = boxes[cell[0]]._replace(x=x, y=y)
                y += heights[cell[0]]
            else:
                lanes.setdefault(cell, []).extend(
                    [(x, y + LANE // 2 - GAP // 2), (x + width, y + LANE // 2 - GAP // 2)]
                )
                y += LANE
    arrows = tuple(_arrow(reference, edge, placed, lanes) for reference, edge in linked)
    whole = len(columns) * (width + LAYER_GAP) - LAYER_GAP
    return Diagram(whole, max(tall) - GAP, tuple(placed.values()), arrows)


def _arrow(
    reference: Reference,
    edge: Tuple[Key, Key],
    boxes: Mapping[Key, Box],
    lanes: Mapping[Cell, Sequence[Point]],
) -> Arrow:
    child, parent = (boxes[key] for key in edge)
    start, end = (_height_of(child, reference.columns), _height_of(parent, reference.to_columns))
    if child is parent or child.x == parent.x:
        points = [(child.x + child.width, start), (parent.x + parent.width, end)]
    elif child.x > parent.x:
        between = lanes.get((edge[1], edge[0]), ())
        points = [(child.x, start), *reversed(between), (parent.x + parent.width, end)]
    else:
        points = [(child.x + child.width, start), *lanes.get(edge, ()), (parent.x, end)]
    columns, to_columns = (", ".join(c) for c in (reference.columns, reference.to_columns))
    title = f"{reference.table} ({columns}) → {reference.to_table} ({to_columns}): {reference.name}"
    return Arrow(tuple(points), visible(title))


def _height_of(box: Box, columns: Sequence[str]) -> int:
    """Return where the first of the columns is, or the title if that is not shown."""
    for line in box.lines:
        if line.column.name in columns[:1]:
            return box.y + line.y
    return box.y + HEAD // 2


def _columns(single: Sequence[Tuple[Box, Linked]]) -> List[Diagram]:
    """Return the boxes in columns, each where the most room is left."""
    if not single:
        return []
    width = single[0][0].width
    number = min(len(single), max(1, (WIDE + GAP) // (width + GAP)))
    ends = [0] * number
    boxes, arrows = [], []
    for unplaced, linked in single:
        column = ends.index(min(ends))
        box = unplaced._replace(x=column * (width + GAP), y=ends[column])
        ends[column] += box.height + GAP
        boxes.append(box)
        arrows += [_arrow(reference, edge, {edge[0]: box}, {}) for reference, edge in linked]
    whole = number * (width + GAP) - GAP
    return [Diagram(whole, max(ends) - GAP, tuple(boxes), tuple(arrows))]


def _together(parts: Sequence[Diagram]) -> Diagram:
    """Return the parts beside each other while there is room, then below."""
    x = y = MARGIN
    wide = tall = 0
    moved: List[Diagram] = []
    for part in parts:
        if x > MARGIN and x + part.width > MARGIN + WIDE:
            x, y, tall = MARGIN, y + tall + GAP, 0
        moved.append(part.moved(x, y))
        wide, tall = max(wide, x + part.width), max(tall, part.height)
        x += part.width + LAYER_GAP
    return Diagram(
        wide + MARGIN + LOOP,
        y + tall + MARGIN,
        tuple(box for part in moved for box in part.boxes),
        tuple(arrow for part in moved for arrow in part.arrows),
    )


def columns_of(text: str) -> int:
    """Return how many letters of a monospaced font a text is wide."""
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, most: int, *, shorter: Mapping[str, str] = {}) -> Label:
    """Return a text in at most so many letters, with what stands for longer words."""
    whole = shown = visible(text).replace("\n", " ").replace("\t", " ")
    for long, short in shorter.items():
        shown = shown.replace(long, short)
    if columns_of(shown) > most:
        kept, room = [], most - 1
        for letter in shown:
            room -= _width(letter)
            if room < 0:
                break
            kept.append(letter)
        shown = "".join(kept) + "…"
    return Label(shown, whole if shown != whole else "")
