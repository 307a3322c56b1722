"""The model of a call: rooms, participants, publications, subscriptions. Media is behind ``sfu.control``."""
