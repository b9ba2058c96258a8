"""Every error: its sentence, its fields, its place in the tree, through pickle and copy."""

import copy
import pickle

import pytest

from xcaliper.core import errors
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import (
    A2lError,
    AccessLockedError,
    ExchangeTimeoutError,
    FramingError,
    GapError,
    IntegrityError,
    LibraryError,
    LimitError,
    LinkError,
    LocalProtocolError,
    MdfError,
    NegativeResponseError,
    NotFoundError,
    PlanError,
    ProtocolError,
    RemoteProtocolError,
    ResumeError,
    SettingsError,
    SourceError,
    TransactionError,
    UnlockError,
    UsageError,
    WireError,
    XcaliperError,
)
from xcaliper.xcp.std import SetMta

KINDS = [getattr(errors, name) for name in errors.__all__]
REFUSALS = [kind for kind in KINDS if issubclass(kind, NegativeResponseError)]

EXAMPLES = [
    (XcaliperError("gauge: broken."), "gauge: broken."),
    (XcaliperError("gauge: broken.", hint="Replace it."), "gauge: broken. Replace it."),
    (UsageError("rate: too high.", hint="Use 10 ms."), "rate: too high. Use 10 ms."),
    (NotFoundError("rpm"), "rpm: no such name."),
    (
        NotFoundError("rpm", kind="signal", nearest=("rpm_1", "rpm_2")),
        "rpm: no such signal. Did you mean rpm_1, rpm_2?",
    ),
    (PlanError("plan", ("a", "b"), hint="Less."), "plan: a; b. Less."),
    (
        LimitError("kp", phys=3.5, lower=0, upper=2, unit="V"),
        "kp: 3.5 V is outside 0 … 2 V. Nothing was written.",
    ),
    (
        LimitError("kp", phys=10.0000001, lower=-1, upper=10),
        "kp: 10.0000001 is outside -1 … 10. Nothing was written.",
    ),
    (
        LimitError("n", phys=4294967296, lower=0, upper=4294967295),
        "n: 4294967296 is outside 0 … 4294967295. Nothing was written.",
    ),
    (
        GapError(Address(0x10), 4, AddressRange(Address(0x12), 2), hint="Fill it."),
        "memory at 0x00000010, 4 bytes: the image lacks 2 bytes at 0x00000012. Fill it.",
    ),
    (
        GapError(Address(0x10, 1), 1, AddressRange(Address(0x10, 1), 1)).named("kp"),
        "kp at 0x00000010:1, 1 byte: the image holds none of it.",
    ),
    (SettingsError("port", "not a number"), "port (argument): not a number."),
    (
        SettingsError("port", "not a number", source="file", hint="Write 5555."),
        "port (file): not a number. Write 5555.",
    ),
    (WireError("SET_MTA", need=8, got=3), "SET_MTA: length needs 8, got 3."),
    (FramingError("header", need=1, got=2, what="CTR"), "header: CTR needs 1, got 2."),
    (LocalProtocolError("UPLOAD: not connected."), "UPLOAD: not connected."),
    (RemoteProtocolError("slave: answered twice."), "slave: answered twice."),
    (
        ExchangeTimeoutError("SHORT_UPLOAD", timer="T1", attempts=3, elapsed_ns=75_000_000),
        "SHORT_UPLOAD: no answer in 75.0 ms (T1, 3 attempts).",
    ),
    (
        ExchangeTimeoutError("SYNCH", timer="T7", attempts=1, elapsed_ns=1, hint="Look."),
        "SYNCH: no answer in 0.0 ms (T7, 1 attempt). Look.",
    ),
    (
        NegativeResponseError("SYNCH", code=0, code_name="ERR_CMD_SYNCH"),
        "SYNCH: the slave answered ERR_CMD_SYNCH (0x00).",
    ),
    (
        AccessLockedError(
            "UPLOAD", code=0x25, code_name="ERR_ACCESS_LOCKED", meaning="locked", remedy="Unlock."
        ),
        "UPLOAD: the slave answered ERR_ACCESS_LOCKED (0x25): locked. Unlock.",
    ),
    (
        UnlockError("daq"),
        (
            "UNLOCK: the slave refused the key of daq; the session is over. "
            "Check the key function; connect again. Slaves count wrong keys."
        ),
    ),
    (
        LibraryError("keys.so", "symbol", "no function X", hint="Ask its maker."),
        "keys.so: no function X. Ask its maker.",
    ),
    (LinkError("tcp://ecu: refused.", hint="Switch it on."), "tcp://ecu: refused. Switch it on."),
    (SourceError("bad."), "bad."),
    (SourceError("bad.", source="a.a2l"), "a.a2l: bad."),
    (A2lError("bad.", source="a.a2l", line=3), "a.a2l:3: bad."),
    (MdfError("bad.", source="a.mf4", line=3, column=9, hint="Look."), "a.mf4:3:9: bad. Look."),
    (SourceError("bad.", line=3, column=9), "<text>:3:9: bad."),
    (SourceError("bad.", column=9), "bad."),
    (IntegrityError("EPK", expected="A", actual=b"B"), "EPK: expected 'A', found b'B'."),
    (
        ResumeError("session", expected=1, actual=2),
        (
            "session: expected 1, found 2. "
            "Others were stored since: take their file, or store the measurement anew."
        ),
    ),
    (
        ResumeError("list 0", expected=1, actual=2, hint="Look."),
        "list 0: expected 1, found 2. Look.",
    ),
]


