"""The paper folder of a campaign: tables, figures, crystals, archive, methods paragraph, references and metadata."""
