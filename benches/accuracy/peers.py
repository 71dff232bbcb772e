"""What others would do with such a log: each takes training snapshots and one test snapshot, and
returns the test's probabilities of churned. Settings are fixed; none looks at the test's labels."""

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from panel import Snapshot, engineered, raw_rfm


def stacked(matrix, training: list[Snapshot], test: Snapshot):
    x = np.vstack([matrix(one.x) for one in training])
    y = np.concatenate([one.churned for one in training])
    return x, y, matrix(test.x)


def logistic(matrix, training: list[Snapshot], test: Snapshot) -> np.ndarray:
    x, y, x_test = stacked(matrix, training, test)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=5_000))
    return model.fit(x, y).predict_proba(x_test)[:, 1]


def recipe(training: list[Snapshot], test: Snapshot) -> np.ndarray:
    """Logistic on the engineered matrix."""
    return logistic(engineered, training, test)


def raw_logistic(training: list[Snapshot], test: Snapshot) -> np.ndarray:
    """Logistic on recency, frequency and mean amount as they are."""
    return logistic(raw_rfm, training, test)


def boosted_trees(training: list[Snapshot], test: Snapshot) -> np.ndarray:
    """LightGBM on the engineered matrix: small trees, slowly learned."""
    x, y, x_test = stacked(engineered, training, test)
    model = LGBMClassifier(
        n_estimators=200, learning_rate=0.03, num_leaves=15, min_child_samples=50,
        subsample=0.8, subsample_freq=1, colsample_bytree=0.8, reg_lambda=1.0,
        random_state=1, n_jobs=1, deterministic=True, force_row_wise=True, verbose=-1)
    return model.fit(x, y).predict_proba(x_test)[:, 1]


PEERS = {"recipe": recipe, "LightGBM": boosted_trees, "raw RFM logistic": raw_logistic}