@pytest.mark.parametrize(("error", "sentence"), EXAMPLES, ids=lambda v: type(v).__name__)
def test_sentence(error, sentence):
    assert str(error) == sentence
    assert error.message == error.args[0]
    assert sentence == f"{error.message} {error.hint}".strip()


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda e: e.slug)
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_pickle_and_copy_keep_everything(error, again):
    other = again(error)
    assert type(other) is type(error)
    assert other.args == error.args
    assert vars(other) == vars(error)
    assert str(other) == str(error)


def test_pickle_keeps_request_notes_and_bytes():
    error = AccessLockedError(
        "SET_MTA", code=0x25, code_name="ERR_ACCESS_LOCKED", info=b"\x01", request=SetMta(address=7)
    )
    error.add_note("second try")
    other = pickle.loads(pickle.dumps(error))
    assert other.request == SetMta(address=7)
    assert other.info == b"\x01"
    assert other.__notes__ == ["second try"]


def test_fields_of_a_refusal():
    error = NegativeResponseError(
        "UPLOAD", code=0x22, code_name="ERR_OUT_OF_RANGE", meaning="m", remedy="r", info=b"\x02"
    )
    assert (error.command, error.code, error.code_name) == ("UPLOAD", 0x22, "ERR_OUT_OF_RANGE")
    assert (error.meaning, error.remedy, error.hint, error.info) == ("m", "r", "r", b"\x02")
    assert error.request is None


def test_fields_of_the_others():
    limit = LimitError("kp", phys=3, lower=0, upper=2)
    assert (limit.name, limit.phys, limit.lower, limit.upper) == ("kp", 3, 0, 2)
    timeout = ExchangeTimeoutError("SYNCH", timer="T7", attempts=2, elapsed_ns=5)
    assert (timeout.command, timeout.timer) == ("SYNCH", "T7")
    assert (timeout.attempts, timeout.elapsed_ns) == (2, 5)
    wire = WireError("X", need=2, got=1)
    assert (wire.layout, wire.need, wire.got) == ("X", 2, 1)
    assert PlanError("p", ("a", "b")).problems == ("a", "b")
    missing = NotFoundError("a", kind="signal", nearest=("b",))
    assert (missing.name, missing.kind, missing.nearest) == ("a", "signal", ("b",))
    source = A2lError("m", source="f", line=1, column=2)
    assert (source.source, source.line, source.column) == ("f", 1, 2)
    integrity = IntegrityError("EPK", expected=1, actual=2)
    assert (integrity.expected, integrity.actual) == (1, 2)
    gap = GapError(Address(2), 3, AddressRange(Address(4), 1), name="kp")
    assert (gap.name, gap.address, gap.size_bytes) == ("kp", Address(2), 3)
    assert gap.gap == AddressRange(Address(4), 1)
    setting = SettingsError("k", "r", source="file")
    assert (setting.key, setting.source) == ("k", "file")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (UsageError, ValueError),
        (NotFoundError, LookupError),
        (WireError, ValueError),
        (ExchangeTimeoutError, TimeoutError),
        (LinkError, OSError),
    ],
)
def test_builtin_handlers_catch_ours(kind, builtin):
    assert issubclass(kind, builtin)


def test_one_tree():
    assert all(issubclass(kind, XcaliperError) for kind in KINDS)
    assert all(kind.__name__.endswith("Error") for kind in KINDS)
    assert all(issubclass(kind, ProtocolError) for kind in REFUSALS)
    public = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, XcaliperError)
    }
    assert public == set(errors.__all__)


def test_slugs_are_unique_and_kebab_case():
    slugs = [kind.slug for kind in KINDS]
    assert len(set(slugs)) == len(slugs)
    assert all(slug.replace("-", "").isalnum() and slug.islower() for slug in slugs)


def test_every_class_is_documented():
    assert all(vars(kind).get("__doc__") for kind in KINDS)


def test_a_transaction_says_what_is_left_of_it():
    restored = TransactionError("IgnMap", "refused.", number=3, restored=True)
    stuck = TransactionError("IgnMap", "refused.", written=(("0x10", 4), ("0x20", 2)))
    silent = TransactionError(
        "IgnMap", "no answer.", written=(("0x10", 4),), unknown=(("0x20", 2),)
    )
    assert restored.number == 3
    assert "Everything is as it was" in restored.hint
    assert "2 places could not be put back" in stuck.hint
    assert "Nobody knows" in silent.hint
