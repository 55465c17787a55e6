"""What a campaign shows while it runs in the foreground: its reports, and a bar of the budget."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.spec import CampaignSpec

#: The work chains whose reports tell the story; those of pw.x go to `verdi process report`.
_STORY = ('|InverseDesignWorkChain|', '|GenerationWorkChain|', '|AsynchronousWorkChain|')
#: The logger of this package: it warns of what a campaign waits for.
OURS = 'aiida_inversedesign'
#: What AiiDA says when a job could not be brought to its computer, submitted, looked for or fetched.
_TRANSPORT = re.compile(r'iteration \d+ of do_(\w+) excepted(?:, retrying after (\d+) seconds)?')
#: What a generation says after a harvest.
_COUNTS = re.compile(r'evaluations: (\d+), failed: \d+, distinct hits: (\d+)$')


class CampaignProgress(logging.Handler):
    """Prints the campaign's reports and keeps a bar of evaluations, hits and the best value."""

    def __init__(self, spec: CampaignSpec, console: Console | None = None, done: int = 0) -> None:
        super().__init__()
        self.spec, self.console = spec, console or Console()
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn('{task.description}'),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn('{task.fields[found]}'),
            TimeElapsedColumn(),
            console=self.console,
        )
        self.task = self.bar.add_task('evaluations', total=spec.budget.evaluations, completed=done, found='')
        self._muted: list[tuple[logging.Handler, int]] = []

    def __enter__(self) -> CampaignProgress:
        logger = logging.getLogger('aiida')
        # AiiDA's console handler would write over the bar
        self._muted = [(item, item.level) for item in logger.handlers if isinstance(item, logging.StreamHandler)]
        for item, _ in self._muted:
            item.setLevel(logging.CRITICAL + 1)
        logger.addHandler(self)
        logging.getLogger(OURS).addHandler(self)
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        logger = logging.getLogger('aiida')
        logger.removeHandler(self)
        logging.getLogger(OURS).removeHandler(self)
        for item, level in self._muted:
            item.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Show one report of the campaign, and what its newest table says."""
        text = record.getMessage()
        if record.name.startswith(f'{OURS}.'):
            if record.levelno >= logging.WARNING:
                self._show_warning(text)
            return
        if failed := _TRANSPORT.match(text):
            self._show_failure(record, failed)
            return
        if not any(name in text for name in _STORY):
            return
        # what stands before it, [PK|class|step], tells a developer, not a user
        message = text.split(']: ', 1)[-1]
        self.console.print(f'[dim]{time.strftime("%H:%M:%S")}[/dim] ', end='')
        self.console.print(message, markup=False, highlight=False)
        if counts := _COUNTS.search(message):
            self.bar.update(self.task, completed=int(counts[1]), found=f'hits: {counts[2]}')

    def _show_warning(self, text: str) -> None:
        self.console.print(f'[yellow]{time.strftime("%H:%M:%S")}[/yellow] ', end='')
        self.console.print(text, markup=False, highlight=False)

    def _show_failure(self, record: logging.LogRecord, failed: re.Match[str]) -> None:
        """Say why a job stands still: a full disk, a computer that does not answer."""
        error = record.exc_info[1] if record.exc_info else None
        reason = f' ({type(error).__name__}: {error})' if error is not None else ''
        again = f'trying again in {failed[2]} s' if failed[2] else 'trying again from time to time'
        job = f' of job {record.dbnode_id}' if hasattr(record, 'dbnode_id') else ''
        self._show_warning(f'the {failed[1]}{job} failed{reason}: {again}')


#: Seconds between two lines of progress where nothing can draw a bar: a file of some hours stays short.
BETWEEN_LINES = 60.0


@contextmanager
def shown_steps(between: float = BETWEEN_LINES) -> Iterator[Callable[[str, float], None]]:
    """A bar for each step of a long computation, on the error stream, so that the JSON can be piped.

    Where that is no terminal, a line now and then says how far the step is.

    :param between: seconds between two lines.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console, between)
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.percentage:.0f} %'),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        steps: dict[str, TaskID] = {}

        def report(step: str, done: float) -> None:
            # the networks of one training share a bar
            name = step.split(': ')[0]
            if name not in steps:
                steps[name] = bar.add_task(name, total=1.0)
            bar.update(steps[name], description=step, completed=done)

        yield report


def _lines(console: Console, between: float) -> Callable[[str, float], None]:
    last = time.monotonic()

    def report(step: str, done: float) -> None:
        nonlocal last
        if time.monotonic() - last >= between:
            last = time.monotonic()
            console.print(f'{time.strftime("%H:%M:%S")} {step} {100 * done:.0f} %', markup=False, highlight=False)

    return report
