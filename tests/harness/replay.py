"""Plays the clients' side of a recorded exchange against the model of a call.

A recording has the signalling of two clients in order of time; SDP is reduced to the client ids of what the client
sends (see the README beside the recordings). Sids in the recording are replaced by those that are dealt out now.
"""

import json
import re
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from rooms.join import JoinRequest
from tests.harness.media_plane import publishing
from tests.harness.rooms import House, RecordingSink

_SID = re.compile(r"\b(?:PA|TR|DTR|RM)_\w+")


class Replay:
    """Both sides of one recording: ``recorded`` and ``answered``, by client and connection."""

    def __init__(self, path: Path) -> None:
        self.house = House()
        self.recorded: dict[tuple[str, int], list[rtc.SignalResponse]] = {}
        self.answered: dict[tuple[str, int], RecordingSink] = {}
        self._sids: dict[str, str] = {}
        """From recorded to dealt out."""
        self._sessions: dict[str, Any] = {}
        self._current: dict[str, int] = {}
        self._rows = [json.loads(line) for line in path.read_text().splitlines()]

    def run(self) -> "Replay":
        """Play it all, in its own time."""
        started = self.house.clock.seconds
        for row in self._rows:
            at = started + row["t"] / 1000
            self.house.advance(max(at - self.house.clock.seconds, 0.0))
            key = (row["client"], row["conn"])
            match row:
                case {"ev": "connect"}:
                    self._connect(key, row)
                case {"ev": "close"}:
                    self._close(key)
                case {"dir": "c2s"}:
                    self._request(key, row["kind"], row["msg"])
                case {"dir": "s2c"}:
                    self._expect(key, row["kind"], row["msg"])
            self.house.pump()
        return self

    def kinds(self, key: tuple[str, int], among: set[str]) -> tuple[list[str], list[str]]:
        """Kinds of messages recorded and answered now, in order."""
        recorded = [message.WhichOneof("message") for message in self.recorded[key]]
        answered = self.answered[key].kinds()
        return [k for k in recorded if k in among], [k for k in answered if k in among]

    def _connect(self, key: tuple[str, int], row: dict[str, Any]) -> None:
        client, _ = key
        request = self._join_request(client, row)
        sink = self.answered[key] = RecordingSink()
        self.recorded[key] = []
        self._current[client] = key[1]
        if request.reconnect:
            self.house.service.resume(request, sink)
        else:
            self._sessions[client] = self.house.service.join(request, sink)
        self.house.pump()
        if request.single_pc and not request.reconnect:
            self.house.media.connect(self._sessions[client].legs.publishing)

    def _join_request(self, client: str, row: dict[str, Any]) -> JoinRequest:
        grant = VideoGrant(room_join=True, room="room", can_update_own_metadata=True)
        claims = Claims(issuer="devkey", identity=client, name=client.upper(), video=grant)
        if "query" in row:
            query = row["query"]
            info = models.ClientInfo(protocol=int(query.get("protocol", 0)))
            return JoinRequest(claims, info, single_pc=False, reconnect=query.get("reconnect") == "1")
        wanted = row["join_request"]
        offer = wanted.get("publisher_offer")
        return JoinRequest(
            claims,
            json_format.ParseDict(wanted["client_info"], models.ClientInfo()),
            auto_subscribe=wanted.get("connection_settings", {}).get("auto_subscribe", False),
            publisher_offer=offer
            and rtc.SessionDescription(type="offer", id=offer.get("id", 0), sdp=publishing(*offer["cids"])),
            reconnect=wanted.get("reconnect", False),
            participant_sid=self._sids.get(wanted.get("participant_sid", ""), ""),
        )

    def _close(self, key: tuple[str, int]) -> None:
        self._sessions[key[0]].signal_lost(self.answered[key])

    def _request(self, key: tuple[str, int], kind: str, message: Any) -> None:
        session = self._sessions[key[0]]
        if kind == "offer":
            cids = message.pop("cids", [])
            message = {**message, "sdp": publishing(*cids)}
        elif kind == "answer":
            # Answers belong to the ids of the offers that are made now.
            message = {"type": "answer", "sdp": publishing()}
        if kind == "leave" and key[1] != self._current[key[0]]:
            return
        text = _SID.sub(lambda sid: self._sids.get(sid[0], sid[0]), json.dumps({kind: message}))
        session.handle(json_format.Parse(text, rtc.SignalRequest()))
        self.house.pump()
        self._connect_media(session, kind)

    def _connect_media(self, session: Any, kind: str) -> None:
        """The recording doesn't show ICE: transports come up with their first complete negotiation."""
        if session.ended or session.legs.single:
            return
        leg = session.legs.subscribing if kind == "answer" else session.legs.publishing
        if kind in ("offer", "answer") and not self.house.media.transports[leg].connected:
            self.house.media.connect(leg)

    def _expect(self, key: tuple[str, int], kind: str, message: Any) -> None:
        text = json.dumps({kind: message})
        response = json_format.Parse(text, rtc.SignalResponse(), ignore_unknown_fields=True)
        self.recorded.setdefault(key, []).append(response)
        if kind == "join":
            self._learn(message["participant"]["sid"], self.answered[key].of("join")[0].participant.sid)
        elif kind == "track_published":
            index = sum(m.WhichOneof("message") == kind for m in self.recorded[key]) - 1
            published = self.answered[key].of("track_published")
            if index < len(published):
                self._learn(message["track"]["sid"], published[index].track.sid)
        elif kind == "publish_data_track_response":
            self._learn(message["info"]["sid"], self.answered[key].of(kind)[-1].info.sid)

    def _learn(self, recorded: str, dealt: str) -> None:
        self._sids[recorded] = dealt
