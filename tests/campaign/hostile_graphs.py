"""All hostile models made by hand, in a fixed order that mixes their kinds."""

from __future__ import annotations

from random import Random

from campaign import hostile_answers, hostile_sizes, hostile_words
from campaign.hostile import Hostile


def _mixed() -> tuple[Hostile, ...]:
    graphs = [*hostile_sizes.GRAPHS, *hostile_answers.GRAPHS, *hostile_words.GRAPHS]
    Random(16).shuffle(graphs)
    return tuple(graphs)


GRAPHS = _mixed()
"""Every one, once."""
