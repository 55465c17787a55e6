"""Whether explanations hold: rules on rows that were held out, importances of descriptors whose worth is known."""
