"""TCB levels and statuses: what Intel's reference makes of platform, module and quoting enclave."""

from dataclasses import replace
from typing import Any

import pytest

from tests.forge_tdx import (
    CHAIN,
    NOW,
    PCK_PLAN,
    QE,
    TD,
    TD15,
    Forged,
    level,
    module_level,
    qe_identity,
    sgx_extensions,
    statement,
    tcb_info,
)
from warily.formats.intel_collateral import TcbInfo
from warily.verify.tdx.case import pick
from warily.verify.tdx.tcb import TcbStatus, Verdict, in_order

UP, SW, CONF, CONF_SW = "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"
OLD, OLD_CONF, REVOKED = "OutOfDate", "OutOfDateConfigurationNeeded", "Revoked"
RELAUNCH, RELAUNCH_CONF = "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded"


def verdict(case: Forged) -> Verdict:
    return pick(case.evidence, case.collateral, rehearsal_roots=frozenset(), at=NOW).verdict


def standing(
    levels: list[dict[str, Any]],
    *,
    module: list[dict[str, Any]] | None = None,
    qe: str = UP,
    svn: tuple[int, int, int] = (5, 1, 3),
    svn2: tuple[int, int, int] = (6, 1, 3),
    one_zero: bool = False,
) -> Verdict:
    base = replace(TD, tee_tcb_svn=bytes(svn) + bytes(13))
    identity = tcb_info()["tdxModuleIdentities"][0] | {"tcbLevels": module or [module_level(UP, 1)]}
    case = Forged(
        body=base if one_zero else replace(TD15, base=base, tee_tcb_svn2=bytes(svn2) + bytes(13)),
        tcb_infos=(statement(tcb_info(tcbLevels=levels, tdxModuleIdentities=[identity])),),
        qe_identities=(statement(qe_identity(tcbLevels=[module_level(qe, 4)])),),
    )
    return verdict(case)


# Platform's status, module's, quoting enclave's; what comes out where relaunching would not help.
CONVERGED = [
    (UP, UP, UP, UP),
    (SW, UP, UP, SW),
    (CONF, UP, UP, CONF),
    (CONF_SW, UP, UP, CONF_SW),
    (OLD, UP, UP, OLD),
    (OLD_CONF, UP, UP, OLD_CONF),
    (REVOKED, UP, UP, REVOKED),
    (UP, OLD, UP, OLD),
    (SW, OLD, UP, OLD),
    (CONF, OLD, UP, OLD_CONF),
    (CONF_SW, OLD, UP, OLD_CONF),
    (OLD, OLD, UP, OLD),
    (OLD_CONF, OLD, UP, OLD_CONF),
    (UP, UP, OLD, OLD),
    (SW, UP, OLD, OLD),
    (CONF, UP, OLD, OLD_CONF),
    (CONF_SW, UP, OLD, OLD_CONF),
    (OLD_CONF, UP, OLD, OLD_CONF),
    (UP, UP, CONF, OLD),  # whatever is wrong with a quoting enclave, it is old
    (UP, REVOKED, UP, REVOKED),
    (CONF, REVOKED, OLD, REVOKED),
    (UP, UP, REVOKED, REVOKED),
    (OLD, OLD, REVOKED, REVOKED),
    (REVOKED, OLD, OLD, REVOKED),
]


@pytest.mark.parametrize(("platform", "module", "qe", "whole"), CONVERGED)
def test_statuses_converge_as_in_the_reference(platform: str, module: str, qe: str, whole: str) -> None:
    levels = [level(platform, sgx=5, tdx=(0, 0, 3))]
    found = standing(levels, module=[module_level(UP, 9), module_level(module, 5)], qe=qe, svn2=(5, 1, 3))
    assert found.status == whole
    assert dict(found.parts) == {"platform": platform, "module": module, "quoting enclave": qe}


# The module that launched the TD is old; the one that runs now has SVN 9, the newest.
RELAUNCHED = [
    (UP, UP, (9, 1, 3), RELAUNCH),
    (SW, UP, (9, 1, 3), RELAUNCH),
    (CONF, UP, (9, 1, 3), RELAUNCH_CONF),
    (CONF_SW, UP, (9, 1, 3), RELAUNCH_CONF),
    (OLD, UP, (9, 1, 3), OLD),  # the platform itself is old: relaunching does not help
    (UP, OLD, (9, 1, 3), OLD),  # neither does it with an old quoting enclave
    (UP, UP, (8, 1, 3), OLD),  # the module that runs now is old too
    (UP, UP, (9, 1, 2), OLD),  # its microcode is
    (UP, UP, (10, 1, 4), RELAUNCH),
]


