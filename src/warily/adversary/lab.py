"""The laboratory: boots the control and the image, mounts attacks on both, and says what became of them."""

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warily.adversary import plain_changes, plain_debian
from warily.adversary.attack import Alone, Attack, Outcome, Seen, Together, undecided
from warily.adversary.control import Control
from warily.adversary.history import History, history
from warily.adversary.machines import Machines
from warily.adversary.once import Once
from warily.adversary.stage import Change, Stage, adding, lab_home, unchanged
from warily.adversary.targets import ControlTarget, ImageTarget, settle
from warily.core.appraisal import Rejected
from warily.core.declaration import Platform
from warily.errors import HostError, WarilyError
from warily.host import paths
from warily.host.progress import SILENT, Progress
from warily.launch import readiness
from warily.up.session import image_of
from warily.up.watch import Watch

if TYPE_CHECKING:
    from warily.posture.facts import Facts

AT_ONCE: Final = 2
TOLD: Final = 100  # characters of the evidence, in a progress line
END_WITHIN: Final = 60.0
QUIET: Final = 8.0  # seconds after the image is up, for attacks that wait for their moment
FOLDER: Final = "attack"


@dataclass(slots=True, kw_only=True)
class Lab:
    """What attacks that run alone work with: the control, and a machine of the image that lived and ended in order.

    `folder` is the laboratory's own, gone afterwards. Several attacks use one laboratory at the same time.
    """

    control: Control
    stage: Stage
    folder: Path
    progress: Progress
    has_lived: bool = False
    shared: Once = field(default_factory=Once)
    living: threading.Lock = field(default_factory=threading.Lock)

    def lived(self) -> Stage:
        """The stage of a machine whose volumes were made and whose keys were granted once. Copy it to change it."""
        with self.living:
            if not self.has_lived:
                with self.up(unchanged) as target:
                    if target.facts is None:
                        message = f"the image does not come up: {target.fate}"
                        raise HostError(message)
                if not self.has_lived:
                    raise HostError("the image does not end when its broker says so")
        return self.stage

    def changed_control(self) -> Mapping[str, Seen]:
        """What became of the control when what it boots and its disks were changed, in one boot that they share."""
        return self.shared.make("changed control", lambda: plain_changes.mounted(self.control))

    def history(self) -> History:
        """A machine that lived three times, and what its host kept of its disks."""
        lived = self.lived()
        return self.shared.make("history", lambda: history(lived, self.folder))

    @contextmanager
    def up(self, change: Change, *, stage: Stage | None = None) -> Iterator[ImageTarget]:
        """A machine of the image that came up, or ended; then shut down in order. One at a time for one stage."""
        stage = stage or self.stage
        with (
            tempfile.TemporaryDirectory(prefix="up-", dir=self.folder) as folder,
            stage.broker() as broker,
            stage.boot(broker.endpoint, change=change) as boot,
        ):
            operator = broker.wait_until_ready()
            name = stage.identity
            watch = Watch(machine=boot.machine, operator=operator, manifest=stage.manifest, identity=name)
            facts: Facts | None = None
            try:
                facts = watch.until_up(boot.launch.ports, SILENT)
                fate = "meanwhile the machine was attested, got its keys, and its workload answered"
            except (HostError, Rejected) as error:
                fate = boot.refusal or str(error)
            yield ImageTarget(folder=Path(folder), machine=boot.machine, terminal=boot.terminal, facts=facts, fate=fate)
            if boot.machine.running:
                operator.post(f"/v1/operator/vms/{name.hex()}/end")
                ended = boot.machine.wait(END_WITHIN) is not None
                self.has_lived = self.has_lived or (ended and facts is not None and stage is self.stage)


@contextmanager
def opened(project: Path, progress: Progress, *, with_control: bool = True) -> Iterator[Lab]:
    """A laboratory for the project's image, which is built where it is missing; and the control likewise."""
    readiness.require(Platform.REHEARSAL)
    home, manifest = image_of(project, progress)
    files = plain_debian.obtain(progress) if with_control else plain_debian.absent()
    machines = Machines()
    control = Control(files, readiness.accelerator(home.machine), machines)
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}-", dir=paths.state(project)) as folder:
        stage = Stage(home=lab_home(home, Path(folder)), manifest=manifest, machines=machines)
        yield Lab(control=control, stage=stage, folder=Path(folder), progress=progress)


