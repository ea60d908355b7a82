"""Where vendors publish what they say about their hardware: `data/vendors.toml`, read once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. `url` has no slash at its end; `spacing` is in seconds between requests that it rations."""

    name: str
    vendor: str
    url: str
    spacing: float
    what: str


@lru_cache(maxsize=1)
def services() -> Mapping[str, Service]:
    """Every service by its name."""
    table = tomllib.loads(resources.files("warily.data").joinpath("vendors.toml").read_text("utf-8"))
    found = [Service(**entry) for entry in table["service"]]
    return {service.name: service for service in found}