@pytest.mark.parametrize(("platform", "qe", "svn2", "whole"), RELAUNCHED)
def test_relaunch_is_advised_as_in_the_reference(
    platform: str, qe: str, svn2: tuple[int, int, int], whole: str
) -> None:
    levels = [level(platform, sgx=5, tdx=(0, 0, 3))]
    modules = [module_level(UP, 9), module_level(OLD, 5)]
    assert standing(levels, module=modules, qe=qe, svn2=svn2).status == whole


def test_relaunch_is_for_version_1_5_alone_and_for_old_modules_alone() -> None:
    levels = [level(UP, sgx=5, tdx=(0, 0, 3))]
    modules = [module_level(UP, 9), module_level(OLD, 5)]
    assert standing(levels, module=modules, svn2=(9, 1, 3), one_zero=True).status == OLD
    below = [level(UP, sgx=5, tdx=(0, 0, 4)), level(OLD, sgx=5, tdx=(0, 0, 3))]
    assert standing(below, svn2=(9, 1, 4)).status == OLD


def test_a_running_module_of_the_first_generation_is_compared_with_the_level_itself() -> None:
    levels = [level(UP, sgx=5, tdx=(7, 0, 3))]
    modules = [module_level(UP, 9), module_level(OLD, 5)]
    assert standing(levels, module=modules, svn2=(7, 0, 3)).status == RELAUNCH
    assert standing(levels, module=modules, svn2=(6, 0, 3)).status == OLD


def test_a_running_module_without_identity_leaves_no_level() -> None:
    levels = [level(UP, sgx=5, tdx=(0, 0, 3))]
    found = standing(levels, module=[module_level(UP, 9), module_level(OLD, 5)], svn2=(9, 4, 3))
    assert found.status is None
    assert "TDX_04" in found.unmatched


def test_the_first_generation_has_its_module_in_the_level() -> None:
    levels = [level(UP, sgx=5, tdx=(5, 0, 3)), level(OLD, sgx=5, tdx=(4, 0, 3))]
    assert standing(levels, svn=(5, 0, 3)).status == UP
    assert standing(levels, svn=(4, 0, 3)).status == OLD
    assert standing(levels, svn=(3, 0, 3)).status is None
    assert dict(standing(levels, svn=(5, 0, 3)).parts).keys() == {"platform", "quoting enclave"}


def test_later_generations_are_not_measured_by_the_levels_first_two_components() -> None:
    levels = [level(UP, sgx=5, tdx=(200, 200, 3))]
    assert standing(levels, svn=(5, 1, 3)).status == UP
    assert standing(levels, svn=(5, 1, 2)).status is None


def test_every_component_counts_and_levels_are_tried_from_the_top() -> None:
    info = tcb_info(tcbLevels=[level(OLD, sgx=2, tdx=(1, 0, 1)), level(UP, sgx=5, tdx=(1, 0, 1))])
    assert [one.status for one in in_order(TcbInfo.decode(statement(info).text).levels)] == [UP, OLD]
    assert standing(info["tcbLevels"]).status == UP
    for at in range(16):
        higher = level(UP, sgx=5, tdx=(0, 0, 3))
        higher["tcb"]["sgxtcbcomponents"] = [{"svn": 6 if one == at else 0} for one in range(16)]
        assert standing([higher, level(OLD, sgx=2, tdx=(0, 0, 3))]).status == OLD


def test_pcesvn_counts() -> None:
    assert standing([level(UP, sgx=5, tdx=(0, 0, 3), pcesvn=14)]).status is None
    assert standing([level(UP, sgx=5, tdx=(0, 0, 3), pcesvn=13)]).status == UP


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (Forged(chain=(replace(PCK_PLAN, extension=sgx_extensions(svn=1)), *CHAIN[1:])), "below every SGX TCB level"),
        (Forged(qe=replace(QE, isvsvn=1)), "quoting enclave with ISV SVN 1"),
        (
            Forged(body=replace(TD15, base=replace(TD, tee_tcb_svn=bytes([1, 1, 3]) + bytes(13)))),
            "TDX module TDX_01 with SVN 1",
        ),
        (Forged(tcb_infos=(statement(tcb_info(tcbLevels=[level("Fine", sgx=5, tdx=(0, 0, 3))])),)), "unknown name"),
    ],
)
def test_what_has_no_level_is_named(case: Forged, says: str) -> None:
    found = verdict(case)
    assert found.status is None
    assert says in found.unmatched


def test_advisories_and_the_oldest_date_come_from_every_matched_level() -> None:
    found = standing(
        [level(OLD, sgx=5, tdx=(0, 0, 3), advisoryIDs=["A-1", "A-2"])],
        module=[module_level(OLD, 5, advisoryIDs=["A-2", "A-3"], tcbDate="2023-08-09T00:00:00Z")],
    )
    assert found.advisories == ("A-1", "A-2", "A-3")
    assert found.date is not None
    assert found.date.isoformat() == "2023-08-09T00:00:00+00:00"
    assert found.status is TcbStatus.OUT_OF_DATE
