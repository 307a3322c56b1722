"""Webhooks: what happens in rooms, told to other servers by HTTP.

An event is written to the database before it is sent, and stays there until its receiver has confirmed it, or
nobody believes any more that it will. So nothing is lost when a receiver is down or this server is killed::

    events.py    what happened, as LiveKit's webhook events
    service.py   takes events in and starts everything; list and replay for the API
    queue.py     the queue's tables and every statement on them
    worker.py    one for each target: which rooms have something to send, in order within each
    sender.py    one POST and what came of it
"""
