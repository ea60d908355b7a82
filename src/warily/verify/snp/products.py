"""AMD's products as data: `data/snp_products.toml`, and the authorities pinned in `verify/roots`."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from warily.core.vendors import services
from warily.formats import pem
from warily.formats.snp_report import SnpReport, Tcb, TcbLayout
from warily.formats.x509 import Certificate
from warily.verify import x509

KEY_SERVICE: Final = "kds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product line. `kds` is its name in AMD's key service; `authorities` are pinned, ARK among them."""

    kds: str
    names: tuple[str, ...]
    tcb: TcbLayout
    chip_id: int
    models: tuple[tuple[int, int, int], ...]
    authorities: tuple[Certificate, ...]

    @property
    def root(self) -> Certificate:
        """The pinned ARK."""
        return next(certificate for certificate in self.authorities if is_root(certificate))

    def vcek_address(self, report: SnpReport) -> str:
        """Where AMD's key service serves the VCEK of this report."""
        return services()[KEY_SERVICE].url + self.vcek_path(report)

    def vcek_path(self, report: SnpReport) -> str:
        """The path and query of the VCEK of this report below the service's address (AMD 57230, section 4.1)."""
        tcb = Tcb.decode(report.reported_tcb, self.tcb)
        names = {"fmc": "fmcSPL", "bootloader": "blSPL", "tee": "teeSPL", "snp": "snpSPL", "microcode": "ucodeSPL"}
        query = "&".join(f"{names[part]}={level:02d}" for part, level in tcb.components().items())
        return f"/vcek/v1/{self.kds}/{report.chip_id[: self.chip_id].hex()}?{query}"


def is_root(certificate: Certificate) -> bool:
    """Whether the certificate names itself as its issuer."""
    return certificate.issuer == certificate.subject


@lru_cache(maxsize=1)
def products() -> tuple[Product, ...]:
    """Every product this version knows."""
    table = tomllib.loads(resources.files("warily.data").joinpath("snp_products.toml").read_text("utf-8"))
    return tuple(
        Product(
            kds=entry["kds"],
            names=tuple(entry["names"]),
            tcb=TcbLayout(entry["tcb"]),
            chip_id=entry["chip_id"],
            models=tuple((family, first, last) for family, first, last in entry["models"]),
            authorities=_authorities(entry["roots"]),
        )
        for entry in table["product"]
    )


def _authorities(name: str) -> tuple[Certificate, ...]:
    text = resources.files("warily.verify").joinpath("roots", name).read_bytes()
    return tuple(x509.decoded(block.der) for block in pem.decode_blocks(text))


def by_cpuid(report: SnpReport) -> Product | None:
    """The product whose family and model the report names, None where it names none that is known."""
    return _by_model(report.cpuid_family, report.cpuid_model) if report.has_cpuid else None


@lru_cache(maxsize=256)
def _by_model(family: int, model: int) -> Product | None:
    ranges = ((product, *named) for product in products() for named in product.models)
    return next((product for product, of, first, last in ranges if of == family and first <= model <= last), None)


@lru_cache(maxsize=256)
def by_name(name: str) -> Product | None:
    """The product that a product name extension such as `Milan-B0` means."""
    stem = name.partition("-")[0]
    return next((product for product in products() if stem in product.names), None)


def by_root(root: Certificate) -> Product | None:
    """The product whose pinned ARK has the very key of `root`."""
    return _pinned_keys().get(root.public_key)


@lru_cache(maxsize=1)
def _pinned_keys() -> dict[bytes, Product]:
    return {product.root.public_key: product for product in products()}


@lru_cache(maxsize=1)
def pinned() -> tuple[Certificate, ...]:
    """Every pinned authority of every product."""
    return tuple(certificate for product in products() for certificate in product.authorities)
