"""The platform's key queries, which are timed after a run.

A new query is an entry in `QUERIES`. SQLAlchemy is not imported here, nor anything that imports it:
that alone takes longer than a run that finds nothing to do.
"""

from typing import List

from converge.benchmark import Query

QUERIES: List[Query] = [
    Query(
        name="e-mail autocomplete",
        use_case="finding a friend by a part of the e-mail",
        table="user",
        sql='SELECT email FROM {schema}."user" WHERE email LIKE %(pattern)s '
        "ORDER BY email LIMIT 10",
        sample="""SELECT '%%' || substr(email, 2, 6) || '%%' AS pattern
                  FROM {schema}."user" LIMIT 1""",
        fallback={"pattern": "%test%"},
        indexes=("idx_users_email_gin",),
    ),
    Query(
        name="exact user lookup",
        use_case="sign-in and profile",
        table="user",
        sql='SELECT email, language FROM {schema}."user" WHERE email = %(email)s',
        sample='SELECT email FROM {schema}."user" LIMIT 1',
        fallback={"email": "test@example.com"},
        indexes=("user_pkey", "idx_users_email"),
    ),
    Query(
        name="what a user ate on a date",
        use_case="the diary page of a day",
        table="dishes_day",
        sql="SELECT * FROM {schema}.dishes_day "
        "WHERE user_email = %(user_email)s AND date = %(date)s ORDER BY time",
        sample="SELECT user_email, date FROM {schema}.dishes_day LIMIT 1",
        fallback={"user_email": "test@example.com", "date": "2025-01-01"},
        indexes=(
            "idx_dishes_day_user_date",
            "idx_dishes_day_user_time",
            "idx_dishes_day_user_email",
            "idx_dishes_day_date",
        ),
    ),
    Query(
        name="latest food entry",
        use_case="the start page",
        table="dishes_day",
        sql="SELECT * FROM {schema}.dishes_day "
        "WHERE user_email = %(user_email)s ORDER BY time DESC LIMIT 1",
        sample="SELECT user_email FROM {schema}.dishes_day LIMIT 1",
        fallback={"user_email": "test@example.com"},
        indexes=("idx_dishes_day_user_time", "idx_dishes_day_user_email"),
    ),
    Query(
        name="today's totals",
        use_case="the start page",
        table="total_for_day",
        sql="SELECT * FROM {schema}.total_for_day "
        "WHERE user_email = %(user_email)s AND today = %(today)s",
        sample="SELECT user_email, today FROM {schema}.total_for_day LIMIT 1",
        fallback={"user_email": "test@example.com", "today": "2025-01-01"},
        indexes=(
            "idx_total_for_day_user_today",
            "idx_total_for_day_user_email",
            "idx_total_for_day_today",
        ),
    ),
    Query(
        name="weight history",
        use_case="the weight chart",
        table="weight",
        sql="SELECT time, weight FROM {schema}.weight "
        "WHERE user_email = %(user_email)s ORDER BY time",
        sample="SELECT user_email FROM {schema}.weight LIMIT 1",
        fallback={"user_email": "test@example.com"},
        indexes=("idx_weight_user_time", "idx_weight_user_email"),
    ),
    Query(
        name="dish by name",
        use_case="logging a dish that the user keeps",
        table="dishes",
        sql="SELECT * FROM {schema}.dishes WHERE name = %(name)s AND user_email = %(user_email)s",
        sample="SELECT name, user_email FROM {schema}.dishes LIMIT 1",
        fallback={"name": "test", "user_email": "test@example.com"},
        indexes=("idx_dishes_name", "idx_dishes_user_email"),
    ),
    Query(
        name="alcohol events of a range",
        use_case="the alcohol calendar, a week of it",
        table="alcohol_consumption",
        sql="SELECT * FROM {schema}.alcohol_consumption WHERE user_email = %(user_email)s "
        "AND time BETWEEN %(first)s AND %(last)s ORDER BY time",
        sample="""SELECT user_email, time - 7 * 86400 AS first, time AS last
                  FROM {schema}.alcohol_consumption LIMIT 1""",
        fallback={"user_email": "test@example.com", "first": 0, "last": 7 * 86400},
        indexes=(
            "idx_alcohol_consumption_user_time",
            "idx_alcohol_consumption_user_email",
            "idx_alcohol_consumption_time",
            "alcohol_consumption_pkey",
        ),
    ),
    Query(
        name="alcohol of a day",
        use_case="the alcohol calendar, a day of it",
        table="alcohol_for_day",
        sql="SELECT * FROM {schema}.alcohol_for_day "
        "WHERE user_email = %(user_email)s AND date = %(date)s",
        sample="SELECT user_email, date FROM {schema}.alcohol_for_day LIMIT 1",
        fallback={"user_email": "test@example.com", "date": "2025-01-01"},
        indexes=(
            "alcohol_for_day_pkey",
            "idx_alcohol_for_day_user_date",
            "idx_alcohol_for_day_user_email",
            "idx_alcohol_for_day_date",
        ),
    ),
]
