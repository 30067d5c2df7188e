"""The command `doctor`: is this deployment fit to run actors?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.text import Text

from broker_actors.actor.spec import spec_of
from broker_actors.bootstrap.diagnosis import diagnose
from broker_actors.cli import loading, options, running
from broker_actors.cli.output import ERR, OUT, Code, printable, show_json
from broker_actors.core.finding import Finding, Severity, worst

_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.OK: "green"}


def doctor(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODULE[:CLASS]]...", help="Where actors are that are to run there."),
    ] = None,
    *,
    management: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="BROKER_ACTORS_MANAGEMENT",
            help="RabbitMQ's management API, as http://user:password@host:15672; "
            "without a user, as that of the broker.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Have warnings fail it too.")] = False,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Check broker and store, and say what is wrong and how to mend it.

    Changes nothing there. Prints what it found, the gravest first. Exit codes: 0 nothing is
    wrong, notes and warnings aside; 1 there are warnings, with --strict; 2 there are errors.

    Example: broker-actors doctor my.actors --management http://guest:guest@localhost:15672
    """

    async def examine() -> list[Finding]:
        declared = [spec_of(cls).layout for cls in loading.load(targets or ())]
        return await diagnose(running.connect(amqp, redis).settings, declared, management or "")

    findings = running.run(examine(), as_json=as_json)
    code = _code_of(findings, strict=strict)
    if as_json:
        show_json({"ok": code is Code.OK, "findings": [_document(one) for one in findings]})
    else:
        _show(findings)
    raise typer.Exit(code)


def _code_of(findings: Sequence[Finding], *, strict: bool) -> Code:
    match worst(findings):
        case Severity.ERROR:
            return Code.PLATFORM
        case Severity.WARNING if strict:
            return Code.REFUSED
        case _:
            return Code.OK


def _show(findings: Sequence[Finding]) -> None:
    width = max((len(one.check) for one in findings), default=0)
    for one in findings:
        severity = Text(f"{one.severity.name.lower():<9}", _STYLES.get(one.severity, ""))
        OUT.print(severity + Text(f"{one.check:<{width}}  {printable(one.text)}"))
        if one.fix:
            OUT.print(Text(f"{'':<9}{'':<{width}}  fix: {printable(one.fix)}", "dim"))
    count = Counter(one.severity for one in findings)
    ERR.print(", ".join(_counted(count[severity], severity) for severity in reversed(Severity)))


def _counted(number: int, severity: Severity) -> str:
    name = severity.name.lower()
    return f"{number} {name}" if number == 1 or severity is Severity.OK else f"{number} {name}s"


def _document(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "severity": finding.severity.name.lower(),
        "text": finding.text,
        "fix": finding.fix,
    }
