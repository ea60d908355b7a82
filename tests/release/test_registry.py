"""The registry as a state machine: what the broker remembers only ever moves forward."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warily.release import registry
from warily.release.messages import VolumeState
from warily.release.registry import Confirmed, No, NotYet, Sealed, ToInitialise, ToOpen, Volume

IDENTITY = b"i" * 32
ORDER = [VolumeState.BLANK, VolumeState.INITIALISED, VolumeState.RETIRED]
sessions = st.sampled_from(["one", "two", "three"])
descriptors = st.sampled_from([b"a" * 32, b"b" * 32, b"short"])


def fresh() -> Volume:
    return registry.blank(identity=IDENTITY, name="data", wrapped=b"w")


class Remembered(RuleBasedStateMachine):
    """One volume, several sessions, a clock that moves, and an operator who retires."""

    def __init__(self) -> None:
        super().__init__()
        self.volume = fresh()
        self.now = 1_000
        self.states = [VolumeState.BLANK]
        self.epochs = [0]
        self.descriptors: set[bytes] = set()
        self.may_initialise: dict[str, int] = {}  # session → until when it alone may

    def keep(self, volume: Volume) -> None:
        self.volume = volume
        self.states.append(volume.state)
        self.epochs.append(volume.epoch)

    @rule(session=sessions)
    def attests(self, session: str) -> None:
        answer = registry.ask(self.volume, identity=IDENTITY, session=session, now=self.now)
        match answer:
            case ToInitialise(volume):
                assert self.volume.state is VolumeState.BLANK
                others = [s for s, until in self.may_initialise.items() if s != session and until > self.now]
                assert others == [], "two sessions may initialise at once"
                self.may_initialise[session] = self.now + registry.HOLD
                self.keep(volume)
            case ToOpen(volume):
                assert self.volume.state is VolumeState.INITIALISED
                assert volume == replace(self.volume, holder=session)
                self.keep(volume)
            case NotYet(seconds=seconds):
                assert self.volume.state is VolumeState.BLANK
                assert 0 < seconds <= registry.HOLD
            case No(code=code):
                assert (self.volume.state, code) == (VolumeState.RETIRED, "volume-retired")

    @rule(session=sessions)
    def another_vm_attests(self, session: str) -> None:
        answer = registry.ask(self.volume, identity=b"o" * 32, session=session, now=self.now)
        assert isinstance(answer, No)

    @rule(session=sessions, descriptor=descriptors, step=st.integers(-1, 2))
    def confirms(self, session: str, descriptor: bytes, step: int) -> None:
        before = self.volume
        answer = registry.confirm(before, session=session, descriptor=descriptor, epoch=before.epoch + step)
        if isinstance(answer, Confirmed):
            assert before.holder == session
            assert answer.volume.seal is None
            assert step == 1 or (step == 0 and before.seal is None)
            self.descriptors.add(descriptor)
            self.keep(answer.volume)
        elif before.state is VolumeState.BLANK and before.holder == session and step == 1:
            assert descriptor == b"short"

    @rule(session=sessions, digest=descriptors, back=st.integers(0, 1))
    def seals(self, session: str, digest: bytes, back: int) -> None:
        before = self.volume
        answer = registry.seal(before, session=session, epoch=before.epoch - back, digest=digest)
        if isinstance(answer, Sealed):
            assert (before.holder, before.state, back) == (session, VolumeState.INITIALISED, 0)
            assert before.seal in (None, digest)
            self.keep(answer.volume)

    @rule(session=sessions)
    def ends(self, session: str) -> None:
        self.keep(registry.let_go(self.volume, session=session))
        if self.volume.holder != session:
            self.may_initialise.pop(session, None)

    @rule(seconds=st.integers(min_value=0, max_value=90))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def retires(self) -> None:
        self.keep(registry.retire(self.volume))

    @invariant()
    def the_state_never_moves_backwards(self) -> None:
        steps = [ORDER.index(state) for state in self.states]
        assert steps == sorted(steps)
        assert self.epochs == sorted(self.epochs)

    @invariant()
    def there_is_one_descriptor_and_one_secret(self) -> None:
        assert len(self.descriptors) <= 1
        assert self.volume.wrapped == (b"" if self.volume.state is VolumeState.RETIRED else b"w")
        if self.volume.state is VolumeState.INITIALISED:
            assert {self.volume.descriptor} == self.descriptors


TestRemembered = Remembered.TestCase
TestRemembered.settings = settings(deadline=None)


def test_a_volume_is_initialised_once() -> None:
    held = registry.ask(fresh(), identity=IDENTITY, session="one", now=0)
    assert isinstance(held, ToInitialise)
    done = registry.confirm(held.volume, session="one", descriptor=b"a" * 32, epoch=1)
    assert isinstance(done, Confirmed)
    assert isinstance(registry.ask(done.volume, identity=IDENTITY, session="two", now=0), ToOpen)
    again = registry.confirm(done.volume, session="one", descriptor=b"b" * 32, epoch=2)
    assert isinstance(again, No)
    assert again.code == "volume-initialised"
    assert isinstance(registry.confirm(done.volume, session="one", descriptor=b"a" * 32, epoch=1), Confirmed)
    assert isinstance(registry.confirm(done.volume, session="two", descriptor=b"a" * 32, epoch=1), No)


def test_a_session_that_was_overtaken_cannot_confirm() -> None:
    first = registry.ask(fresh(), identity=IDENTITY, session="one", now=0)
    assert isinstance(first, ToInitialise)
    early = registry.ask(first.volume, identity=IDENTITY, session="two", now=registry.HOLD - 1)
    assert isinstance(early, NotYet)
    later = registry.ask(first.volume, identity=IDENTITY, session="two", now=registry.HOLD)
    assert isinstance(later, ToInitialise)
    answer = registry.confirm(later.volume, session="one", descriptor=b"a" * 32, epoch=1)
    assert isinstance(answer, No)
    assert answer.code == "volume-not-held"


def test_ending_a_session_frees_its_right_to_initialise() -> None:
    first = registry.ask(fresh(), identity=IDENTITY, session="one", now=0)
    assert isinstance(first, ToInitialise)
    freed = registry.let_go(first.volume, session="one")
    assert isinstance(registry.confirm(freed, session="one", descriptor=b"a" * 32, epoch=1), No)
    assert isinstance(registry.ask(freed, identity=IDENTITY, session="two", now=1), ToInitialise)


def opened(volume: Volume, session: str) -> Volume:
    """The volume as remembered once `session` was granted its key and began its epoch."""
    granted = registry.ask(volume, identity=IDENTITY, session=session, now=0)
    assert isinstance(granted, ToInitialise | ToOpen)
    begun = registry.confirm(granted.volume, session=session, descriptor=b"a" * 32, epoch=volume.epoch + 1)
    assert isinstance(begun, Confirmed)
    return begun.volume


def test_a_volume_in_use_has_no_seal_and_its_holder_alone_seals_it() -> None:
    first = opened(fresh(), "one")
    sealed = registry.seal(first, session="one", epoch=1, digest=b"s" * 32)
    assert isinstance(sealed, Sealed)
    second = opened(sealed.volume, "two")
    assert (second.epoch, second.seal) == (2, None)
    for session, epoch, digest in (
        ("one", 1, b"s" * 32),
        ("one", 2, b"s" * 32),
        ("two", 1, b"s" * 32),
        ("two", 2, b""),
    ):
        assert isinstance(registry.seal(second, session=session, epoch=epoch, digest=digest), No)
    again = registry.seal(second, session="two", epoch=2, digest=b"t" * 32)
    assert isinstance(again, Sealed)
    other = registry.seal(again.volume, session="two", epoch=2, digest=b"u" * 32)
    assert isinstance(other, No)
    assert other.code == "volume-sealed"


def test_an_epoch_begins_once_and_none_is_left_out() -> None:
    second = opened(opened(fresh(), "one"), "two")
    for epoch, code in ((1, "volume-epoch"), (4, "volume-epoch")):
        answer = registry.confirm(second, session="two", descriptor=b"a" * 32, epoch=epoch)
        assert isinstance(answer, No)
        assert answer.code == code
    assert registry.confirm(second, session="two", descriptor=b"a" * 32, epoch=2) == Confirmed(second)
