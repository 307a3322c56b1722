"""Settings of agent workers and their jobs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentsConfig:
    """Limits and timers; those that LiveKit has too have its defaults. Durations in seconds."""

    register_timeout_s: float = 10.0
    """How long a worker may take to register after it has connected."""
    availability_timeout_s: float = 10.0
    """How long a worker may take to answer whether it takes a job, before the next one is asked."""
    job_wait_s: float = 60.0
    """How long a job waits for a worker when none can take it. 0 gives up at once, as LiveKit does."""
    join_timeout_s: float = 60.0
    """How long a worker that took a job may be silent about it before its agent is in the room."""
    agent_return_s: float = 10.0
    """How long an agent that vanished from its room may take to come back."""
    worker_return_s: float = 10.0
    """How long a worker whose connection is lost may take to come back to its jobs."""
    participant_return_s: float = 5.0
    """How long the agents of a participant that left stay; whoever comes back in this time finds them."""
    leave_grace_s: float = 3.0
    """How long an agent whose job was ended may take to leave, before it is put out of the room."""
    max_job_restarts: int = 3
    """How often a job that failed begins anew, unless its dispatch says never. 0 for never, as in LiveKit."""
    restart_delay_s: float = 1.0
    """How long a failed job waits for its first restart; each further one waits twice as long."""
    max_workers: int = 1000
    """Most workers that may be connected."""
    max_offers: int = 50
    """Jobs that a worker may be asked about at a time."""
    max_jobs: int = 1000
    """Jobs that a worker may have at a time."""
    max_unanswered: int = 3
    """Jobs in a row that a worker may leave unanswered before it is closed."""
    max_simulated_jobs: int = 10
    """Jobs that a worker may simulate at a time. 0 allows none."""
    max_dispatches: int = 64
    """Most dispatches of a room."""
    max_kept_jobs: int = 100
    """Ended jobs that a dispatch still lists."""
    max_message_bytes: int = 2 * 1024 * 1024
    """Longest message of a worker."""
    max_messages_per_s: float = 100.0
    """Messages that a worker may send over time; ten seconds' worth may come at once."""
    max_stray_answers: int = 100
    """Messages of a worker about jobs that never were its own before it is closed."""
    send_queue_messages: int = 2000
    """Messages waiting for one worker; one that falls further behind is disconnected."""
    send_queue_bytes: int = 32 * 1024 * 1024
    """Bytes waiting for one worker."""
    enable_user_data_recording: bool = False
    """Let agents record what users say and send: jobs are marked so."""
    enable_user_data_redaction: bool = False
    """Have agents black out personal data in what they record: jobs are marked so."""
