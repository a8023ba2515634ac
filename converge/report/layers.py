"""Layers of a graph, so that its edges run between boxes and through none.

Boxes are named; an edge goes from a child to a parent, and parents are to the left. An edge that
skips a layer has a lane of its own in it. The same graph always has the same layers.
"""

from typing import Dict, Iterable, List, Mapping, Sequence, Set, Tuple

Edge = Tuple[str, str]  # child and parent
Cell = Tuple[str, ...]  # of a layer: (box,), or (left box, right box) for a lane between the two
SWEEPS = 4  # after which the order of a layer hardly changes any more


def layers(heights: Mapping[str, int], edges: Iterable[Edge], tallest: int) -> List[List[Cell]]:
    """Return the layers from left to right, and each from top to bottom.

    A layer is no higher than `tallest`, unless it is one box.
    """
    pairs = sorted({edge for edge in edges if edge[0] != edge[1]})
    neighbours: Dict[str, Set[str]] = {name: set() for name in heights}
    for child, parent in pairs:
        neighbours[child].add(parent)
        neighbours[parent].add(child)
    order = _parents_first(sorted(heights), pairs)
    layer = _assigned(order, neighbours, heights, tallest)
    cells: List[List[Cell]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in order:
        cells[layer[name]].append((name,))
    return _untangled(cells, _chains(pairs, layer, cells))


def _parents_first(names: Sequence[str], pairs: Iterable[Edge]) -> List[str]:
    """Return the names with parents first; of a cycle, the one with the fewest parents begins."""
    waiting = {name: {p for c, p in pairs if c == name} for name in names}
    order: List[str] = []
    while waiting:
        first = min(waiting, key=lambda name: (len(waiting[name]), name))
        del waiting[first]
        for parents in waiting.values():
            parents.discard(first)
        order.append(first)
    return order


def _assigned(
    order: Sequence[str],
    neighbours: Mapping[str, Set[str]],
    heights: Mapping[str, int],
    tallest: int,
) -> Dict[str, int]:
    layer: Dict[str, int] = {}
    used: Dict[int, int] = {}
    for name in order:
        placed = [layer[other] for other in neighbours[name] if other in layer]
        chosen = max(placed) + 1 if placed else 0
        while used.get(chosen, 0) and used[chosen] + heights[name] > tallest:
            chosen += 1
        layer[name] = chosen
        used[chosen] = used.get(chosen, 0) + heights[name]
    gaps = {old: new for new, old in enumerate(sorted(used))}
    return {name: gaps[old] for name, old in layer.items()}


def _chains(
    pairs: Iterable[Edge], layer: Mapping[str, int], cells: List[List[Cell]]
) -> List[List[Cell]]:
    """Return the cells that each edge passes, left to right; its lanes are added to the layers."""
    found = {}
    for pair in pairs:
        left, right = sorted(pair, key=lambda name: layer[name])
        lane = (left, right)
        between = range(layer[left] + 1, layer[right])
        if lane not in found:
            for number in between:
                cells[number].append(lane)
        found[lane] = [(left,), *[lane for _ in between], (right,)]
    return list(found.values())


def _untangled(cells: List[List[Cell]], chains: Iterable[List[Cell]]) -> List[List[Cell]]:
    """Return the layers with each cell near those that it is connected with."""
    left: Dict[Tuple[int, Cell], List[Cell]] = {}
    right: Dict[Tuple[int, Cell], List[Cell]] = {}
    number = {cell: n for n, layer in enumerate(cells) for cell in layer}
    for chain in chains:
        start = number[chain[0]]
        for step, (one, other) in enumerate(zip(chain, chain[1:])):
            right.setdefault((start + step, one), []).append(other)
            left.setdefault((start + step + 1, other), []).append(one)
    for sweep in range(SWEEPS):
        onward = sweep % 2 == 0
        side, step = (left, -1) if onward else (right, 1)
        for n in range(len(cells)) if onward else reversed(range(len(cells))):
            if 0 <= n + step < len(cells):
                cells[n] = _sorted_by(cells[n], cells[n + step], n, side)
    return cells


def _sorted_by(
    layer: List[Cell],
    beside: List[Cell],
    number: int,
    connected: Mapping[Tuple[int, Cell], List[Cell]],
) -> List[Cell]:
    """Return a layer by the mean place of what each cell is connected with in the one beside it."""
    place = {cell: n / max(1, len(beside) - 1) for n, cell in enumerate(beside)}

    def mean(item: Tuple[int, Cell]) -> Tuple[float, int]:
        own, cell = item
        others = connected.get((number, cell), [])
        if not others:
            return own / max(1, len(layer) - 1), own
        return sum(place[other] for other in others) / len(others), own

    return [cell for _, cell in sorted(enumerate(layer), key=mean)]
