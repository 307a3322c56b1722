"""What Prometheus would read off a server."""

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.listening import HOST
from tests.harness.raw_http import ask

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""
PATH = "/metrics"


def samples(text: str) -> Samples:
    """Every series of a text in Prometheus's format."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}


def value(found: Samples, name: str, **labels: str) -> float:
    """The value of the one series of this name that has these labels (and maybe others)."""
    (only,) = [
        one for (its, theirs), one in found.items() if its == name and labels.items() <= dict(theirs).items()
    ]
    return only


async def scraped(port: int) -> Samples:
    """What a server says now."""
    answer = await ask(port, PATH)
    assert answer.status == 200, answer.body
    return samples(answer.body)


def metrics_at(port: int) -> dict[str, object]:
    """Options of a server that can be scraped at a port."""
    return {"prometheus.port": port, "bind_addresses": [HOST]}
