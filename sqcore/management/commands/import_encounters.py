"""`manage.py import_encounters FILE... --mapping MAPPING`: encounters or event logs from files."""

from argparse import ArgumentParser

from sqcore.management.commands import import_measurements


class Command(import_measurements.Command):
    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(kind="encounters")
