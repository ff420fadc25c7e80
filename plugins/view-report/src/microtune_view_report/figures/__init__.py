"""The figures: each a function of a ResultGrid that answers with a plotly Figure, and raises a RunError that says why where
it has nothing to show."""
