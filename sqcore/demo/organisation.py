"""The first chapter: the bank opens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction

from sqcore.demo import bank
from sqcore.demo.chapters import Report, Story
from sqcore.demo.people import staff_number
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.org.models import Channel, Post, Segment, Staff, Unit
from sqcore.org.services import add_staff, grant_role, open_unit, set_up_organisation

CODE = "harbour-bank"
STAFF = 300


@dataclass(frozen=True)
class OrganisationChapter:
    key: str = "organisation"
    order: int = 10

    @transaction.atomic
    def tell(self, story: Story, report: Report) -> None:
        set_up_organisation(name=bank.BANK, time_zone="Asia/Shanghai", by=story.by, now=story.now)
        _name_channels_segments_and_posts()
        units = _open_units(story)
        posts = {post.code: post for post in Post.objects.order_by("id")}
        people = story.history.people
        first_days = dict(zip(people.numbers, people.first_day.tolist(), strict=True))
        for done, seat in enumerate(_seats(), start=1):
            starts = story.history.calendar.day(first_days.get(seat.number, 0))
            add_staff(
                number=seat.number,
                name=f"{bank.POSTS[seat.post][0]['en']} {seat.number[:2]}-{seat.number[2:]}",
                unit=units[seat.unit],
                post=posts[seat.post],
                on=starts,
                by=story.by,
                now=story.at(starts, hour=8),
            )
            report("The bank opens its branches", done, STAFF)
        _let_people_in(units, story)


class Seat(NamedTuple):
    """A post somewhere in the bank, and the number of who fills it."""

    unit: str
    post: str
    number: str


def _seats() -> Iterator[Seat]:
    """Yield the 300 seats: 14 a branch, one a region, the others at the head office."""
    plan = ["manager"] + ["teller"] * bank.TELLERS_A_BRANCH
    plan += ["phone-adviser"] * bank.PHONE_ADVISERS_A_BRANCH + ["operations"]
    for branch, code in enumerate(bank.BRANCH_CODES):
        for place, post in enumerate(plan):
            yield Seat(code, post, staff_number(branch, place))
    offices = len(bank.BRANCH_CODES)
    for place, code in enumerate(bank.REGION_CODES):
        yield Seat(code, "region", staff_number(offices, place))
    for place in range(bank.AT_HEAD_OFFICE):
        yield Seat(CODE, "head-office", staff_number(offices + 1, place))


def _name_channels_segments_and_posts() -> None:
    for place, (code, name) in enumerate(bank.CHANNELS.items()):
        Channel.objects.create(code=code, name=name, position=place)
    for place, (code, name) in enumerate(bank.SEGMENTS.items()):
        Segment.objects.create(code=code, name=name, position=place)
    for code, (name, is_front_line) in bank.POSTS.items():
        Post.objects.create(code=code, name=name, is_front_line=is_front_line)


def _open_units(story: Story) -> dict[str, Unit]:
    units = {CODE: _open(story, CODE, bank.BANK, None, "organisation")}
    for (code, en, zh), branches in bank.BRANCHES.items():
        units[code] = _open(story, code, bank.both(en, zh), units[CODE], "region")
        for branch, branch_en, branch_zh in branches:
            name = bank.both(branch_en, branch_zh)
            units[branch] = _open(story, branch, name, units[code], "branch")
    return units


def _open(story: Story, code: str, name: dict[str, str], parent: Unit | None, kind: str) -> Unit:
    return open_unit(
        code=code,
        name=name,
        parent=parent,
        kind=kind,
        on=story.opening,
        by=story.by,
        now=story.at(story.opening, hour=8),
    )


def _let_people_in(units: dict[str, Unit], story: Story) -> None:
    for person in bank.PEOPLE:
        user = User.objects.create_user(
            person.username,
            None,
            name=person.name,
            email=f"{person.username}@harbour.example",
            language=person.language,
            is_staff=person.role == Role.ADMINISTRATOR,
            is_superuser=person.role == Role.ADMINISTRATOR,
        )
        unit = units.get(person.unit)
        grant_role(
            user=user, role=person.role, unit=unit, on=story.opening, by=story.by, now=story.now
        )
        if person.number:
            Staff.objects.filter(number=person.number).update(user=user, name=person.name)
