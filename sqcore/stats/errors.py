"""What the statistics refuse."""


class StatisticsError(ValueError):
    """The input breaks a rule of the method. The message names the rule."""
