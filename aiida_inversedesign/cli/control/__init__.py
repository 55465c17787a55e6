"""Commands that follow and control campaigns: status, stop, resume, tend, clean."""
