"""What pw.x, dos.x, launchers and schedulers write when a job fails: a fake program repeats it.

The texts follow the sources of Quantum ESPRESSO 6 and 7, Open MPI 4 and 5, MPICH and Slurm.
"""

# ruff: noqa: E501 (texts of programs have their own width)

from __future__ import annotations

from dataclasses import dataclass

HEADER = """
     Program PWSCF v.7.2 starts on 12Mar2025 at 14:13:59

     This program is part of the open-source Quantum ESPRESSO suite
     for quantum simulation of materials; please cite
         "P. Giannozzi et al., J. Phys.:Condens. Matter 21 395502 (2009);
          URL http://www.quantum-espresso.org",

     Parallel version (MPI), running on     2 processors
     R & G space division:  proc/nbgrp/npool/nimage =       2
"""

SCF = """
     Self-consistent Calculation

     iteration #  1     ecut=    40.00 Ry     beta= 0.40
     Davidson diagonalization with overlap
     ethr =  1.00E-02,  avg # of iterations =  3.4

     total cpu time spent up to now is        3.1 secs
"""

RULE = '-' * 74


@dataclass(frozen=True)
class Failure:
    """One way in which a job of pw.x fails.

    :param output: what the program wrote; None: no file.
    :param errors: what came to the job's error stream.
    :param records: the table of ``sacct``.
    :param words: what has to be quoted.
    """

    name: str
    words: str
    output: str | None = HEADER
    errors: str = ''
    records: str = ''


def block(routine: str, number: int, *lines: str, times: int = 1) -> str:
    """The error block of a version since 5.4, once or from several processes."""
    sign = ' ' + '%' * 78
    text = '\n'.join(
        ['', sign, f'     Error in routine {routine} ({number}):', *(f'     {x}' for x in lines), sign, '']
    )
    return text * times + '\n     stopping ...\n'


def old_block(routine: str, number: int, line: str) -> str:
    """The error block of older versions, and of the file CRASH."""
    sign = ' ' + '%' * 78
    return f'{sign}\n     task #         0\n     from {routine} : error #{number:10d}\n     {line}\n{sign}\n\n     stopping ...\n'


def stopped(name: str, routine: str, number: int, *lines: str, scf: bool = False, times: int = 1) -> Failure:
    """A job whose program stopped with an error block."""
    output = HEADER + (SCF if scf else '') + block(routine, number, *lines, times=times)
    return Failure(name, f'Error in routine {routine} ({number}): {" ".join(lines)}', output)


def killed(name: str, words: str, errors: str, records: str = '', output: str | None = HEADER + SCF) -> Failure:
    """A job that the system, a launcher or the scheduler ended or never started."""
    return Failure(name, words, output, errors, records)


def sacct(state: str, code: str) -> str:
    """What Slurm's records say."""
    return f'JobID|JobName|Partition|State|ExitCode|Reason|\n4711|aiida-12|normal|{state}|{code}|None|\n'


