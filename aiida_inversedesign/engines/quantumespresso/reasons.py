"""Exit codes of pw.x jobs and their work chains in plain words. Imports no aiida."""

from __future__ import annotations

#: Process type of the jobs of pw.x.
PW = 'aiida.calculations:quantumespresso.pw'

#: Those of dos.x and projwfc.x.
DOS, PROJWFC = 'aiida.calculations:quantumespresso.dos', 'aiida.calculations:quantumespresso.projwfc'

#: exit status of a Quantum ESPRESSO job (aiida-quantumespresso 5.1, ``PwCalculation``) or of AiiDA's ``CalcJob``
JOB_REASONS: dict[int, str] = {
    100: 'the job left no output to look at: its working directory vanished or could not be read',
    110: 'the scheduler ended the job for using too much memory: ask for more memory or use more machines',
    120: 'the scheduler ended the job at its wall-time limit: raise evaluate.options.max_wallclock_seconds',
    131: 'the scheduler refused the account: check evaluate.options.account',
    140: 'a compute node failed while the job ran',
    150: 'a monitor stopped the job',
    302: 'pw.x wrote no output (perhaps the executable is missing or did not start)',
    303: 'pw.x wrote no results file (perhaps it did not start, crashed or was killed)',
    305: 'pw.x left no readable output (perhaps it did not start, crashed at once or was killed)',
    310: 'the output of pw.x could not be read',
    312: 'the output of pw.x breaks off (perhaps killed by a user, the memory limit or the scheduler)',
    320: 'the results file of pw.x could not be read (perhaps pw.x was killed while it wrote it)',
    340: 'pw.x ran out of wall time and was ended before it could save its state: raise '
    'evaluate.options.max_wallclock_seconds',
    350: "the output of pw.x confused aiida-quantumespresso's parser",
    400: 'pw.x ran out of wall time: raise evaluate.options.max_wallclock_seconds',
    410: 'the self-consistent cycle did not converge',
    461: 'pw.x failed in the exact-exchange step',
    481: 'more k-point pools were asked for than there are k-points',
    500: 'the relaxation did not converge',
    501: 'the relaxation converged, but forces or pressure are above their thresholds in the final calculation',
    502: 'the relaxation did not converge within its largest number of steps',
    503: 'the relaxation was interrupted (wall time, kill or node failure) before it converged',
    510: 'a self-consistent cycle during the relaxation did not converge',
    511: 'the relaxation converged, but not the final self-consistent cycle',
    520: 'the relaxation broke off: its line search failed twice',
    521: 'the relaxation broke off: its line search failed twice and the final cycle did not converge',
    531: 'pw.x found a wrong number of electrons: a metal may have been treated as an insulator',
    541: 'the relaxation broke the symmetry of its own k-points',
    542: 'the cell shrank so far during the relaxation that pw.x gave up',
    710: 'the self-consistent cycle did not converge',
}

#: numerical breakdowns of the eigensolver that only experts distinguish
JOB_REASONS |= dict.fromkeys(
    (360, 462, 463, 464, 465, 466, 467, 468),
    'the eigensolver of pw.x broke down: often atoms too close to each other or an unsuitable pseudopotential',
)

#: files that came back but make no sense
JOB_REASONS |= dict.fromkeys(
    (301, 304, 311, 321, 322), 'the output of pw.x is damaged or of a version that aiida-quantumespresso does not read'
)

#: of dos.x and projwfc.x, whatever file it is that did not come
AFTER_REASONS = '{program}.x did not write what it should (perhaps it did not start, crashed or was killed)'

#: exit status of ``PwBaseWorkChain`` where no job explains it
BASE_REASONS: dict[int, str] = {
    201: 'a pseudopotential is missing: the family must hold every element of the crystal',
    202: 'no k-points were given',
    301: 'a job ended with a Python exception (verdi process report shows it)',
    302: 'a job was killed by a user',
}


def explain(process_type: str, exit_status: int | None) -> str:
    """What an exit status of a process of aiida-quantumespresso means; empty if nothing better is known."""
    if process_type == PW:
        return JOB_REASONS.get(exit_status or 0, '')
    if process_type in (DOS, PROJWFC) and exit_status in (302, 310, 312, 330, 332):
        return AFTER_REASONS.format(program=process_type.rpartition('.')[2])
    if process_type.startswith('aiida.workflows:quantumespresso.pw.') or process_type.endswith('.PwSliceWorkChain'):
        return BASE_REASONS.get(exit_status or 0, '')
    return ''
