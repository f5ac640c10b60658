"""Example sessions: what a few held-out users are shown before and after learning."""
from typing import NamedTuple

import pandas as pd

from ..leaderboard import Board
from ..results import Results

MOST_GENRES = 3
COUNTED = {1: "one user was", 2: "two users were", 3: "three users were"}


class Item(NamedTuple):
    title: str
    genres: str
    probability: float             # hidden, of liking it
    liked: bool


class Session(NamedTuple):
    when: str
    label: str                     # of the row whose policy chose
    items: list[Item]

    @property
    def liked(self) -> int:
        return sum(item.liked for item in self.items)

    @property
    def expected(self) -> float:
        return sum(item.probability for item in self.items)


class Example(NamedTuple):
    user: int                      # counted from 1
    likes: str                     # a sentence; empty where no bound says it
    sessions: tuple[Session, Session]


class Examples(NamedTuple):
    users: str                     # how many, in words
    examples: list[Example]


def content(r: Results, board: Board) -> Examples | None:
    """What random showed and what the best learner shows; nothing where one of them has no examples."""
    table = r.table("examples", "user", "place", "title", "genres", "probability", "liked")
    told = {row.id: part[part.trial == part.sort_values("seed", kind="stable").trial.iloc[0]]
            for row, part in r.parts(table)}
    best = next((s.row for s in board.learners if s.row.id in told), None)
    if best is None or r.random is None or r.random.id not in told:
        return None
    before, after = told[r.random.id], told[best.id]
    loved = told.get(r.bound.id if r.bound else "", table.iloc[:0])
    users = sorted(set(before.user) & set(after.user))
    found = [Example(int(user) + 1, wish(_items(loved, user)),
                     (Session("Before", r.random.label, _items(before, user)),
                      Session("After", best.label, _items(after, user)))) for user in users]
    return Examples(COUNTED.get(len(users), f"{len(users)} users were"), found)


def _items(table: pd.DataFrame, user: int) -> list[Item]:
    own = table[table.user == user].sort_values("place", kind="stable")
    return [Item(x.title, x.genres, float(x.probability), bool(x.liked)) for x in own.itertuples()]


def wish(loved: list[Item]) -> str:
    """What a user would like most, from what the bound shows: its first titles, and the genres it shows most often."""
    if not loved:
        return ""
    genres = [genre for item in loved for genre in item.genres.split(", ") if genre]
    often = sorted(dict.fromkeys(genres), key=lambda genre: -genres.count(genre))[:MOST_GENRES]
    return ("Would most of all like " + ", ".join(item.title for item in loved[:3])
            + (f" (often {', '.join(often)})" if often else "") + ".")
