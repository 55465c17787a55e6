"""The decisions of a campaign as calculations: propose, select, harvest, fit, conclude."""
