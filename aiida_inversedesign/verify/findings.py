"""What ``verify`` can find, by name. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Kind of finding → what it means.
KINDS: dict[str, str] = {
    'changed_node': 'the content or the inputs of a node are not those it was stored with',
    'changed_file': 'a file of a node is not the one it was stored with',
    'property': 'a property does not follow from what the engine computed, or a table says otherwise than it',
    'copy': 'an evaluation is called a copy of one that ended in something else',
    'missing_row': 'an evaluation, or a point of the starting data, is missing from a table',
    'known': 'the starting data are not those of the campaign, or a table says otherwise than they',
    'row_without_evaluation': 'a table has a row for a candidate that was never evaluated',
    'unchosen_evaluation': 'an evaluation that no selection had chosen',
    'hit': 'the label of a hit is not what the goal says of the properties',
    'outcome': 'a table or the record of a harvest says of an evaluation what its process does not',
    'prediction': 'a table says another prediction or arm than the selection',
    'seed': 'a decision was taken with another seed than that of the campaign',
    'settings': 'a decision, an evaluation or a job had other settings, codes or limits than the campaign gives it',
    'library': 'a proposal used another template library than that of the campaign',
    'model': 'a proposal used another proposal model than that of the campaign',
    'structure': 'a crystal is not the one that was chosen, evaluated or returned',
    'equation_of_state': 'an equation of state does not follow from its energies',
    'reference': 'a reference energy does not follow from the evaluation of the element, or was not the one used',
    'calculation_output': 'the results of a job do not follow from the files it left',
    'missing_calculation': 'a calculation that a result comes from is not in the graph',
    'missing_decision': 'a proposal, selection or harvest that a generation is based on is not in the graph',
    'state': 'a generation did not go on from what the one before it returned',
    'budget': 'the budget is not the one that the campaign kept to',
    'not_readable': 'what is stored was written by a version with other settings: the check was not made',
    'stop_reason': 'the reason why the campaign stopped does not follow from its budget and what it spent',
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    :param kind: one of :data:`KINDS`.
    :param node: UUID of the node that it was found in.
    :param message: what is wrong there, in words.
    """

    kind: str
    node: str
    message: str


def unique(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, in the order of :data:`KINDS`, those of one kind as they were found."""
    order = list(KINDS)
    return sorted(dict.fromkeys(findings), key=lambda item: order.index(item.kind))
