"""Agents: programs that work in rooms. Workers offer themselves, rooms need them, jobs bring the two together."""
