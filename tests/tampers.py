"""Copies of a profile's storage, and ten ways to tamper with one behind AiiDA's back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@contextmanager
def opened(folder: Path) -> Iterator[None]:
    """Load the storage in this folder as a profile; then the earlier one again, if there was one."""
    from aiida.manage import get_manager
    from aiida.manage.configuration import Profile

    manager = get_manager()
    earlier = manager.get_profile()
    storage = {'backend': 'core.sqlite_dos', 'config': {'filepath': str(folder)}}
    profile = Profile('copy', {'storage': storage, 'process_control': {'backend': None, 'config': {}}})
    with closing(sqlite3.connect(folder / 'database.sqlite')) as connection:
        (profile.default_user_email,) = connection.execute('SELECT email FROM db_dbuser').fetchone()
    manager.load_profile(profile, allow_switch=True)
    try:
        yield
    finally:
        manager.unload_profile()
        if earlier is not None:
            manager.load_profile(earlier, allow_switch=True)


@dataclass
class Copy:
    """A copy of the storage of a profile (``core.sqlite_dos``) with a campaign in it."""

    folder: Path
    campaign: str

    @classmethod
    def of(cls, storage: Path, folder: Path, campaign: str) -> Copy:
        """Copy a storage."""
        shutil.copytree(storage, folder)
        return cls(folder, campaign)

    def sql(self, command: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a command in the database."""
        with closing(sqlite3.connect(self.folder / 'database.sqlite')) as connection, connection:
            return connection.execute(command, values).fetchall()

    def change(self, pk: int, attributes: dict[str, Any], files: dict[str, bytes] | None = None) -> None:
        """Give a node other attributes, and other files."""
        self.sql('UPDATE db_dbnode SET attributes = ? WHERE id = ?', json.dumps(attributes), pk)
        if files is not None:
            from disk_objectstore import Container

            with Container(self.folder / 'container') as container:
                tree = {name: {'k': container.add_object(content)} for name, content in files.items()}
            self.sql('UPDATE db_dbnode SET repository_metadata = ? WHERE id = ?', json.dumps({'o': tree}), pk)

    def become(self, pk: int, other: Any) -> None:
        """Give a node the content of an unstored one."""
        names = other.base.repository.list_object_names()
        files = {name: other.base.repository.get_object_content(name, mode='rb') for name in names}
        self.change(pk, dict(other.base.attributes.all), files)

    def delete(self, pk: int) -> None:
        """Delete a node with its links."""
        self.sql('DELETE FROM db_dblink WHERE input_id = ? OR output_id = ?', pk, pk)
        self.sql('DELETE FROM db_dbnode WHERE id = ?', pk)

    def rehash(self) -> None:
        """Write a fitting hash for every node, as a careful forger would: data first, then what took them."""
        from aiida import orm

        with opened(self.folder):
            for (node,) in orm.QueryBuilder().append(orm.Data).all():
                node.base.caching.rehash()
            for (node,) in orm.QueryBuilder().append(orm.ProcessNode).all():
                node.base.caching.rehash()

    def verify(self, **options: Any) -> dict[str, Any]:
        """What ``verify`` says of the campaign."""
        from aiida_inversedesign.verify import verify

        with opened(self.folder):
            return verify(self.campaign, **options)

    def verify_one_fit(self) -> Any:
        """What came of the last fit, run again; the storage must be open."""
        from aiida_inversedesign.verify.replay import run_again

        return run_again(self.load().outputs.surrogate.creator.pk)

    # -- what is there ------------------------------------------------------------------------------------------

    def load(self) -> Any:
        """The node of the campaign."""
        from aiida.orm import load_node

        return load_node(self.campaign)

    def evaluations(self) -> list[Any]:
        """Its evaluations, oldest first."""
        generations = sorted((g for g in self.load().called if 'Generation' in g.process_label), key=lambda g: g.pk)
        return [
            child
            for generation in generations
            for child in sorted(generation.called, key=lambda child: child.pk)
            if 'Evaluate' in child.process_label
        ]

    def change_table(self, change: Callable[[list[Any], Any], list[Any]]) -> None:
        """Give the last table other rows: ``change`` gets them and the goal."""
        from aiida_inversedesign.campaign.spec import CampaignSettings
        from aiida_inversedesign.nodes.table_data import TableData

        campaign = self.load()
        table = campaign.outputs.table
        goal = CampaignSettings.model_validate(campaign.inputs.settings.get_dict()).goal
        self.become(table.pk, TableData.from_rows(change(table.get_rows(), goal), goal))


def _change_last(rows: list[Any], **changes: Any) -> list[Any]:
    """The same rows, the last completed one changed."""
    number = max(index for index, row in enumerate(rows) if row.status == 'completed')
    return [*rows[:number], replace(rows[number], **changes), *rows[number + 1 :]]


