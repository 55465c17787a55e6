"""Read a campaign from its archive, without any AiiDA profile: figures, tables, crystals.

python examples/audit_archive.py campaign.aiida
"""

import sys

from aiida_inversedesign.audit import frames

record = frames.read_record(sys.argv[1])
print(f'{record.name}: {record.stop_reason or record.state}')

table = frames.evaluations(record)
units = table.attrs['units']
names = record.goal.properties
print(table.groupby('generation')[['dft_calculations']].sum().join(table.groupby('generation')['hit'].sum()))
print('what failed:')
print(table[table.status == 'failed'][['candidate', 'formula', 'reason']].to_string(index=False))
print('the best:')
shown = frames.best(record, 5)[['candidate', 'formula', 'template', *names]]
print(shown.rename(columns={name: f'{name} ({units.get(name, "-")})' for name in names}).to_string(index=False))

jobs = frames.jobs(record)
print('jobs by what they were for:')
print(jobs[~jobs.cached].groupby('kind')['is_restart'].agg(jobs='size', restarts='sum'))

for item in frames.best_evaluations(record)[:1]:
    if item.relaxed is not None:
        print(item.relaxed.to_pymatgen())
