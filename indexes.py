"""The 25 indexes that the platform's queries rely on: `INDEXES`, each with its purpose.

Add an index here and nowhere else: a run builds it, verifies it, and repairs it when it is broken.
The deployed services and their runbooks know the names, so none is renamed, and those that cover
no more than a primary key does (`idx_users_email`, `idx_dishes_day_time`, …) stay.
"""

from typing import Any, List

from sqlalchemy import Index
from sqlalchemy.sql.roles import DDLConstraintColumnRole

from models import AlcoholConsumption, AlcoholForDay, Dish, DishDay, TotalForDay, User, Weight


def index(
    name: str, *columns: DDLConstraintColumnRole, purpose: str, use_case: str, **options: Any
) -> Index:
    """An index on a model's columns, B-tree unless `options` say otherwise.

    `options` are those of `sqlalchemy.Index`. Several columns make a composite index, the order
    matters; a partial one says which rows it holds:

        index(
            "idx_dishes_day_heavy",
            DishDay.user_email,
            purpose="the few rows of 1,000 kcal and more",
            use_case="warnings about heavy meals",
            postgresql_where=DishDay.estimated_avg_calories >= 1000,
        )

    `purpose` (what the index finds) and `use_case` (who asks) end up in `index.info`.
    """
    info = {**options.pop("info", {}), "purpose": purpose, "use_case": use_case}
    return Index(name, *columns, info=info, **options)


INDEXES: List[Index] = [
    # user
    index(
        "idx_users_email_gin",
        User.email,
        purpose="users by any part of their e-mail (LIKE '%test%'), which a B-tree cannot find",
        use_case="e-mail autocomplete",
        postgresql_using="gin",
        postgresql_ops={"email": "gin_trgm_ops"},
    ),
    index(
        "idx_users_email",
        User.email,
        purpose="one user by the exact e-mail",
        use_case="sign-in and profile",
    ),
    index(
        "idx_users_last_activity",
        User.last_activity,
        purpose="users by when they were last active",
        use_case="activity statistics, inactive accounts",
    ),
    index(
        "idx_users_register_date",
        User.register_date,
        purpose="users by when they registered",
        use_case="registration statistics",
    ),
    # dishes
    index(
        "idx_dishes_user_email",
        Dish.user_email,
        purpose="all dishes that a user keeps",
        use_case="a user's own dishes",
    ),
    index(
        "idx_dishes_name",
        Dish.name,
        purpose="dishes by exact name",
        use_case="dish by name",
    ),
    # dishes_day
    index(
        "idx_dishes_day_user_email",
        DishDay.user_email,
        purpose="the whole food diary of a user",
        use_case="export and statistics of a user",
    ),
    index(
        "idx_dishes_day_date",
        DishDay.date,
        purpose="what everybody ate on a date",
        use_case="daily statistics",
    ),
    index(
        "idx_dishes_day_time",
        DishDay.time,
        purpose="one diary entry, or a range, by time",
        use_case="changing and deleting an entry",
    ),
    index(
        "idx_dishes_day_user_date",
        DishDay.user_email,
        DishDay.date,
        purpose="a user's diary of one date",
        use_case="what a user ate on a date",
    ),
    index(
        "idx_dishes_day_user_time",
        DishDay.user_email,
        DishDay.time,
        purpose="a user's diary in order of time, without a sort",
        use_case="latest food entry",
    ),
    # total_for_day
    index(
        "idx_total_for_day_user_email",
        TotalForDay.user_email,
        purpose="all daily sums of a user",
        use_case="calorie history",
    ),
    index(
        "idx_total_for_day_today",
        TotalForDay.today,
        purpose="everybody's sums of one day",
        use_case="daily statistics",
    ),
    index(
        "idx_total_for_day_user_today",
        TotalForDay.user_email,
        TotalForDay.today,
        purpose="a user's sums of one day",
        use_case="today's totals",
    ),
    # weight
    index(
        "idx_weight_user_email",
        Weight.user_email,
        purpose="all weights of a user",
        use_case="export and statistics of a user",
    ),
    index(
        "idx_weight_time",
        Weight.time,
        purpose="one weight, or a range, by time",
        use_case="changing and deleting a weight",
    ),
    index(
        "idx_weight_date",
        Weight.date,
        purpose="weights by their day as text",
        use_case="weight on a date",
    ),
    index(
        "idx_weight_user_time",
        Weight.user_email,
        Weight.time,
        purpose="a user's weights in order of time, without a sort",
        use_case="weight history",
    ),
    # alcohol_consumption
    index(
        "idx_alcohol_consumption_user_email",
        AlcoholConsumption.user_email,
        purpose="all alcoholic drinks of a user",
        use_case="export and statistics of a user",
    ),
    index(
        "idx_alcohol_consumption_date",
        AlcoholConsumption.date,
        purpose="everybody's alcoholic drinks of a date",
        use_case="daily statistics",
    ),
    index(
        "idx_alcohol_consumption_time",
        AlcoholConsumption.time,
        purpose="one drink, or a range, by time",
        use_case="changing and deleting a drink",
    ),
    index(
        "idx_alcohol_consumption_user_time",
        AlcoholConsumption.user_email,
        AlcoholConsumption.time,
        purpose="a user's alcoholic drinks of a range, in order of time",
        use_case="alcohol events of a range",
    ),
    # alcohol_for_day
    index(
        "idx_alcohol_for_day_user_email",
        AlcoholForDay.user_email,
        purpose="all daily alcohol sums of a user",
        use_case="alcohol history",
    ),
    index(
        "idx_alcohol_for_day_date",
        AlcoholForDay.date,
        purpose="everybody's alcohol sums of one day",
        use_case="daily statistics",
    ),
    index(
        "idx_alcohol_for_day_user_date",
        AlcoholForDay.user_email,
        AlcoholForDay.date,
        purpose="a user's alcohol sums of one day",
        use_case="alcohol of a day",
    ),
]
