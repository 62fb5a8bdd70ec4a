"""The improvement chapter of the demo: signals are found week by week, and people act on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from improvement.actions.models import Action
from improvement.actions.services import add_action, complete_action
from improvement.cycle import intake
from improvement.cycle import services as cycle
from improvement.cycle.reopening import close_sustained
from improvement.diagnosis.models import Finding
from improvement.diagnosis.services import add_finding
from improvement.tickets.comments import comment
from improvement.tickets.models import Severity, Ticket
from improvement.tickets.services import propose
from improvement.verification.services import check_effect, confirm_effect, save_effect_plan
from sqcore.base import bus
from sqcore.base.periods import Grain
from sqcore.demo.chapters import Report, Story
from sqcore.identity.directory import directory
from sqcore.identity.models import User
from sqcore.identity.principals import Principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.watching import watch
from sqcore.org.models import Unit

WAIT = "counter-waiting-time"
WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class ImprovementChapter:
    """What people did about the planted truths: Ferry is repaired, Lighthouse only seems to be,
    Riverside is still in the intake."""

    key: str = "improvement"
    order: int = 95

    def tell(self, story: Story, report: Report) -> None:
        teller = Teller(story)
        scenes = teller.scenes()
        for done, week in enumerate(sorted(scenes), start=1):
            teller.go_to(week)
            for scene in scenes[week]:
                scene()
            report("Signals are found, and people act on them", done, len(scenes))


class Teller:
    """Moves the clock of the story and lets its people act; a scene happens at the start of the
    week that it is listed under."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.system = IndicatorSystem.objects.get(code="service-quality")
        self.users = {user.username: user for user in User.objects.order_by("id")}
        self.now = story.at(story.opening)

    def scenes(self) -> Mapping[int, list[Callable[[], None]]]:
        weeks = self.story.history.calendar.weeks
        return {
            49: [self.accept_ferry, self.explain_ferry, self.snooze_riverside],
            53: [self.approve_ferry],
            56: [],
            61: [self.repair_ferry],
            67: [self.accept_lighthouse, self.explain_lighthouse],
            70: [self.approve_lighthouse],
            75: [self.snooze_riverside],
            79: [self.separate_the_queues],
            83: [self.verify_ferry],
            84: [self.keep_what_ferry_learnt, self.mend_the_queue_machine],
            93: [],
            99: [self.look_at_lighthouse],
            101: [],
            weeks + 1: [self.ask_for_signs],
        }

    # ---- The clock -----------------------------------------------------------------------------

    def monday(self, week: int) -> date:
        return self.story.opening + (week - 1) * WEEK

    def go_to(self, week: int) -> None:
        """Come to the Monday of this week: the charts are looked at, and who has to hears of it."""
        self.now = min(self.story.at(self.monday(week), hour=8), self.story.now)
        watch(system=self.system, grain=Grain.WEEK, now=self.now)
        bus.drain(now=self.now)
        intake.wake_snoozed(now=self.now)
        close_sustained(now=self.now)
        bus.drain(now=self.now)

    def as_(self, username: str) -> Principal:
        return directory().principal_of(self.users[username], now=self.now)

    def ticket_at(self, branch: str) -> Ticket:
        found = Ticket.objects.filter(unit__code=branch, code=WAIT, signal__isnull=False)
        return found.order_by("id").latest("id")

    # ---- Ferry: a real improvement -------------------------------------------------------------

    def accept_ferry(self) -> None:
        self.accept("ferry", "The counters cannot be staffed better before the new roster is in.")

    def explain_ferry(self) -> None:
        ticket = self.ticket_at("ferry")
        self.plan(
            ticket,
            Plan(
                problem="Since the end of the year customers of Ferry wait some 14 minutes at the "
                "counter, five more than before and than at other branches.",
                similar="Riverside shows the same since the same week; its manager was told.",
                whys=(
                    ("Two of eight counters are closed at noon", "Log of the queue machine"),
                    ("Both tellers of the late shift take their break then", "Roster of the weeks"),
                    ("The roster was copied from a branch that closes at noon", "Change record"),
                ),
                cause="process-scheduling",
                action="Stagger the breaks so that seven counters are open from 11:30 to 14:00",
                begins=61,
                check=83,
            ),
        )

    def approve_ferry(self) -> None:
        self.approve("ferry", "The roster can be changed without new staff. Agreed.")

    def repair_ferry(self) -> None:
        self.carry_out("ferry", "The new roster is in force; the union agreed.")

    def verify_ferry(self) -> None:
        ticket, ana = self.ticket_at("ferry"), self.as_("ana")
        check = check_effect(ticket_id=ticket.pk, by=ana, now=self.now)
        confirm_effect(check_id=check.pk, by=ana, now=self.now)
        cycle.conclude_check(ticket_id=ticket.pk, by=self.as_("mei"), now=self.now)

    def keep_what_ferry_learnt(self) -> None:
        ticket = self.ticket_at("ferry")
        cycle.standardise(
            ticket_id=ticket.pk,
            revision=None,
            code="breaks-at-the-counter",
            title="Breaks at the counter",
            text="From 11:30 to 14:00 at most one counter of a branch is closed for a break. The "
            "roster is made two weeks ahead; who swaps a break tells the operations officer.",
            valid_from=self.monday(85),
            rebase=False,
            by=self.as_("mei"),
            now=self.now,
        )
        cycle.approve_standard(
            ticket_id=ticket.pk,
            revision=None,
            comment="Short enough to be kept. Other branches get it with the next circular.",
            by=self.as_("ana"),
            now=self.now,
        )

    # ---- Lighthouse: only regression to the mean -----------------------------------------------

    def accept_lighthouse(self) -> None:
        self.accept("lighthouse", "Nothing could be done at once.")

    def explain_lighthouse(self) -> None:
        self.plan(
            self.ticket_at("lighthouse"),
            Plan(
                problem="For some weeks customers of Lighthouse waited 15 minutes at the counter.",
                similar="Not seen at other branches.",
                whys=(("The queue machine mixes two queues", "Observed on two mornings"),),
                cause="support-equipment",
                action="Give each service a queue of its own",
                begins=79,
                check=99,
            ),
        )

    def approve_lighthouse(self) -> None:
        self.approve("lighthouse", "Worth a try. The numbers were back before; we shall see.")

    def separate_the_queues(self) -> None:
        self.carry_out("lighthouse", "The queue machine calls three queues.")

    def look_at_lighthouse(self) -> None:
        check_effect(ticket_id=self.ticket_at("lighthouse").pk, by=self.as_("ana"), now=self.now)

    # ---- Riverside, and small things -----------------------------------------------------------

    def snooze_riverside(self) -> None:
        intake.snooze(
            ticket_id=self.ticket_at("riverside").pk,
            revision=None,
            until=self.now.date() + 25 * WEEK,
            by=self.as_("chen"),
            now=self.now,
        )

    def mend_the_queue_machine(self) -> None:
        """A small fix takes four steps: proposed, accepted, planned, done."""
        ticket, _new = propose(
            unit=Unit.objects.get(code="harbour-gate"),
            title="The queue machine runs out of paper at noon",
            description="Customers then stand without a number, twice this week.",
            by=self.as_("li"),
            now=self.now,
        )
        mei = self.as_("mei")
        intake.accept(
            ticket_id=ticket.pk, revision=None, owner_id=self.users["mei"].pk,
            severity=Severity.S4, containment="", contained_on=None, is_containment_waived=True,
            customers_affected=None, by=mei, now=self.now,
        )  # fmt: skip
        cycle.plan_small(
            ticket_id=ticket.pk, revision=None, text="Check the paper when the branch opens",
            owner_id=self.users["mei"].pk, due_on=self.now.date() + WEEK, by=mei, now=self.now,
        )  # fmt: skip
        action = Action.objects.get(ticket=ticket)
        complete_action(
            action_id=action.pk, outcome="It is on the list of the morning.",
            effective_on=self.now.date(), by=mei, now=self.now,
        )  # fmt: skip
        cycle.finish_doing(ticket_id=ticket.pk, revision=None, by=mei, now=self.now)

    def ask_for_signs(self) -> None:
        ticket, _new = propose(
            unit=Unit.objects.get(code="harbour-gate"),
            title="Customers ask where the desk for business accounts is",
            description="Five or six a day. A sign at the door would do.",
            by=self.as_("li"),
            now=self.now,
        )
        text = "The sign at the lift points the wrong way, too."
        comment(ticket_id=ticket.pk, text=text, by=self.as_("li"), now=self.now)

    # ---- What people do with a ticket ----------------------------------------------------------

    def accept(self, branch: str, why_not_contained: str) -> None:
        intake.accept(
            ticket_id=self.ticket_at(branch).pk, revision=None, owner_id=self.users["mei"].pk,
            severity=Severity.S3, containment=why_not_contained, contained_on=None,
            is_containment_waived=True, customers_affected=None, by=self.as_("mei"), now=self.now,
        )  # fmt: skip

    def plan(self, ticket: Ticket, plan: "Plan") -> None:
        mei = self.as_("mei")
        cycle.state_problem(
            ticket_id=ticket.pk, revision=None, problem=plan.problem, similar=plan.similar,
            by=mei, now=self.now,
        )  # fmt: skip
        parent: int | None = None
        for place, (text, evidence) in enumerate(plan.whys, start=1):
            finding = add_finding(
                ticket_id=ticket.pk, kind=Finding.Kind.WHY, text=text, evidence=evidence,
                cause=plan.cause, parent_id=parent, is_root=place == len(plan.whys),
                by=mei, now=self.now,
            )  # fmt: skip
            parent = finding.pk
        add_action(
            ticket_id=ticket.pk, kind=Action.Kind.CORRECTIVE, text=plan.action,
            owner_id=self.users["mei"].pk, due_on=self.monday(plan.begins), by=mei, now=self.now,
        )  # fmt: skip
        save_effect_plan(
            ticket_id=ticket.pk, code=WAIT, grain=Grain.WEEK, minimum=1.8,
            starts_on=self.monday(plan.begins), washout=2, wished_on=self.monday(plan.check),
            balancing=[("transaction-accuracy", 0.005)], by=mei, now=self.now,
        )  # fmt: skip
        cycle.submit_plan(ticket_id=ticket.pk, revision=None, by=mei, now=self.now)

    def approve(self, branch: str, why: str) -> None:
        cycle.approve_plan(
            ticket_id=self.ticket_at(branch).pk, revision=None, comment=why, by=self.as_("ana"),
            now=self.now,
        )  # fmt: skip

    def carry_out(self, branch: str, outcome: str) -> None:
        """The action takes effect on this Monday."""
        ticket, mei = self.ticket_at(branch), self.as_("mei")
        for action in Action.objects.filter(ticket=ticket).order_by("id"):
            complete_action(
                action_id=action.pk, outcome=outcome, effective_on=self.now.date(), by=mei,
                now=self.now,
            )  # fmt: skip
        cycle.finish_doing(ticket_id=ticket.pk, revision=None, by=mei, now=self.now)


@dataclass(frozen=True)
class Plan:
    """A plan as it is written: whys from the first to the root, weeks of the action and check."""

    problem: str
    similar: str
    whys: tuple[tuple[str, str], ...]
    cause: str
    action: str
    begins: int
    check: int
