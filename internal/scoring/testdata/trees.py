"""Trains models with LightGBM and XGBoost and writes what they predict for 10,000 rows.

Usage: trees.py DIRECTORY. It gets data.json, with the rows by column and the predictions by model, and a file
of each model.
"""

import json
import pathlib
import sys

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

out = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(20)


def rows(n):
    x = pd.DataFrame({
        "bat_speed_mph": rng.normal(70, 6, n),
        "contact_attack_angle_deg": rng.normal(8, 9, n),
        "swing_length_ft": rng.normal(7.3, 0.8, n).round(1),
        "intercept_x_ft": np.where(rng.random(n) < 0.2, 0.0, rng.normal(0, 0.7, n)),
        "strikes": rng.integers(0, 3, n).astype(float),
        "is_swing": rng.random(n) < 0.9,
        "pitch_type": pd.Categorical(rng.choice(["Slider", "FourSeamFastball", "Curveball", "Sinker", "Changeup",
                                                 "Splitter", "Knuckle Curve", "Eephus"], n)),
        "balls": pd.Categorical(rng.integers(0, 4, n)),
    })
    for name in x.columns:
        if name != "is_swing":
            x.loc[rng.random(n) < 0.08, name] = None
    return x


train, valid, test = rows(4000), rows(1000), rows(10_000)


def target(x):
    z = (x.bat_speed_mph.fillna(60) - 70) / 6 + (x.pitch_type == "Slider") * 1.5 - (x.pitch_type == "Splitter")
    z += (x.balls == 2) * 0.8 + x.intercept_x_ft.fillna(1) ** 2 + x.pitch_type.isin(["Sinker", "Eephus"]) * 0.7
    return (z + rng.normal(0, 0.7, len(x))).to_numpy()


score, valid_score = target(train), target(valid)
targets = {
    "number": (20 * score + 300, 20 * valid_score + 300),
    "positive": (np.exp(score / 3), np.exp(valid_score / 3)),
    "count": (rng.poisson(np.exp(score / 3)), rng.poisson(np.exp(valid_score / 3))),
    "truth": ((score > 0.5) * 1, (valid_score > 0.5) * 1),
    "class": (np.digitize(score, [-0.3, 0.5, 1.4]), np.digitize(valid_score, [-0.3, 0.5, 1.4])),
}
predictions = {}


def light(name, which, rounds=20, **parameters):
    data = lgb.Dataset(train, targets[which][0], free_raw_data=False)
    check = lgb.Dataset(valid, targets[which][1], reference=data, free_raw_data=False)
    stop = [lgb.early_stopping(3, verbose=False)] if name == "lightgbm-early" else []
    settings = dict(num_leaves=31, verbose=-1, num_threads=1, seed=1, min_data_per_group=20, **parameters)
    model = lgb.train(settings, data, rounds, valid_sets=[check], callbacks=stop)
    model.save_model(out / f"{name}.txt")
    predictions[name] = model.predict(test).tolist()


light("lightgbm-binary", "truth", objective="binary")
light("lightgbm-early", "truth", 400, objective="binary", learning_rate=0.3)
light("lightgbm-zero", "truth", objective="binary", zero_as_missing=True, sigmoid=0.7)
light("lightgbm-nothing-missing", "number", objective="regression", use_missing=False)
light("lightgbm-regression", "number", objective="regression")
light("lightgbm-sqrt", "number", objective="regression", reg_sqrt=True)
light("lightgbm-l1", "number", objective="l1")
light("lightgbm-poisson", "count", objective="poisson")
light("lightgbm-tweedie", "positive", objective="tweedie")
light("lightgbm-softmax", "class", objective="multiclass", num_class=4)
light("lightgbm-ova", "class", objective="multiclassova", num_class=4)
light("lightgbm-entropy", "truth", objective="cross_entropy")
light("lightgbm-onehot", "truth", objective="binary", max_cat_to_onehot=50)
light("lightgbm-dart", "truth", objective="binary", boosting="dart")
light("lightgbm-forest", "number", objective="regression", boosting="rf", bagging_freq=1, bagging_fraction=0.6)
light("lightgbm-stumps", "number", 3, objective="regression", min_data_in_leaf=3000)


def boost(name, which, rounds=20, **parameters):
    data = xgb.DMatrix(train, targets[which][0], enable_categorical=True)
    settings = dict(max_depth=6, nthread=1, seed=1, **parameters)
    model = xgb.train(settings, data, rounds)
    model.save_model(out / f"{name}.json")
    predictions[name] = model.predict(xgb.DMatrix(test, enable_categorical=True)).astype(float).tolist()


boost("xgboost-logistic", "truth", objective="binary:logistic", max_cat_to_onehot=1)
boost("xgboost-onehot", "truth", objective="binary:logistic", max_cat_to_onehot=50)
boost("xgboost-regression", "number", objective="reg:squarederror")
boost("xgboost-base", "number", objective="reg:squarederror", base_score=290.5)
boost("xgboost-absolute", "number", objective="reg:absoluteerror")
boost("xgboost-poisson", "count", objective="count:poisson")
boost("xgboost-gamma", "positive", objective="reg:gamma")
boost("xgboost-tweedie", "positive", objective="reg:tweedie")
boost("xgboost-softprob", "class", objective="multi:softprob", num_class=4)
boost("xgboost-dart", "truth", objective="binary:logistic", booster="dart", rate_drop=0.3)
boost("xgboost-forest", "number", 3, objective="reg:squarederror", num_parallel_tree=10, subsample=0.6)
boost("xgboost-lossguide", "truth", objective="binary:logistic", grow_policy="lossguide", max_leaves=40)

early = xgb.train(
    dict(objective="multi:softprob", num_class=4, max_depth=6, learning_rate=0.4, nthread=1, seed=1),
    xgb.DMatrix(train, targets["class"][0], enable_categorical=True), 400,
    evals=[(xgb.DMatrix(valid, targets["class"][1], enable_categorical=True), "valid")],
    early_stopping_rounds=3, verbose_eval=False)
assert early.best_iteration < early.num_boosted_rounds() - 1
early.save_model(out / "xgboost-early.json")
best = early.predict(xgb.DMatrix(test, enable_categorical=True), iteration_range=(0, early.best_iteration + 1))
predictions["xgboost-early"] = best.astype(float).tolist()

columns = {name: [None if pd.isna(v) else v for v in test[name].tolist()] for name in test.columns}
(out / "data.json").write_text(json.dumps({"columns": columns, "predictions": predictions}))
