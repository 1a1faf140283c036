"""A small set of ratings with a planted structure: user and item effects, two factors, some noise."""

import datetime as dt

import numpy as np

from jobs.prepare.split import split
from jobs.prepare.stored import RATINGS, Tables

USERS, ITEMS = 80, 50


def rows(seed=5):
    draw = np.random.default_rng(seed)
    user, item = draw.normal(0, 0.3, USERS), draw.normal(0, 0.5, ITEMS)
    left, right = draw.normal(0, 1, (USERS, 2)), draw.normal(0, 0.6, (ITEMS, 2))
    values = 3.4 + user[:, None] + item + left @ right.T + draw.normal(0, 0.2, (USERS, ITEMS))
    ratings = np.clip(np.round(2 * values) / 2, 0.5, 5.0)
    present = draw.random((USERS, ITEMS)) < 0.6
    return [
        (
            int(u),
            int(i),
            float(ratings[u, i]),
            dt.datetime.fromtimestamp(1_000 * int(u) + int(i), dt.UTC),
            None,
        )
        for u, i in zip(*np.nonzero(present), strict=True)
    ]


def tables(spark):
    ratings = spark.createDataFrame(rows(), RATINGS)
    users = spark.range(USERS).selectExpr("int(id) as user", "string(id) as key")
    items = spark.range(ITEMS).selectExpr(
        "int(id) as item",
        "string(id) as key",
        "string(null) as title",
        "string(null) as text",
        "int(null) as year",
        "array('g' || id % 4) as genres",
        "array('p' || id % 9) as people",
        "cast(null as map<string,int>) as tags",
        "map('f', float(id)) as features",
    )
    return Tables(ratings, items, users)


def parts(spark):
    return split(tables(spark).ratings, "random", test=0.2, seed=1, n=1, fold=None)
