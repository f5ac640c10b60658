"""A policy outside the simulator: ``load_policy("DIR").recommend(…)``; no Ray, and no torch but for networks.

Reading order: `decision` (what goes in and out), `policy`, `hashed` and `fixed` (the two kinds), `bundle` (on disk).
"""
from .bundle import load_policy
from .decision import Decision, Event, Item, Refused
from .hashed import fresh_policy
from .policy import Policy

__all__ = ["Decision", "Event", "Item", "Policy", "Refused", "fresh_policy", "load_policy"]
