"""Configurations good and bad, from files, variables and flags."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from auth.keys import KeyRing
from hubbub.config import DEV_KEY, DEV_SECRET, Config, load, load_keys
from hubbub.errors import ConfigError
from rooms.limits import Limits
from rooms.roles import Role

SECRET = "0123456789abcdef0123456789abcdef"
KEYS = f"keys:\n  api: {SECRET}\n"


def problems(
    text: str = "", env: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, env=env, flags=flags)
    return list(caught.value.problems)


def test_keys_alone_are_enough() -> None:
    config, warnings = load(KEYS)
    assert config == Config(keys=KeyRing({"api": SECRET}))
    assert warnings == ()


def test_a_file_as_for_livekit() -> None:
    text = """
port: 80
bind_addresses: [""]
region: eu
log_level: debug
redis: {address: "redis:6379"}
rtc:
  port_range_start: 50000
  port_range_end: 60000
  udp_port: 7890-7900
  tcp_port: 0
  use_external_ip: true
  node_ip: "203.0.113.5, 2001:db8::5"
  stun_servers: [stun.example.org:3478]
  interfaces: {includes: [eth0], excludes:}
  ips:
    excludes: [10.0.0.1/8]
  pli_throttle: {low_quality: 500ms}
  turn_servers:
    - {host: turn.example.org, secret: hush}
room:
  auto_create: false
  empty_timeout: 10
  max_metadata_size: 100
  enabled_codecs: [{mime: audio/opus}]
limit:
  max_attributes_size: 0
  num_tracks: -1
audio: {active_level: 30}
logging: {json: true, pion_level: error}
turn:
"""
    config, warnings = load(text + KEYS)
    assert (config.port, config.bind_addresses) == (80, ())
    assert (config.media.udp_port, config.media.tcp_port) == (7890, 0)
    assert config.media.use_external_ip
    assert config.media.node_ips() == ("203.0.113.5", "2001:db8::5")
    assert config.media.stun_servers == ("stun.example.org:3478",)
    assert (config.media.interface_includes, config.media.interface_excludes) == (("eth0",), ())
    assert config.media.ip_excludes == ("10.0.0.0/8",)
    assert config.media.audio_active_level == 30
    assert (config.rooms.auto_create, config.rooms.empty_timeout_s) == (False, 10.0)
    assert config.rooms.max_metadata_bytes == 100
    assert config.rooms.max_attributes_bytes == 2**31
    assert config.signaling.region == "eu"
    assert (config.logging.level, config.logging.json) == ("debug", True)
    assert len(warnings) == 2
    for name in (
        "redis",
        "turn",
        "rtc.port_range_start",
        "rtc.pli_throttle",
        "room.enabled_codecs",
        "limit.num_tracks",
    ):
        assert f" {name}" in warnings[0]
    assert "hush" not in warnings[0]
    assert "7890-7900" in warnings[1]


def test_all_problems_are_told_at_once_with_their_paths() -> None:
    text = """
