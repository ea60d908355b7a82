"""What is known of vendors beforehand, as data: where they publish (`data/vendors.toml`), what their modules are."""

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


@lru_cache(maxsize=1)
def module_versions() -> Mapping[str, str]:
    """The version of each released TDX module, by its MRSEAM in hexadecimal (`data/tdx_modules.toml`)."""
    table = tomllib.loads(resources.files("warily.data").joinpath("tdx_modules.toml").read_text("utf-8"))
    return {entry["mrseam"]: entry["version"] for entry in table["module"]}
