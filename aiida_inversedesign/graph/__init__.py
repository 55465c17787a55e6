"""What the provenance graph says: queries, job records, outcomes, costs. Part of the digest of deciding code."""
