"""Take the time of a computation and fail if asked to: ``input.json`` → ``results.json``. Needs Python alone.

Where the variable ``INVERSEDESIGN_LAUNCHES`` names a file, a line is added to it at the start and at the end: a record
of what ran, kept outside AiiDA, with which the provenance can be compared.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from guard import sole_attempt


def note(event, job):
    """Add a line to the record; one write, so that lines of several jobs never mix."""
    record = os.environ.get('INVERSEDESIGN_LAUNCHES')
    if not record:
        return
    line = {'event': event, 'crystal': job.get('crystal'), 'folder': str(Path.cwd()), 'time': time.time()}
    line['failed'] = job['fail']
    descriptor = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (json.dumps(line) + '\n').encode())
    finally:
        os.close(descriptor)


if __name__ == '__main__':
    job = json.loads(Path('input.json').read_text())
    with sole_attempt(job.get('earlier_attempts', []), ['results.json']) as taken:
        if taken is None:
            note('start', job)
            time.sleep(job['seconds'])
            Path('results.json').write_text(json.dumps({'seconds': job['seconds'], 'failed': job['fail']}))
            note('end', job)
