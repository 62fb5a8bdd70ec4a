"""The outbox, its deliveries, and remembered requests."""

from django.db import models


class OutboxEvent(models.Model):
    """Something that happened, written in the transaction in which it happened."""

    kind = models.CharField(max_length=80)
    payload = models.JSONField()
    published_at = models.DateTimeField()

    class Meta:
        ordering = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Delivery(models.Model):
    """One event on its way to one handler; unique, so that an effect happens once."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        DEAD = "dead"

    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    handler = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "handler"], name="delivery_once_a_handler"),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_due",
                condition=models.Q(state="pending"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.handler} of event {self.event_id}"


class RememberedRequest(models.Model):
    """A request that created something, kept so that its repeat gets the same answer.

    `scope` is who asked for what. `key` is a digest of the client's key and random to look at, so
    that the rows have no order; of the body there is only a digest that needs the client's key, and
    of the moment only the day: a row says nothing about a single anonymous answer.
    """

    key = models.CharField(max_length=64, primary_key=True)
    scope = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_on = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["created_on"], name="remembered_request_age")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key[:12]}"


class Heartbeat(models.Model):
    """When the periodic work last ran: the clock, the broker and a worker were all there."""

    name = models.CharField(max_length=40, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.seen_at:%Y-%m-%d %H:%M:%S}"
