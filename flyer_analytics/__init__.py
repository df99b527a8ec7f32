"""Python tools beside the dbt project: what SQL cannot do for it."""
