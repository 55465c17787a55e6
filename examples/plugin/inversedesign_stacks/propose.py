"""The source: random stacks, the same for the same seed; the screen: not too many equal layers in a row."""

import random
import re

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.screen import Screen
from aiida_inversedesign.campaign.contracts.source import Source
from aiida_inversedesign.campaign.section import Count, Model
from inversedesign_stacks.space import Stack


class RandomStacks(Source):
    name = 'random_stacks'
    spaces = ('stacks',)
    words = 'stacks drawn at random'

    def propose(self, request):
        draw = random.Random(request.seed)
        found = {''.join(draw.choice('AB') for _ in range(request.spec.space.layers)) for _ in range(60)}
        return [Candidate('', stack, Stack(stack), self.name) for stack in sorted(found - request.considered)]


class RunSettings(Model):
    longest: Count = 3


class Runs(Screen):
    name = 'runs'
    spaces = ('stacks',)
    section = RunSettings

    def judge(self, candidates, request):
        lengths = [max(map(len, re.findall('A+|B+', candidate.key))) for candidate in candidates]
        passed = [n <= request.settings.longest for n in lengths]
        return [Verdict(ok, n, '' if ok else f'{n} equal layers') for ok, n in zip(passed, lengths, strict=True)]
