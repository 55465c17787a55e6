"""The figures of a report: one module draws one section of the page."""
