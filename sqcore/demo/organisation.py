"""The first chapter: the bank opens."""

from dataclasses import dataclass

from django.db import transaction

from sqcore.demo import bank
from sqcore.demo.chapters import Report, Story
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.org.models import Channel, Post, Segment, Staff, Unit
from sqcore.org.services import add_staff, grant_role, open_unit, set_up_organisation

CODE = "harbour-bank"


@dataclass(frozen=True)
class OrganisationChapter:
    key: str = "organisation"
    order: int = 10

    @transaction.atomic
    def tell(self, story: Story, report: Report) -> None:
        set_up_organisation(name=bank.BANK, time_zone="Asia/Shanghai", by=story.by, now=story.now)
        _name_channels_segments_and_posts()
        units = _open_units(story)
        for done, branch in enumerate(_branches(), start=1):
            _staff_branch(units[branch], number=done, story=story)
            report("The bank opens its branches", done, len(_branches()))
        _let_people_in(units, story)


def _branches() -> list[str]:
    return [code for branches in bank.BRANCHES.values() for code, _en, _zh in branches]


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
        on=story.first,
        by=story.by,
        now=story.at(story.first, hour=8),
    )


def _staff_branch(unit: Unit, *, number: int, story: Story) -> None:
    posts = {post.code: post for post in Post.objects.order_by("id")}
    plan = ["manager"] + ["teller"] * bank.TELLERS_A_BRANCH + ["adviser"] * bank.ADVISERS_A_BRANCH
    for place, post in enumerate(plan):
        add_staff(
            number=f"{number:02d}{place:02d}",
            name=f"{bank.POSTS[post][0]['en']} {number:02d}-{place:02d}",
            unit=unit,
            post=posts[post],
            on=story.first,
            by=story.by,
            now=story.at(story.first, hour=8),
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
            user=user, role=person.role, unit=unit, on=story.first, by=story.by, now=story.now
        )
        if person.role == Role.STAFF:
            teller = Staff.objects.filter(assignments__unit=unit, assignments__post__code="teller")
            teller.filter(pk=teller.order_by("number").values("pk")[:1]).update(
                user=user, name=person.name
            )
