"""Settings of the data plane."""

from dataclasses import dataclass

DEFAULT_STUN_SERVERS = ("stun.l.google.com:19302", "stun1.l.google.com:19302")
"""Asked for the public address where ``use_external_ip`` is on and no STUN server is named."""


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """Ports, addresses and limits of an engine. Sizes in bytes, durations in seconds."""

    udp_port: int = 7882
    """The one UDP port for the media of all clients. 0 takes any free one."""
    announced_udp_port: int = 0
    """UDP port that clients are told to send to, where a router maps another one to ours. 0 for the same."""
    tcp_port: int = 7881
    """The one port for media over TCP (ICE-TCP), for clients whose network blocks UDP. 0 turns it off."""
    bind_addresses: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104
    """Addresses that the media ports are opened on. With --dev those of the web server."""
    node_ip: str | None = None
    """Address that clients are told to send media to: IPv4, IPv6, or both with a comma between."""
    use_external_ip: bool = False
    """Ask a STUN server for the public address at start, for machines behind 1:1 NAT."""
    stun_servers: tuple[str, ...] = ()
    """STUN servers as host:port, also told to clients. Empty: use_external_ip asks public ones of Google."""
    interface_includes: tuple[str, ...] = ()
    """Network interfaces whose addresses are offered to clients. Empty for all."""
    interface_excludes: tuple[str, ...] = ()
    """Network interfaces whose addresses are not offered, such as docker0."""
    ip_includes: tuple[str, ...] = ()
    """Networks (CIDR) whose addresses are offered to clients. Empty for all."""
    ip_excludes: tuple[str, ...] = ()
    """Networks (CIDR) whose addresses are not offered."""
    enable_loopback_candidate: bool = False
    """Offer the loopback addresses too. In --dev they are offered wherever only they are bound."""
    ipv6: bool = True
    """Offer IPv6 addresses."""
    batch_size: int = 256
    """Most packets taken from the socket in one go."""
    coalesce_s: float = 0.001
    """Between looks at the sockets while thousands of packets a second come: who reads many at once needs less of the
    processor for each. 0 reads all at once, always."""
    socket_buffer_bytes: int = 8 * 1024 * 1024
    """Socket buffers asked of the system; it may grant less (see net.core.rmem_max)."""
    use_gso: bool = True
    """Hand runs of equal packets to the kernel as one (UDP GSO), where it can."""
    use_sendmmsg: bool = True
    """Send many packets by one system call, where the system can."""
    shed_video: bool = True
    """Leave out video, whole layers of it, when the engine can't keep up, so that audio goes on."""
    max_transports: int = 10_000
    """Most peer connections at a time."""
    max_tracks_per_transport: int = 64
    """Most tracks that one peer connection may publish."""
    max_subscriptions_per_transport: int = 512
    """Most tracks that one peer connection may be subscribed to."""
    dtls_timeout_s: float = 30.0
    """How long a DTLS handshake may take."""
    ice_disconnect_s: float = 10.0
    """Silence after which a peer connection counts as disconnected (LiveKit's)."""
    ice_failed_s: float = 5.0
    """Silence beyond that after which it has failed (LiveKit's)."""
    max_message_bytes: int = 65_536
    """Longest data channel message taken from a client."""
    reliable_buffer_bytes: int = 1024 * 1024
    """Reliable data waiting for one receiver; one that falls further behind has to connect again."""
    lossy_buffer_bytes: int = 64 * 1024
    """Lossy data waiting for one receiver; what comes on top is dropped."""
    history_packets: int = 512
    """Packets kept per published layer for retransmission."""
    history_bytes: int = 64 * 1024 * 1024
    """Memory for the newest video of all publishers together, kept for retransmission; at least 1 MiB."""
    audio_active_level: int = 35
    """Loudness that counts as speaking, in dB below full scale: 0 is loudest, 127 silence (LiveKit's)."""
    audio_min_percentile: int = 40
    """Share of an interval, in percent, that must be that loud (LiveKit's)."""
    audio_update_interval_ms: int = 400
    """How often speakers are measured and told, in milliseconds (LiveKit's)."""
    audio_smooth_intervals: int = 2
    """Intervals that a level is smoothed over (LiveKit's)."""

    def node_ips(self) -> tuple[str, ...]:
        """The addresses in :attr:`node_ip`, none, one or two."""
        return tuple(part.strip() for part in (self.node_ip or "").split(",") if part.strip())
