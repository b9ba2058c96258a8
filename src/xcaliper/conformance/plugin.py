"""Plugin of pytest: ``pytest -p xcaliper.conformance.plugin --xcp-slave udp://host:port``.

Each rule is a test item with its id; without paths on the command line nothing else is collected.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from xcaliper.core.errors import XcaliperError

if TYPE_CHECKING:
    from xcaliper.conformance.model import Result, Rule
    from xcaliper.conformance.probe import Probe

__all__ = [
    "RuleItem",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_ignore_collect",
    "pytest_sessionfinish",
]

_OPTION: Final = "--xcp-slave"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the suite."""
    group = parser.getgroup("xcp", "conformance of an XCP slave")
    group.addoption(_OPTION, metavar="URL", default="", help="slave, such as udp://host:5555")
    group.addoption(
        "--xcp-allow", metavar="WORDS", default="", help="write,page,daq,stim,store,program,keys"
    )
    group.addoption("--xcp-forbid-daq", action="store_true", help="do not touch DAQ lists")
    group.addoption(
        "--xcp-select", metavar="IDS", default="", help="rules to run, by their beginning"
    )
    group.addoption("--xcp-ignore", metavar="IDS", default="", help="rules not to run")
    group.addoption("--xcp-group", metavar="GROUPS", default="", help="groups of rules to run")
    group.addoption("--xcp-a2l", metavar="FILE", default="", help="its description; slave")
    group.addoption(
        "--xcp-key-library", metavar="FILE", default="", help="library of seed and key; a2l"
    )
    group.addoption(
        "--xcp-key-python", metavar="MODULE:FUNCTION", default="", help="function of seed and key"
    )
    group.addoption("--xcp-address", metavar="ADDRESS", default="", help="memory that may be read")
    group.addoption(
        "--xcp-scratch", metavar="SECTOR", type=int, help="sector that may be erased and programmed"
    )
    group.addoption(
        "--xcp-timeout", metavar="S", default=1.0, type=float, help="wait for an answer"
    )
    group.addoption(
        "--xcp-severity",
        choices=("violation", "deviation", "note"),
        default="violation",
        help="least severity that fails a test; lighter ones are expected failures",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to share one slave among workers."""
    if _url(config) and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--xcp-slave: one slave cannot be checked by several workers.")


def _url(config: pytest.Config) -> str:
    return str(config.getoption(_OPTION, default=""))


def _alone(config: pytest.Config) -> bool:
    """True when nobody named paths to collect."""
    return bool(_url(config)) and config.args_source is not pytest.Config.ArgsSource.ARGS


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Collect nothing else unless asked to."""
    return True if _alone(config) else None


class _Suite:
    """One slave, opened when the first rule runs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._stack = ExitStack()
        self._probe: Probe | None = None
        self._failure = ""

    def judge(self, rule: Rule) -> Result:
        """Run one rule; the first one connects."""
        from xcaliper.conformance.runner import begin, judge

        if self._failure:
            pytest.skip(self._failure)
        try:
            if self._probe is None:
                self._probe = self._open()
                begin(self._probe, take_over_lists="daq" in self._words("--xcp-allow"))
            return judge(self._probe, rule)
        except XcaliperError as error:
            self._failure = f"the run could not go on: {error}"
            raise

    def _words(self, option: str) -> tuple[str, ...]:
        return tuple(str(self._config.getoption(option)).replace(",", " ").split())

    def _open(self) -> Probe:
        from xcaliper.client.keys import python_function
        from xcaliper.conformance.live import keys_for, limits_of, opened, parse_region, read_paper
        from xcaliper.conformance.model import Permission

        option = self._config.getoption
        allow = {Permission(word) for word in self._words("--xcp-allow")}
        if not option("--xcp-forbid-daq"):
            allow.add(Permission.DAQ)
        path, address = option("--xcp-a2l"), option("--xcp-address")
        file = Path(path) if path and path != "slave" else None
        url = _url(self._config)
        paper = read_paper(file, url) if file is not None else None
        python, library = option("--xcp-key-python"), option("--xcp-key-library")
        keys = python_function(python) if python else library or None
        return self._stack.enter_context(
            opened(
                url,
                limits=limits_of(option("--xcp-timeout"), 3600.0),
                allow=frozenset(allow),
                paper=paper,
                own_paper=path == "slave",
                region=parse_region(address) if address else None,
                key=keys_for(keys, file, paper),
                scratch=option("--xcp-scratch"),
            )
        )

    def close(self) -> None:
        """End the session and close the link."""
        from xcaliper.conformance.runner import leave

        if self._probe is not None:
            leave(self._probe)
        self._stack.close()


class _FailedRuleError(Exception):
    """Carries the result of a rule to the report."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.reason)
        self.result = result


class RuleItem(pytest.Item):
    """One rule on one slave."""

    def __init__(self, *, rule: Rule, suite: _Suite, **options: Any) -> None:
        super().__init__(**options)
        self.rule = rule
        self._suite = suite
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # the suite has deadlines of its own

    def runtest(self) -> None:
        """Judge the rule; failures below the wanted severity are expected ones."""
        from xcaliper.conformance.model import Severity, Verdict

        result = self._suite.judge(self.rule)
        self.user_properties += [("severity", self.rule.severity.value), ("title", self.rule.title)]
        if result.verdict is Verdict.SKIPPED:
            pytest.skip(result.reason)
        if result.verdict is Verdict.PASSED:
            return
        order = [Severity.VIOLATION, Severity.DEVIATION, Severity.NOTE]
        least = order.index(Severity(self.config.getoption("--xcp-severity")))
        if result.verdict is Verdict.FAILED and order.index(self.rule.severity) > least:
            pytest.xfail(f"{self.rule.severity.value}: {result.reason}")
        raise _FailedRuleError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The demand, and what was asked and came; no traceback for what the slave did."""
        error = excinfo.value
        if not isinstance(error, _FailedRuleError):
            return (
                str(error)
                if isinstance(error, XcaliperError)
                else super().repr_failure(excinfo, style)
            )
        lines = [
            f"{self.rule.id} {self.rule.title} ({self.rule.severity.value}, {self.rule.source})"
        ]
        lines += [self.rule.demands, error.result.reason, ""]
        for step in error.result.steps:
            lines.append(f"asked {step.asked.hex(' ') or '(listened)'}  {step.question}")
            pairs = zip(step.came, step.answers, strict=True)
            lines += [f"came  {packet.hex(' ')}  {words}" for packet, words in pairs]
            lines += ["came  nothing"] if not step.came else []
        return "\n".join(lines)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where pytest says that the item is."""
        return self.path, 0, f"{self.rule.id} {self.rule.title}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add one item per rule."""
    if not _url(config):
        return
    from xcaliper.conformance.rules import choose

    def words(option: str) -> tuple[str, ...]:
        return tuple(str(config.getoption(option)).replace(",", " ").split())

    try:
        rules = choose(
            select=words("--xcp-select"),
            ignore=words("--xcp-ignore"),
            groups=words("--xcp-group"),
        )
    except XcaliperError as error:
        raise pytest.UsageError(str(error)) from error
    suite = _Suite(config)
    session.stash[_SUITE] = suite
    items += [
        RuleItem.from_parent(
            session, name=rule.id, nodeid=f"xcp::{rule.id}", rule=rule, suite=suite
        )
        for rule in rules
    ]


_SUITE: Final = pytest.StashKey[_Suite]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave the slave as it was."""
    suite = session.stash.get(_SUITE, None)
    if suite is not None:
        suite.close()
