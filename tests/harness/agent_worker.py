"""An agent of the stock ``livekit-agents``: for each tone that it hears, it answers with one an octave higher.

Runs in an environment of its own (see ``tests.harness.agent_process``)::

    python -m tests.harness.agent_worker start

``AGENT_TYPE`` is the job type (``room``, ``publisher``, ``participant``), ``AGENT_NAME`` the name, if it has one.
``AGENT_LOAD`` names a file that holds the load that it reports. What happens is printed, one event a line.
"""

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import JobContext, JobExecutorType, WorkerOptions, WorkerType, cli
from livekit.protocol.agent import JobType

from tests.harness.media import SAMPLE_RATE_HZ, Ear, Tone

CHUNK = SAMPLE_RATE_HZ // 50
JOB_TYPES: dict[str, Any] = {
    "room": WorkerType.ROOM,
    "publisher": WorkerType.PUBLISHER,
    # The protocol has this type, livekit-agents no name for it.
    "participant": SimpleNamespace(value=JobType.JT_PARTICIPANT),
}


def tell(event: str, **about: Any) -> None:
    """Tell the test; jobs and the worker share the standard output."""
    os.write(1, (json.dumps({"event": event, **about}) + "\n").encode())


def load(*_: object) -> float:
    return float(Path(os.environ["AGENT_LOAD"]).read_text())


async def entrypoint(job: JobContext) -> None:
    """Join, listen to whom the job is for, and answer."""
    participant = job.job.participant.identity if job.job.HasField("participant") else ""
    tell("job", id=job.job.id, room=job.job.room.name, participant=participant, metadata=job.job.metadata)
    answering: list[asyncio.Task[None]] = []

    @job.room.on("track_subscribed")
    def heard(track: rtc.Track, _publication: object, publisher: rtc.RemoteParticipant) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and participant in ("", publisher.identity):
            answering.append(asyncio.create_task(answer(job.room, track)))

    async def ended(reason: str = "") -> None:
        tell("ended", id=job.job.id, reason=reason)

    job.add_shutdown_callback(ended)
    await job.connect()
    tell("joined", id=job.job.id, room=job.job.room.name, identity=job.room.local_participant.identity)


async def answer(room: rtc.Room, track: rtc.Track) -> None:
    """Publish an octave above the first clear tone of a track."""
    ear = Ear()
    async for event in rtc.AudioStream(track, sample_rate=SAMPLE_RATE_HZ, num_channels=1):
        ear.take(np.frombuffer(event.frame.data, np.int16).copy())
        if ear.frequency_hz > 0:
            break
    tell("heard", room=room.name, frequency_hz=ear.frequency_hz)
    source = rtc.AudioSource(SAMPLE_RATE_HZ, 1)
    await room.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("answer", source))
    tone = Tone(2 * ear.frequency_hz)
    while True:
        samples = tone.next(CHUNK).tobytes()
        await source.capture_frame(rtc.AudioFrame(samples, SAMPLE_RATE_HZ, 1, CHUNK))


if __name__ == "__main__":
    cli.run_app(
        WorkerOptions(
            entrypoint_fnc=entrypoint,
            worker_type=JOB_TYPES[os.environ["AGENT_TYPE"]],
            agent_name=os.environ.get("AGENT_NAME", ""),
            load_fnc=load,
            load_threshold=0.9,
            num_idle_processes=1,
            job_executor_type=JobExecutorType[os.environ.get("AGENT_EXECUTOR", "PROCESS")],
            host="127.0.0.1",
            port=0,
        )
    )
