"""The model of a call: rooms, participants, publications, subscriptions. Talks to media through ``sfu.control``."""
