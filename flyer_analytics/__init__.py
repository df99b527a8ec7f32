"""Commands around the dbt project."""
