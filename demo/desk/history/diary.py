"""The window day by day: what the books demand, what went wrong, and everyday visits to fill it."""

from desk.history import scenes
from desk.history.calendar import ALWAYS, OFFICE, shares

# Everyday visits: the scene, when it happens, how often against the others.
EVERYDAY = (
    (scenes.clerk, OFFICE, 40),
    (scenes.analyst, OFFICE, 6),
    (scenes.boss, OFFICE, 5),
    (scenes.machine, ALWAYS, 14),
    (scenes.shopper, ALWAYS, 18),
    (scenes.bot, ALWAYS, 5),
    (scenes.monitor, ALWAYS, 12),
)
QUIET = 0.12
# Activities of a login: the page, the form, the event.
DOOR = 3
EVENTS = {
    "placed": ("placed_at", scenes.place_order),
    "shipped": ("shipped_at", scenes.ship_order),
    "cancelled": ("cancelled_at", scenes.cancel_order),
    "approved": ("approved_at", scenes.approve_invoice),
}
DAYS_BETWEEN_INCIDENTS = 6


def write(dice, days, *, activities, cast, stories):
    """Yield each day's activities, in order of time; together they are exactly `activities`."""
    budgets = shares(activities, [day.weight for day in days])
    troubled = _troubled(days)
    for day, budget in zip(days, budgets, strict=True):
        orders = [s.order for s in stories if s.order.placed_at < day.start]
        stage = scenes.Stage(dice, cast, orders, day)
        happened = _demanded(stage, budget, stories, trouble=day in troubled)
        while len(happened) + DOOR * len(stage.sessions) < budget:
            happened += _inside(day, _everyday(stage))
        happened = _inside(day, stage.doors(happened)) + happened
        while len(happened) < budget:
            # Fewer came to the door than there are sessions; shoppers have none.
            happened += _inside(day, scenes.shopper(stage, day.moment(dice, ALWAYS)))
        yield sorted(happened[:budget], key=lambda activity: activity.action_time)


def _troubled(days):
    """Return every sixth full day, counted back from the newest, which is what people see first."""
    busiest = max(day.weight for day in days)
    return [day for day in reversed(days) if day.weight > busiest / 2][::DAYS_BETWEEN_INCIDENTS]


def _demanded(stage, budget, stories, *, trouble):
    day, happened = stage.day, []
    billed = [s for s in stories if s.billed_at and day.start <= s.billed_at < day.end]
    if billed:
        happened += scenes.nightly(billed[0].billed_at, billed)[: max(1, budget // 6)]
    if trouble:
        some = max(4, min(60, budget // 12))
        happened += scenes.burglary(stage, day.moment(stage.dice, ALWAYS), tries=some)
        happened += scenes.release(stage, day.moment(stage.dice, OFFICE), errors=some)
    for story in stage.dice.sample(stories, len(stories)):
        for name, tell in EVENTS.values():
            moment = getattr(story, name)
            if moment and day.start <= moment < day.end:
                happened += tell(stage, story)
    return _inside(day, happened)


def _everyday(stage):
    # A weekend has fewer people, and machines that do not notice.
    weekend = stage.day.date.weekday() >= 5
    weights = [
        often * (QUIET if weekend and curve is OFFICE else 1) for _, curve, often in EVERYDAY
    ]
    scene, curve, _often = stage.dice.choices(EVERYDAY, weights)[0]
    return scene(stage, stage.day.moment(stage.dice, curve))


def _inside(day, activities):
    # Who comes at the last minute goes on in a day that is not there yet, or is told already.
    return [activity for activity in activities if activity.action_time < day.end]
