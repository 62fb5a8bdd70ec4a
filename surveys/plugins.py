"""What this app offers to the registries of the house."""