port: true
rtc: {udp_port: x, udp_prot: 1, ips: {includes: [10.0.0.0/8, a/b]}, batch_size: 0, ice_failed_s: .nan}
room: 5
rooom: {}
signal: {tcp_port: 1}
logging: {level: loud}
keys: {api: 12345678901234567890123456789012}
"""
    assert problems(text, env={"HUBBUB_ROOM_EMPTY_TIMEOUT": "5x", "NODE_IP": "1.2.3.4,5.6.7.8"}) == [
        "rtc.udp_prot: there is no such option; did you mean rtc.udp_port?",
        "room: is a section, so its options belong in lines of their own below it",
        "rooom: there is no such option; did you mean room?",
        "signal.tcp_port: there is no such option; did you mean rtc.tcp_port?",
        "port: should be a valid integer, not True",
        "logging.level: should be 'debug', 'info', 'warn' or 'error', not 'loud'",
        "rtc.udp_port: should be a valid integer, not 'x'",
        "rtc.node_ip (from NODE_IP): should be one IPv4 address, one IPv6 address, or one of each with a "
        "comma between, not '1.2.3.4,5.6.7.8'",
        "rtc.ips.includes, item 2: 'a/b' does not appear to be an IPv4 or IPv6 network",
        "rtc.batch_size: should be greater than or equal to 1, not 0",
        "rtc.ice_failed_s: should be a finite number, not nan",
        "room.empty_timeout (from HUBBUB_ROOM_EMPTY_TIMEOUT): should be a number of seconds, or a text such "
        "as 500ms, 30s, 5m or 6h, not '5x'",
        "keys.api: the secret should be a text that is not empty; put digits in quotes",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("port: 1\nport: 2", "line 2, column 1: port is there twice"),
        ("rtc:\n  - x\n bad", "line 3"),
        ("keys: {a: b", "line 1, column 12"),
        ("- 1", "the configuration must be YAML"),
        ("just words", "the configuration must be YAML"),
        ("\x00", "this is not YAML"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
    ],
)
def test_what_is_not_yaml_is_told_by_line_without_its_content(text: str, problem: str) -> None:
    assert problem in problems(text)[0]


@pytest.mark.parametrize("port", ["-1", "65536", "80.5", "'80'", "[]", "{}"])
def test_port_bounds(port: str) -> None:
    assert problems(f"port: {port}\n{KEYS}")[0].startswith("port: should be")


@pytest.mark.parametrize(
    ("value", "duration"),
    [("30", 30), ("1.5", 1.5), ("500ms", 0.5), ("1h30m", 5400), ("2d", 172800), ("0", 0)],
)
def test_durations(value: str, duration: float) -> None:
    assert load(f"room: {{empty_timeout: {value}}}\n{KEYS}")[0].rooms.empty_timeout_s == duration


# --- where values come from ---


def test_flags_beat_variables_and_variables_the_file() -> None:
    text = "port: 1\nregion: file\nrtc: {udp_port: 1, tcp_port: 1}\n" + KEYS
    env = {
        "LIVEKIT_RTC_UDP_PORT": "2",
        "LIVEKIT_RTC_TCP_PORT": "2",
        "HUBBUB_RTC_TCP_PORT": "3",
        "UDP_PORT": "9",
    }
    config, _ = load(text, env=env | {"LIVEKIT_REGION": "env"}, flags={"region": "flag"})
    assert config.port == 1
    assert (config.media.udp_port, config.media.tcp_port) == (2, 3)
    assert config.signaling.region == "flag"


def test_variables_of_every_type() -> None:
    env = {
        "HUBBUB_BIND_ADDRESSES": "10.0.0.1, ::1",
        "HUBBUB_ROOM_AUTO_CREATE": "0",
        "HUBBUB_ROOM_EMPTY_TIMEOUT": "1m",
        "HUBBUB_LOGGING_JSON": "yes",
        "HUBBUB_RTC_IPS_INCLUDES": "[10.0.0.0/8]",
        "HUBBUB_KEYS": f"api: {SECRET}",
        "NODE_IP": "10.0.0.1",
        "HUBBUB_REGION": "",
    }
    config, _ = load(env=env)
    assert config.bind_addresses == ("10.0.0.1", "::1")
    assert (config.rooms.auto_create, config.rooms.empty_timeout_s) == (False, 60)
    assert config.logging.json
    assert config.media.ip_includes == ("10.0.0.0/8",)
    assert config.media.node_ip == "10.0.0.1"
    assert config.keys == KeyRing({"api": SECRET})


def test_bad_variables_are_named() -> None:
    assert problems(KEYS, env={"HUBBUB_RTC_IPV6": "perhaps", "LIVEKIT_PORT": "http"}) == [
        "port (from LIVEKIT_PORT): should be a valid integer, not 'http'",
        "rtc.ipv6 (from HUBBUB_RTC_IPV6): should be a valid boolean, not 'perhaps'",
    ]


def test_variables_that_kubernetes_sets_for_a_service_of_this_name_are_no_port() -> None:
    assert (
        load(KEYS, env={"HUBBUB_PORT": "tcp://10.0.0.7:7880", "HUBBUB_SERVICE_HOST": "10.0.0.7"})[0].port
        == 7880
    )


# --- keys ---


def test_no_keys() -> None:
    assert problems() == [
        "keys: there are none; make a pair with `hubbub keys generate`, or try things out with --dev"
    ]


def test_guessable_secrets_are_refused_but_for_development() -> None:
    text = f"keys: {{{DEV_KEY}: {DEV_SECRET}, mine: sesame}}"
    assert problems(text) == [
        "keys.devkey: is the pair that everybody knows, for --dev only",
        "keys.mine: the secret has 6 characters and needs 32; make a pair with `hubbub keys generate`",
    ]
    assert "sesame" not in "".join(problems(text))
    assert len(load(text, flags={"development": True})[0].keys) == 2


def test_keys_of_a_stronger_source_replace_the_others(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"filed: {SECRET}\n")
    file.chmod(0o600)
    assert load(KEYS + f"key_file: {file}\n")[0].keys == KeyRing({"filed": SECRET})
    assert load(f"key_file: {file}\n", env={"LIVEKIT_KEYS": f"env: {SECRET}"})[0].keys == KeyRing(
        {"env": SECRET}
    )
    assert load(KEYS, env={"FILE": "x"}, flags={"key_file": str(file)})[0].keys == KeyRing({"filed": SECRET})


def test_key_files_that_will_not_do(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    assert "can't be read: No such file" in problems(f"key_file: {file}")[0]
    file.write_text("api: hush\nhush hush")
    file.chmod(0o644)
    assert "can be read by everybody" in problems(f"key_file: {file}")[0]
    file.chmod(0o600)
    assert problems(f"key_file: {file}") == ["key_file: line 2: expected `key: secret`"]
    file.write_bytes(b"\xff\xfe")
    assert "is not a text file" in problems(f"key_file: {file}")[0]


@pytest.mark.parametrize("keys", ["5", "[a]", "{a: }", "{a: [b]}"])
def test_keys_of_the_wrong_shape(keys: str) -> None:
    assert problems(f"keys: {keys}")[0].startswith("keys")


def test_no_secret_in_the_repr() -> None:
    text = f"prometheus: {{username: u, password: {SECRET}}}\ntoken_endpoint: {{authorization: {SECRET}}}\n"
    config = load(KEYS + text)[0]
    assert config.metrics.password == config.token_endpoint.authorization == SECRET
    assert SECRET not in repr(config)


def test_keys_alone_may_be_short_for_who_signs_tokens() -> None:
    assert load_keys("keys: {a: b}\nrtc: {udp_port: 99999}") == KeyRing({"a": "b"})
    assert load_keys() == KeyRing({})
    with pytest.raises(ConfigError):
        load_keys("keys: {a: 5}")


# --- development ---


def test_development_is_for_this_machine_only() -> None:
    config, warnings = load("development: true")
    assert config.keys.first() == (DEV_KEY, DEV_SECRET)
    assert config.bind_addresses == config.media.bind_addresses == ("127.0.0.1", "::1")
    assert warnings == ()


def test_development_for_others_only_when_told_and_with_a_warning() -> None:
    config, warnings = load(flags={"development": True, "bind_addresses": ["0.0.0.0"]})
    assert config.bind_addresses == config.media.bind_addresses == ("0.0.0.0",)
    assert "has all rights" in warnings[0]
    closed, warnings = load(KEYS, flags={"development": True, "bind_addresses": ["0.0.0.0"]})
    assert closed.keys == KeyRing({"api": SECRET})
    assert warnings == ()


# --- settings that clash ---


def test_conflicts() -> None:
    assert problems(KEYS + "port: 7881\nsignal: {ping_interval_s: 15}") == [
        "rtc.tcp_port: 7881 is the port of the web server already",
        "signal.ping_timeout_s: should be longer than signal.ping_interval_s",
    ]
    assert load(KEYS + "port: 0\nrtc: {tcp_port: 0}")[0].port == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prometheus: {port: 7880}", "prometheus.port: 7880 is the port of the web server already"),
        ("prometheus: {port: 7881}", "prometheus.port: 7881 is the port of rtc.tcp_port already"),
        (
            "prometheus: {port: 1, password: sesame}",
            "prometheus: username and password go together; set both, or none for no check",
        ),
    ],
)
def test_metrics_that_nobody_could_read(text: str, problem: str) -> None:
    assert problems(KEYS + text) == [problem]


def test_metrics_for_everybody_only_with_a_warning() -> None:
    config, warnings = load(KEYS + "prometheus_port: 6789")
    assert config.metrics.port == 6789
    assert warnings == ("whoever can reach port 6789 can read the metrics: no prometheus.username is set",)
    for text in ("prometheus: {port: 6789, username: u, password: p}", 'bind_addresses: ["127.0.0.1"]'):
        assert load(KEYS + text, flags={"prometheus.port": 6789})[1] == ()


def test_limits_of_single_keys() -> None:
    text = """
    limit:
      key_rooms: 5
      room_bytes_per_s: 1500000
      keys: [{key: devkey, key_rooms: 0, participant_messages_per_s: 50}]
    """
    config, _ = load(text, flags={"development": True})
    assert config.rooms.limits == Limits(key_rooms=5, room_bytes_per_s=1.5e6)
    own = Limits(room_bytes_per_s=1.5e6, participant_messages_per_s=50)
    assert config.rooms.limits_of("devkey") == own


@pytest.mark.parametrize(
    "item", [{}, {"key": "k", "rooms": 1}, {"key": "k", "key_rooms": -1}, {"key": ""}, 7]
)
def test_limits_of_keys_that_make_no_sense(item: object) -> None:
    with pytest.raises(ConfigError, match=r"limit\.keys, item 1"):
        load(f"limit: {{keys: [{json.dumps(item)}]}}", flags={"development": True})


def test_each_limit_can_be_set_for_a_key() -> None:
    values = {item.name: 3 for item in fields(Limits)}
    text = json.dumps({"limit": {"keys": [{"key": "k", **values}]}})
    config, _ = load(text, flags={"development": True})
    assert config.rooms.limits_of("k") == Limits(**values)


def test_old_places_of_limits_are_read() -> None:
    config, _ = load("room: {max_rooms: 7, max_tracks: 3}", flags={"development": True})
    assert (config.rooms.max_rooms, config.rooms.max_tracks) == (7, 3)


def test_room_configurations_are_written_as_in_livekits_files() -> None:
    stage = "{max_participants: 9, agents: [{agent_name: a}]}"
    config, _ = load(f"development: true\nroom: {{room_configurations: {{stage: {stage}}}}}")
    (preset,) = config.rooms.presets
    assert (preset.name, preset.configuration.max_participants) == ("stage", 9)
    assert preset.configuration.agents[0].agent_name == "a"
    with pytest.raises(ConfigError, match=r'room.room_configurations: .*no field named "nope"'):
        load("development: true\nroom: {room_configurations: {a: {nope: 1}}}")


def test_roles_are_sets_of_grants() -> None:
    config, _ = load(
        "development: true\nroles:\n  singer: {can_publish_sources: [microphone]}\n"
        "  host: {room_admin: true, can_publish: false}\n"
    )
    assert config.rooms.roles == (
        Role("singer", can_publish_sources=("microphone",)),
        Role("host", room_admin=True, can_publish=False),
    )
    variable, _ = load("development: true", env={"HUBBUB_ROLES": "{quiet: {can_publish: false}}"})
    assert variable.rooms.roles == (Role("quiet", can_publish=False),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("singer: {can_sing: true}", "roles, singer, can_sing: Extra inputs are not permitted"),
        ("singer: {can_publish: 'yes'}", "roles, singer, can_publish: should be a valid boolean"),
        ("singer: {can_publish_sources: [stage]}", "roles, singer, can_publish_sources, item 1: should be"),
        ("'my singer': {}", "roles, my singer"),
        ("singer: true", "roles, singer: "),
    ],
)
def test_roles_with_problems(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"development: true\nroles:\n  {text}\n")
    assert problem in str(caught.value)
