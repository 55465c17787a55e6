"""What work chains and jobs share: idempotent submission, repeated attempts, programs of this package as jobs."""