FAILURES = [
    stopped('bands not converged', 'c_bands', 1, 'too many bands are not converged', scf=True, times=2),
    stopped('S matrix', 'rdiaghg', 149, 'S matrix not positive definite', scf=True),
    stopped('S matrix, complex', 'cdiaghg', 12, 'S matrix not positive definite', scf=True),
    stopped('cholesky', 'cdiaghg', 127, 'problems computing cholesky', scf=True),
    stopped('eigenvectors', 'cdiaghg', 3, 'eigenvectors failed to converge', scf=True),
    stopped('charge', 'electrons', 1, 'charge is wrong: smearing is needed', scf=True),
    stopped('smearing', 'iweights', 1, 'charge is wrong: smearing is needed', scf=True),
    stopped('electrons', 'setup', 1, 'the system is metallic, specify occupations'),
    stopped('too few bands', 'setup', 1, 'too few bands'),
    stopped('bands for a metal', 'init_run', 1, 'nbnd < (nelec+1)/2'),
    stopped('many bands', 'd_matrix_nc', 3, 'D_S (l=3) for this symmetry operation is not orthogonal'),
    stopped('symmetry', 'sgam_at', 2, 'symmetry operation is not orthogonal: not orthogonal operation'),
    stopped('symmetry of the charge', 'checkallsym', 2, 'not orthogonal operation'),
    stopped('some atoms not related', 'checkallsym', 1, 'some of the original symmetry operations not satisfied '),
    stopped('k-points', 'card_k_points', 1, 'error while reading k point number'),
    stopped('too many k-points', 'kpoint_grid', 1, 'Some element xk(:,ik) is wrong'),
    stopped('irreducible', 'irreducible_bz', 1, 'probably because G_par is NOT a reciprocal lattice vector'),
    stopped('pools', 'divide_et_impera', 1, 'some nodes have no k-points'),
    stopped('pseudopotential missing', 'readpp', 1, 'file ./pseudo/Xx.pbe-n-kjpaw_psl.1.0.0.UPF not found'),
    stopped('pseudopotential damaged', 'read_ncpp', 2, 'pseudo file is empty or wrong'),
    stopped('functional', 'set_dft_from_name', 1, 'conflicting values for igcx'),
    stopped('volume', 'scale_h', 1,
            'Not enough space allocated for radial FFT: try restarting with a larger cell_factor.', scf=True),
    stopped('disk', 'davcio', 10, 'error while writing from file "./out/aiida.wfc1"', scf=True),
    stopped('memory of the FFT', 'fft_type_set', 1, 'too many processors for an effective band parallelization'),
    stopped('atoms', 'check_atoms', 1, 'atoms #   1 and #   2 overlap!'),
    stopped('namelist', 'read_namelists', 2, ' bad line in namelist &system: "ecutwf= 30" (error could be in the '
            'previous line)'),
    stopped('spin', 'setup', 1, 'some starting_magnetization MUST be set'),
    stopped('exact exchange', 'electrons', 1, 'dexx is negative!  Check that exxdiv_treatment is appropriate'),
    Failure('old block', 'Error in routine from_restart (1): some error', HEADER + old_block('from_restart', 1, 'some error')),
    Failure('only CRASH of dos.x', 'Error in routine dos (1): reading xml file',
            HEADER + old_block('dos', 1, 'reading xml file')),
    Failure('no convergence', 'convergence NOT achieved after  80 iterations: stopping',
            HEADER + SCF + '     End of self-consistent calculation\n\n     convergence NOT achieved after  80 iterations: '
            'stopping\n'),
    Failure('BFGS', 'history already reset at previous step: stopping',
            HEADER + SCF + '     Number of bfgs steps     = 3\n\n     history already reset at previous step: stopping\n'),
    Failure('wall time of pw.x', 'Maximum CPU time exceeded', HEADER + SCF + '     Maximum CPU time exceeded\n\n'
            '     max_seconds     =    3420.00\n     elapsed seconds =    3423.70\n'),
    killed('mpirun as root', 'mpirun has detected an attempt to run as root.',
           f'{RULE}\nmpirun has detected an attempt to run as root.\n\nRunning as root is *strongly* discouraged as any '
           f'mistake (e.g., in\ndefining TMPDIR) or bug can result in catastrophic damage\n{RULE}\n', output=''),
    killed('slots', 'There are not enough slots available in the system to satisfy the 4 slots that were requested by '
           'the application:',
           f'{RULE}\nThere are not enough slots available in the system to satisfy the 4\nslots that were requested by '
           f'the application:\n\n  pw.x\n\nEither request fewer procs for your application, or make more slots\n{RULE}\n',
           output=''),
    killed('no executable', 'mpirun was unable to find the specified executable file, and therefore did not launch the '
           'job.',
           f'{RULE}\nmpirun was unable to find the specified executable file, and therefore\ndid not launch the job.  '
           f'This error was first reported for process\nrank 0; it may have occurred for other processes as well.\n\n'
           f'Node: n1\nExecutable: /opt/qe/bin/pw.x\n{RULE}\n'.replace('job.  This', 'job.\n\nThis'), output=''),
    killed('after a warning', 'mpirun noticed that process rank 1 with PID 0 on node n1 exited on signal 9 (Killed).',
           f'{RULE}\nWARNING: There was an error initializing an OpenFabrics device.\n\n  Local host: n1\n{RULE}\n{RULE}\n'
           f'mpirun noticed that process rank 1 with PID 0 on node n1 exited on signal 9 (Killed).\n{RULE}\n'),
    killed('MPICH', 'execvp error on file pw.x (No such file or directory)',
           '[proxy:0:0@n1] HYDU_create_process (utils/launch/launch.c:74): execvp error on file pw.x (No such file or '
           'directory)\n', output=''),
    killed('command not found', 'pw.x: command not found',
           '/scratch/12/_aiidasubmit.sh: line 14: pw.x: command not found\n', output=''),
    killed('shared library', 'libmkl_scalapack_lp64.so.2: cannot open shared object file',
           '/opt/qe/bin/pw.x: error while loading shared libraries: libmkl_scalapack_lp64.so.2: cannot open shared object '
           'file: No such file or directory\n', output=''),
    killed('segmentation fault', 'Segmentation fault',
           '\nProgram received signal SIGSEGV: Segmentation fault - invalid memory reference.\n\nBacktrace for this error:\n'
           '#0  0x7f0c in ???\n'),
    killed('memory', 'Detected 1 oom_kill event',
           'slurmstepd: error: Detected 1 oom_kill event in StepId=4711.0. Some of the step tasks have been OOM Killed.\n'
           'srun: error: n1: task 0: Out Of Memory\n', sacct('OUT_OF_MEMORY', '0:125')),
    killed('allocation', 'Cannot allocate memory',
           'Operating system error: Cannot allocate memory\nAllocation would exceed memory limit\n'),
    killed('wall time of Slurm', 'DUE TO TIME LIMIT',
           'slurmstepd: error: *** JOB 4711 ON n1 CANCELLED AT 2025-03-12T15:14:05 DUE TO TIME LIMIT ***\n',
           sacct('TIMEOUT', '0:0')),
    killed('node failure', 'node failure (NODE_FAIL)', '', sacct('NODE_FAIL', '0:0')),
    killed('quota', 'Disk quota exceeded',
           "At line 120 of file davcio.f90 (unit = 10, file = './out/aiida.wfc1')\nFortran runtime error: Disk quota "
           'exceeded\n'),
    killed('disk full', 'No space left on device', 'cp: error writing out/aiida.save/wfc1.dat: No space left on device\n'),
    killed('Intel Fortran', 'forrtl: severe (174): SIGSEGV, segmentation fault occurred',
           'forrtl: severe (174): SIGSEGV, segmentation fault occurred\nImage   PC    Routine\n'),
    killed('damaged file', 'Fortran runtime error: End of file',
           'At line 52 of file read_pseudo.f90\nFortran runtime error: End of file\n'),
]  # fmt: skip