def change_property(copy: Copy) -> None:
    """A tenth more of the first property in one row."""

    def change(rows: list[Any], goal: Any) -> list[Any]:
        name = goal.objectives[0].property
        row = next(row for row in reversed(rows) if row.status == 'completed')
        return _change_last(rows, properties={**row.properties, name: 1.1 * row.properties[name]})

    copy.change_table(change)


def remove_row(copy: Copy) -> None:
    """One row less."""
    copy.change_table(lambda rows, goal: rows[:1] + rows[2:])


def add_evaluation(copy: Copy) -> None:
    """A row of a candidate that was never evaluated."""
    candidates = copy.load().outputs.pool.get_candidates()

    def change(rows: list[Any], goal: Any) -> list[Any]:
        known = {row.candidate for row in rows}
        new = next(candidate for candidate in candidates if candidate.accepted and candidate.id not in known)
        row = next(row for row in rows if row.status == 'completed')
        changes = {'candidate': new.id, 'key': new.key, 'proposed': new.content, 'relaxed': new.content}
        return [*rows, replace(row, **changes, template=new.template, generation=rows[-1].generation)]

    copy.change_table(change)


def relabel_hit(copy: Copy) -> None:
    """Another label for one row."""
    copy.change_table(
        lambda rows, goal: _change_last(rows, hit=not [row for row in rows if row.status == 'completed'][-1].hit)
    )


def change_seed(copy: Copy) -> None:
    """Another seed in the settings."""
    settings = copy.load().inputs.settings
    copy.change(settings.pk, {**settings.get_dict(), 'seed': settings['seed'] + 1})


def change_library(copy: Copy) -> None:
    """A library of other templates."""
    from aiida_inversedesign.libraries.library import Library
    from aiida_inversedesign.nodes.library_data import LibraryData

    node = copy.load().inputs.library
    templates = [replace(template, id=f'other-{template.id}') for template in node.get_library()]
    copy.become(node.pk, LibraryData.from_library(Library(templates)))


def swap_structure(copy: Copy) -> None:
    """The structures of two evaluations take each other's place."""
    first, second = (evaluation.inputs.candidate for evaluation in copy.evaluations()[:2])
    attributes = dict(first.base.attributes.all)
    copy.change(first.pk, dict(second.base.attributes.all))
    copy.change(second.pk, attributes)


def change_equation_of_state(copy: Copy) -> None:
    """A bulk modulus a tenth larger in one fit."""
    fit = next(item.outputs.equation_of_state for item in copy.evaluations() if 'equation_of_state' in item.outputs)
    copy.change(fit.pk, {**fit.get_dict(), 'B0': 1.1 * fit['B0']})


def delete_calculation(copy: Copy) -> None:
    """One calculation job less; what it made stays."""
    from aiida.orm import CalcJobNode

    job = next(child for item in copy.evaluations() for child in item.called if isinstance(child, CalcJobNode))
    copy.delete(job.pk)


def change_budget(copy: Copy) -> None:
    """A budget of twice as many evaluations."""
    budget = copy.load().inputs.budget
    copy.change(budget.pk, {**budget.get_dict(), 'evaluations': 2 * budget['evaluations']})


@dataclass(frozen=True)
class Tampering:
    """One way to tamper with a campaign.

    :param expected: the kind of finding that names it.
    :param needs_jobs: whether it takes a campaign whose evaluations are calculation jobs.
    """

    name: str
    do: Callable[[Copy], None]
    expected: str
    needs_jobs: bool = False


TAMPERINGS = (
    Tampering('a property changed in a table', change_property, 'property'),
    Tampering('a row removed', remove_row, 'missing_row'),
    Tampering('an evaluation added', add_evaluation, 'row_without_evaluation'),
    Tampering('a hit relabelled', relabel_hit, 'hit'),
    Tampering('another seed', change_seed, 'seed'),
    Tampering('another library', change_library, 'library'),
    Tampering('a swapped structure', swap_structure, 'structure'),
    Tampering('an altered equation of state', change_equation_of_state, 'equation_of_state', needs_jobs=True),
    Tampering('a deleted calculation', delete_calculation, 'missing_calculation', needs_jobs=True),
    Tampering('a changed budget', change_budget, 'budget'),
)


def tampered(tampering: Tampering, storage: Path, folder: Path, campaign: str, careful: bool) -> Copy:
    """A copy that was tampered with.

    :param careful: whether the hashes of all nodes are made to fit afterwards.
    """
    copy = Copy.of(storage, folder, campaign)
    with opened(copy.folder):
        tampering.do(copy)
    if careful:
        copy.rehash()
    return copy
