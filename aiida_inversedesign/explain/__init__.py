"""What a campaign has learned: importances, dependences, reasons of choices, rules. Reads only; imports no aiida."""
