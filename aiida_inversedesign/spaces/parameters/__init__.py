"""Points of continuous, integer and categorical variables: processes, compositions, designs."""