def mount(lab: Lab, attacks: Sequence[Attack], *, with_control: bool = True) -> list[Outcome]:
    """What became of every attack, in the order given. One boot of either machine serves all that can share it."""
    shared = [attack for attack in attacks if isinstance(attack.how, Together)]
    alone = [attack for attack in attacks if isinstance(attack.how, Alone)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="lab") as pool:
        try:
            on_control = pool.submit(_on_control, lab, shared) if shared and with_control else _nothing()
            on_image = pool.submit(_on_image, lab, shared) if shared else _nothing()
            singles = {attack.id: pool.submit(_alone, lab, attack, with_control=with_control) for attack in alone}
            first, second = on_control.result(), on_image.result()
            found = {attack.id: _outcome(attack, first.get(attack.id), second[attack.id]) for attack in shared} | {
                name: future.result() for name, future in singles.items()
            }
        except BaseException:
            lab.stage.machines.end()  # or the pool would wait for every boot that is under way
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    return [found[attack.id] for attack in attacks]


Timed = tuple[Seen, float]


def _nothing() -> "Future[dict[str, Timed]]":
    done: Future[dict[str, Timed]] = Future()
    done.set_result({})
    return done


def _outcome(attack: Attack, control: Timed | None, image: Timed) -> Outcome:
    seconds = image[1] + (control[1] if control else 0.0)
    return Outcome(attack=attack, control=control[0] if control else None, image=image[0], seconds=seconds)


def _on_control(lab: Lab, attacks: Sequence[Attack]) -> dict[str, Timed]:
    """What each attack did to one control that all were mounted on."""
    with lab.progress.step(f"mount {len(attacks)} attacks on one plain Debian machine"), _folder() as folder:
        arguments = [word for attack in attacks for word in _shared(attack).arguments(folder)]
        with lab.control.up(arguments, folder) as target:
            return {attack.id: _told(lab, "control", attack, _on_this_control(attack, target)) for attack in attacks}


def _told(lab: Lab, where: str, attack: Attack, seen: Timed) -> Timed:
    """The same, once it was said."""
    lab.progress.say(f"{where}: {attack.id} {seen[0].verdict.value}: {seen[0].line[:TOLD]}")
    return seen


def _on_this_control(attack: Attack, target: ControlTarget) -> Timed:
    started = time.monotonic()
    try:
        seen = _shared(attack).control(target)
    except WarilyError as error:
        seen = undecided(str(error))
    return seen, time.monotonic() - started


def _on_image(lab: Lab, attacks: Sequence[Attack]) -> dict[str, Timed]:
    """What each attack did to one machine of the image that all were mounted on."""
    with lab.progress.step(f"mount {len(attacks)} attacks on one machine of the image"), _folder() as folder:
        arguments = [word for attack in attacks for word in _shared(attack).arguments(folder)]
        with lab.living, lab.up(adding(arguments)) as target:
            settle(QUIET if target.machine.running else 0.0)
            moved = ImageTarget(
                folder=folder,
                machine=target.machine,
                terminal=target.terminal,
                facts=target.facts,
                fate=target.fate,
            )
            return {attack.id: _told(lab, "image", attack, _on_this_image(attack, moved)) for attack in attacks}


def _on_this_image(attack: Attack, target: ImageTarget) -> Timed:
    started = time.monotonic()
    try:
        seen = _shared(attack).image(target)
    except WarilyError as error:
        seen = undecided(f"{error}; {target.fate}")
    return seen, time.monotonic() - started


def _alone(lab: Lab, attack: Attack, *, with_control: bool) -> Outcome:
    """What became of an attack with machines of its own."""
    if not isinstance(attack.how, Alone):
        raise TypeError
    started = time.monotonic()
    control: Seen | None = None
    with lab.progress.step(f"{attack.id}: {attack.title}"):
        try:
            control = attack.how.control(lab) if with_control else None
        except WarilyError as error:
            control = undecided(str(error))
        try:
            image = attack.how.image(lab)
        except WarilyError as error:
            image = undecided(str(error))
    return Outcome(attack=attack, control=control, image=image, seconds=time.monotonic() - started)


def _shared(attack: Attack) -> Together:
    if not isinstance(attack.how, Together):
        raise TypeError
    return attack.how


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="warily-shared-") as folder:  # short, as the paths of sockets must be
        yield Path(folder)
