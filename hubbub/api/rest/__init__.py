"""REST: the rooms over plain JSON, for people without an SDK, described by an OpenAPI document that is served with it.

``endpoint.py`` says what an endpoint is and serves it, the files named by resource have the handlers, ``models.py`` the
bodies, ``openapi.py`` the document.
"""
