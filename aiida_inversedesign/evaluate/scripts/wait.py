"""Take the time of a computation and fail if told to: ``input.json`` → ``results.json``. Needs Python alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

if __name__ == '__main__':
    job = json.loads(Path('input.json').read_text())
    time.sleep(job['seconds'])
    Path('results.json').write_text(json.dumps({'seconds': job['seconds'], 'failed': job['fail']}))
