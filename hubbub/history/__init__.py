"""What was: rooms that have ended, who was in them and what was published, kept for a while.

``recorder.py`` hears rooms and writes, ``service.py`` answers, ``store.py`` has the tables and statements.
"""
