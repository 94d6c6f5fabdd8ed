"""Explains failing tests at the end of `pytest --mmos-diagnose`. Without the flag it does nothing and imports nothing."""

from __future__ import annotations

TYPE_CHECKING = False  # pytest imports this module in every project
if TYPE_CHECKING:
    import pytest
    from _pytest.terminal import TerminalReporter

FLAG = "--mmos-diagnose"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mmos")
    group.addoption(FLAG, action="store_true", dest="mmos_diagnose", help="Let MMOS explain failing tests at the end.")
    group.addoption(
        "--mmos-rules-only", action="store_true", dest="mmos_rules_only", help="With --mmos-diagnose: ask no model, only rules."
    )
    group.addoption("--mmos-config", dest="mmos_config", metavar="FILE", help="With --mmos-diagnose: the configuration of MMOS.")


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if not config.option.mmos_diagnose or hasattr(config, "workerinput"):  # a worker of xdist has only its own tests
        return
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    if reports:
        from mmos.testing.failing import Wanted, explain

        wanted = Wanted(config.option.mmos_config, config.rootpath, rules_only=config.option.mmos_rules_only)
        terminalreporter.section("why (mmos)")
        for line in explain([(report.nodeid, str(report.longrepr), _captured(report)) for report in reports], wanted):
            terminalreporter.line(line)


def _captured(report: object) -> str:
    sections: list[tuple[str, str]] = getattr(report, "sections", [])
    return "\n".join(f"{title}\n{text}" for title, text in sections)
