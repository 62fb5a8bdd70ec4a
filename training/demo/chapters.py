"""The people's chapter of the demo: what customers say of people, courses and whether they worked,
certificates, and awards that two people agreed on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import transaction

from sqcore.base import bus
from sqcore.base.periods import Grain, Period
from sqcore.base.text import TranslatedText
from sqcore.demo.bank import both
from sqcore.demo.calendar import stream
from sqcore.demo.chapters import ZONE, Report, Story
from sqcore.demo.impressions import Course as HeldCourse
from sqcore.encounters.models import Encounter
from sqcore.identity.directory import directory
from sqcore.identity.models import User
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff, Unit
from sqcore.performance.disputes import decide_dispute, raise_dispute
from sqcore.performance.models import Dispute
from sqcore.performance.runs import evaluate_people
from training.certificates.services import close_session
from training.competencies.models import Competency, Evidence, Level
from training.competencies.services import (
    install_seed_competencies,
    record_evidence,
    require_level,
)
from training.courses.models import Course, CourseVersion, Mode, Session
from training.courses.services import plan_session, publish_version, save_course, set_taught
from training.effect.models import Study
from training.effect.services import conclude_study, register_study
from training.enrolments.models import Attempt, Enrolment
from training.enrolments.services import Presence, enrol, record_attempt, record_attendance
from training.incentives.deciding import approve_proposal, review_proposal
from training.incentives.models import Proposal, Scheme
from training.incentives.payroll import freeze_batch
from training.incentives.proposing import propose_period
from training.incentives.recognition import answer_recognition, recognise
from training.incentives.schemes import publish_version as publish_rules
from training.incentives.schemes import save_scheme, try_on_history, write_version
from training.needs.services import plan_need
from training.records.rows import CertificateRows
from training.requirements.services import recompute_all, require_course

DAY = timedelta(days=1)
FRONT_LINE = ("teller", "phone-adviser")
SEATS = 20
SEEN = ("06", "07")
"""How staff numbers begin at Harbour Gate and Fish Market, where Mei has seen people at work."""
LEVELS = {
    "service-awareness": Level.SKILLED,
    "communication": Level.INDEPENDENT,
    "professional-knowledge": Level.SKILLED,
    "emotion": Level.INDEPENDENT,
}
"""What the front line needs."""


@dataclass(frozen=True)
class Subject:
    """A course of the demo."""

    name: TranslatedText
    outline: str
    minutes: int
    mode: str = Mode.CLASSROOM
    teaches: str = ""
    measure: str = ""
    pass_mark: int | None = None
    months: int | None = None
    ends_in: int | None = None
    is_open: bool = False

    @property
    def certifies(self) -> bool:
        return self.months is not None


SUBJECTS = {
    "listening": Subject(
        both("Listening and giving attention", "倾听与关注"),
        "What customers want is said in the first minute. Practice in pairs: ask, repeat, agree.",
        360,
        teaches="service-awareness",
        measure="servqual/empathy",
        pass_mark=60,
    ),
    "product-knowledge": Subject(
        both("Product knowledge", "产品知识"),
        "Accounts, cards and loans with their conditions, and how they are explained.",
        360,
        teaches="professional-knowledge",
        measure="servqual/assurance",
        pass_mark=60,
    ),
    "money-laundering": Subject(
        both("Prevention of money laundering", "反洗钱"),
        "Who is behind an account, what has to be reported, and to whom.",
        90,
        Mode.ONLINE,
        months=12,
        ends_in=12,
    ),
    "data-protection": Subject(
        both("Protection of customers' data", "客户信息保护"),
        "What may be asked, kept and told on; what to do when something went wrong.",
        60,
        Mode.ONLINE,
        months=24,
    ),
    "calm-at-the-counter": Subject(
        both("Staying calm at the counter", "柜台情绪管理"),
        "Angry customers: what helps them, and what helps you.",
        240,
        Mode.SIMULATION,
        teaches="emotion",
        is_open=True,
    ),
}


@dataclass(frozen=True)
class TrainingChapter:
    """Two courses of which one works, certificates that end, a need that waits, awards."""

    key: str = "training"
    order: int = 97

    def tell(self, story: Story, report: Report) -> None:
        teller = Teller(story)
        scenes = teller.scenes()
        for done, (on, scene) in enumerate(sorted(scenes, key=lambda each: each[0]), start=1):
            teller.go_to(on)
            scene()
            bus.drain(now=teller.now)
            report("People learn, and results reach them", done, len(scenes))


class Teller:
    """Moves the clock of the story from scene to scene and lets its people act."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.now = story.at(story.opening)
        self.users = {user.username: user for user in User.objects.order_by("id")}
        self.staff = {staff.number: staff for staff in Staff.objects.order_by("id")}
        self.starts = story.history.calendar.month_starts()

    def scenes(self) -> list[tuple[date, Callable[[], None]]]:
        def month(number: int, day: int = 1) -> date:
            return self.starts[number - 1] + (day - 1) * DAY

        # Two whole quarters of awards fit before the end.
        first = Period.of(self.story.end - 10 * DAY, Grain.QUARTER).previous.previous
        return [
            (month(1, 8), self.describe_work),
            (month(1, 9), self.offer_courses),
            (month(2, 20), self.take_certificates),
            (month(12, 20), self.begin_studies),
            (month(13, 3), self.measure_people(13)),
            (month(13, 25), self.hold_courses),
            (month(16, 3), self.measure_people(16)),
            (first.start + 40 * DAY, self.write_schemes),
            (month(19, 3), self.measure_people(19)),
            (first.end + 9 * DAY, self.propose),
            (first.end + 19 * DAY, self.grant),
            (month(20, 2), self.thank),
            (month(22, 3), self.measure_people(22)),
            (first.next.end + 9 * DAY, self.propose),
            (month(23, 10), self.dispute),
            (self.story.end, self.measure_people(25)),
            (self.story.end, self.conclude_studies),
            (self.story.end, self.plan_for_the_weak),
            (self.story.end, self.work_out_obligations),
        ]

    # ---- The clock -------------------------------------------------------------------------------

    def go_to(self, on: date) -> None:
        self.now = min(self.story.at(on, hour=9), self.story.now)

    def as_(self, username: str) -> Principal:
        return directory().principal_of(self.users[username], now=self.now)

    @property
    def hua(self) -> dict[str, Any]:
        """HR does it, now."""
        return {"by": self.as_("hua"), "now": self.now}

    # ---- What work needs -------------------------------------------------------------------------

    @transaction.atomic
    def describe_work(self) -> None:
        """The frame, what the front line needs, and where everybody stands."""
        install_seed_competencies(**self.hua)
        competencies = {each.code: each for each in Competency.objects.all()}
        for code in FRONT_LINE:
            for competency, level in LEVELS.items():
                require_level(
                    post=Post.objects.get(code=code), competency=competencies[competency],
                    level=level, valid_from=self.now.date(), **self.hua,
                )  # fmt: skip
        self.assess(competencies)

    def assess(self, competencies: Mapping[str, Competency]) -> None:
        """Mei has seen her people at work; a few do not have yet what their post needs."""
        generator = stream(self.story.seed, "skills")
        mei, today = self.as_("mei"), self.now.date()
        for number in self.story.history.people.numbers:
            if number[:2] not in SEEN or self.staff[number].joined_on > today:
                continue
            for code, needed in LEVELS.items():
                record_evidence(
                    staff=self.staff[number], competency=competencies[code],
                    level=int(needed) - int(generator.random() < 0.1),
                    kind=Evidence.Kind.ASSESSMENT, on=today, text="Seen at work.", by=mei,
                    now=self.now,
                )  # fmt: skip

    def offer_courses(self) -> None:
        competencies = {each.code: each for each in Competency.objects.all()}
        for code, subject in SUBJECTS.items():
            course = save_course(
                code=code, name=subject.name, description={}, mode=subject.mode,
                is_open=subject.is_open, **self.hua,
            )  # fmt: skip
            publish_version(
                course=course, outline=subject.outline, minutes=subject.minutes,
                pass_mark=subject.pass_mark, attempts=3, attendance=80,
                certifies=subject.certifies, valid_months=subject.months,
                renewal="calendar" if subject.ends_in else "rolling",
                renewal_month=subject.ends_in, due_days=60, replaces_older=False,
                reaction="training-reaction" if subject.teaches else "", **self.hua,
            )  # fmt: skip
            if subject.teaches:
                level = LEVELS[subject.teaches]
                set_taught(course=course, levels={competencies[subject.teaches]: level}, **self.hua)
        for code in FRONT_LINE:
            post = Post.objects.get(code=code)
            self.require("money-laundering", post, "The law asks it of all who open accounts.")
            self.require("data-protection", post, "Who sees data of customers knows the rules.")

    def require(self, code: str, post: Post, reason: str) -> None:
        require_course(
            course=Course.objects.get(code=code), post=post, unit=None, within_days=60,
            reason=reason, valid_from=self.now.date(), **self.hua,
        )  # fmt: skip

    def take_certificates(self) -> None:
        """The learning system sends what it knows on three days; some never took the course."""
        generator = stream(self.story.seed, "certificates")
        rows: list[dict[str, str]] = []
        for number in self.story.history.people.numbers:
            joined = self.staff[number].joined_on
            for code, months in (("money-laundering", (2, 14)), ("data-protection", (2,))):
                for month in months:
                    if generator.random() < (0.96 if month == months[-1] else 1.0):
                        day = self.starts[month - 1] + int(generator.integers(0, 90)) * DAY
                        rows.append(_certificate(number, code, month, max(day, joined + 20 * DAY)))
        self.sent = sorted(rows, key=lambda row: (row["issued_on"], row["external_key"]))

    def certificates_until(self, now: datetime) -> None:
        """Take in what the learning system has sent by now."""
        due = [row for row in self.sent if row["issued_on"] <= now.date().isoformat()]
        intake = CertificateRows().open(by=self.as_("hua"), now=now)
        problems = intake.problems(due)
        if problems:
            raise AssertionError(problems[0])
        with transaction.atomic():
            intake.store(due)
            intake.finish()

    # ---- Two courses, of which one works ---------------------------------------------------------

    def held(self, code: str) -> HeldCourse:
        courses = self.story.history.impressions.courses
        return next(course for course in courses if course.truth.code == code)

    def people(self, rows: Any) -> list[Staff]:
        numbers = self.story.history.people.numbers
        return [self.staff[numbers[row]] for row in rows.tolist()]

    def begin_studies(self) -> None:
        """Hua says what the courses promise before anybody is trained: who was chosen stands."""
        for code in ("listening", "product-knowledge"):
            held = self.held(code)
            first, last = held.truth.chosen_on_months
            register_study(
                code=f"{code}-1", course=Course.objects.get(code=code),
                measure=SUBJECTS[code].measure, pool=Study.Pool.LOWEST,
                selected_from=self.starts[first - 1], selected_to=self.starts[last],
                before_from=self.starts[last], before_to=self.starts[held.truth.month - 1],
                after_from=self.starts[held.truth.month], after_to=self.story.end,
                minimum=0.25,
                trained_ids=[staff.pk for staff in self.people(held.trained)],
                control_ids=[staff.pk for staff in self.people(held.controls)],
                **self.hua,
            )  # fmt: skip

    def hold_courses(self) -> None:
        generator = stream(self.story.seed, "tests of courses")
        for code in ("listening", "product-knowledge"):
            people = self.people(self.held(code).trained)
            for number in range(len(people) // SEATS):
                part = people[number * SEATS : (number + 1) * SEATS]
                self.hold(code, number + 1, part, generator)

    def hold(
        self, code: str, number: int, people: Sequence[Staff], generator: np.random.Generator
    ) -> None:
        """One session: enrolled a fortnight before, there all day, tested before and after."""
        day = self.now.date() - (8 - 2 * number) * DAY
        planned: dict[str, Any] = {
            "by": self.as_("hua"),
            "now": self.story.at(day - 20 * DAY, hour=9),
        }
        session = self.plan_session(code, number, day, len(people), planned)
        enrolments = [
            enrol(
                session_id=session.pk, staff_id=staff.pk, origin=Enrolment.Origin.MANAGER,
                **planned,
            )
            for staff in people
        ]  # fmt: skip
        slots = list(session.slots.all())
        record_attendance(
            session_id=session.pk,
            rows=[Presence(each.pk, slot.pk, 180) for each in enrolments for slot in slots],
            **self.hua,
        )
        for enrolment in enrolments:
            first = int(np.clip(generator.normal(54, 12), 10, 90))
            last = int(np.clip(first + generator.normal(21, 9), 61, 100))
            for kind, score in ((Attempt.Kind.BEFORE, first), (Attempt.Kind.TEST, last)):
                record_attempt(
                    enrolment_id=enrolment.pk, kind=kind, score=Decimal(score), on=day, **self.hua
                )
        close_session(session_id=session.pk, actual_cost=1_260_000, **self.hua)

    def plan_session(
        self, code: str, number: int, day: date, seats: int, planned: dict[str, Any]
    ) -> Session:
        version = CourseVersion.objects.filter(course__code=code).latest("number")
        return plan_session(
            code=f"{code}-{day:%Y-%m}-{number}", version=version, mode=Mode.CLASSROOM,
            unit=Unit.objects.get(code="harbour-bank"), place="Training centre, room 3",
            trainer=None, provider="Harbour Academy", capacity=seats,
            slots=[(_at(day, 9), _at(day, 12)), (_at(day, 14), _at(day, 17))],
            enrol_until=None, planned_cost=1_200_000, **planned,
        )  # fmt: skip

    def conclude_studies(self) -> None:
        for study in Study.objects.order_by("id"):
            conclude_study(study_id=study.pk, **self.hua)

    # ---- Results of people -----------------------------------------------------------------------

    def measure_people(self, month: int) -> Callable[[], None]:
        """What customers said in the twelve months before this one reaches the people."""

        def scene() -> None:
            self.certificates_until(self.now)
            evaluate_people(ends_on=self.starts[month - 1], now=self.now)

        return scene

    def dispute(self) -> None:
        """Li says of two encounters that they were not hers; Ana agrees to one."""
        li = self.staff["0601"]
        since = self.now.date() - 40 * DAY
        mine = Encounter.objects.filter(staff=li, on__gte=since).order_by("arrived_at")
        for place, encounter in enumerate(mine[:2]):
            raised = raise_dispute(
                encounter_key=encounter.key,
                reason=(Dispute.Reason.NOT_MINE, Dispute.Reason.OUTAGE)[place],
                text="I was at the other counter; a colleague finished it."
                if place == 0
                else "The banking system did not answer for half an hour.",
                by=self.as_("li"),
                now=self.now,
            )
            if place == 0:
                decide_dispute(
                    dispute_id=raised.pk, uphold=True,
                    decision="The log of the counters names the colleague.",
                    by=self.as_("ana"), now=self.now,
                )  # fmt: skip

    def plan_for_the_weak(self) -> None:
        """Customers find the teller 0704 inattentive: Mei plans the next course for them."""
        day = self.story.now.date() + 24 * DAY
        self.now = self.story.now
        session = self.plan_session("listening", 1, day, 12, self.hua)
        self.plan_session("calm-at-the-counter", 1, day + 7 * DAY, 8, self.hua)
        weak = self.story.history.people.numbers[self.story.history.people.weak]
        need = self.staff[weak].training_needs.filter(
            state="open", competency__code="service-awareness"
        )
        for each in need:
            plan_need(need_id=each.pk, session_id=session.pk, by=self.as_("mei"), now=self.now)

    def work_out_obligations(self) -> None:
        self.certificates_until(self.story.now)
        recompute_all(now=self.story.now)

    # ---- Awards ----------------------------------------------------------------------------------

    def write_schemes(self) -> None:
        bonus = save_scheme(
            code="service-bonus", name=both("Bonus for service", "服务奖金"), kind=Scheme.Kind.PAY,
            grain=Grain.QUARTER, currency="CNY", budget=25_000_000, **self.hua,
        )  # fmt: skip
        version = write_version(
            scheme_id=bonus.pk,
            rules=[
                {
                    "rule": "unit-result", "amount": 70_000, "system": "service-quality",
                    "posts": list(FRONT_LINE),
                },
                {"rule": "result-linear", "amount": 30_000, "measure": "servqual/overall"},
            ],
            reason="What the branch reached together counts most; one's own part has no steps.",
            valid_from=self.last_quarter.next.start, **self.hua,
        )  # fmt: skip
        tried = self.last_quarter
        try_on_history(version_id=version.pk, first=tried.start, end=tried.end, **self.hua)
        publish_rules(version_id=version.pk, **self.hua)

    @property
    def last_quarter(self) -> Period:
        """The newest quarter that is over."""
        return Period.of(self.now.date(), Grain.QUARTER).previous

    def propose(self) -> None:
        start = self.last_quarter.start
        for scheme in Scheme.objects.filter(state=Scheme.State.ACTIVE):
            propose_period(scheme_id=scheme.pk, period_start=start, now=self.now)

    def grant(self) -> None:
        """Mei looks at Harbour Gate's, Hua approves; one is declined; payroll gets its file."""
        waiting = Proposal.objects.filter(state="proposed", unit__code="harbour-gate")
        for place, proposal in enumerate(waiting.order_by("staff__number")):
            agrees = place != 3
            reason = "Fits what I see at the counter." if agrees else "Was on a project elsewhere."
            review_proposal(
                proposal_id=proposal.pk, agrees=agrees, reason=reason, by=self.as_("mei"),
                now=self.now,
            )  # fmt: skip
            if agrees:
                approve_proposal(
                    proposal_id=proposal.pk, agrees=True, reason="Within the rules and the budget.",
                    **self.hua,
                )  # fmt: skip
        freeze_batch(currency="CNY", through=self.now.date(), **self.hua)

    def thank(self) -> None:
        words = recognise(
            staff_id=self.staff["0601"].pk,
            text="A customer came without papers and in tears. You sat down with her, and she "
            "left with a card and a plan.",
            by=self.as_("mei"), now=self.now,
        )  # fmt: skip
        answer_recognition(recognition_id=words.pk, show=True, by=self.as_("li"), now=self.now)


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=ZONE)


def _certificate(number: str, code: str, month: int, day: date) -> dict[str, str]:
    key = f"{code}-{number}-{month:02d}"
    return {
        "number": number, "course": code, "issued_on": day.isoformat(), "external_key": key,
    }  # fmt: skip
