"""Thousands apart, as in print; Django's own file would write 1,2345."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
