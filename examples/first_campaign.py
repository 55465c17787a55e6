"""A campaign from Python: read a file, build its inputs, run it here, look at the table.

Run it in a profile that has what the file names, e.g. after ``aiida-inversedesign library import …``::

    verdi run examples/first_campaign.py workflows/rehearsal.yaml
"""

import sys

from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

spec = read_campaign(sys.argv[1])
node = run_campaign(build_campaign(spec))
print(node.outputs.stop_reason.value)
for row in node.outputs.table.get_rows():
    print(row.candidate, row.key, row.status, row.properties if row.status == 'completed' else row.reason)
