"""The space: what a candidate is, how it is described, and where its nodes are made."""

from typing import Literal

import numpy as np

from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.section import Count


class Stack(str):
    key = content_hash = property(str)

    def to_dict(self):
        return {'layers': str(self)}


class StackSpace(SpaceSection):
    kind: Literal['stacks']
    layers: Count = 6
    noun, nouns = 'stack', 'stacks'
    key_name = 'layers'
    source = 'random_stacks'
    nodes = 'inversedesign_stacks.shell'

    @classmethod
    def read(cls, data):
        return Stack(data['layers'])

    def describe(self, contents, probabilities):
        rows = [[stack.count('A'), stack.count('AB') + stack.count('BA')] for stack in contents]
        return np.array(rows, dtype=float).reshape(-1, 2), ['layers_of_a', 'interfaces']
