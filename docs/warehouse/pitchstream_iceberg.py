"""Brings the files of pitchstream export into an Iceberg table, which it makes if it is not there:

    pip install 'pyiceberg[pyarrow,sql-sqlite]==0.12.0'
    python pitchstream_iceberg.py lake/ league.pitches                 every date
    python pitchstream_iceberg.py lake/ league.pitches 2024-09-27      the dates from this one on, and undated pitches

.pyiceberg.yaml or PYICEBERG_CATALOG__DEFAULT__… name the catalog, of any kind. One commit replaces these dates, so a reader
sees the former ones or all of the new ones, and repeating it changes nothing. Earlier snapshots stay, because the rows are
copied. It holds one date in memory at a time.
"""

import pathlib
import sys
import warnings

import pyarrow.parquet as parquet
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import AlwaysTrue, GreaterThanOrEqual, IsNull, Or

lake, name, since = pathlib.Path(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [""])[0]
# Of folders, game_date=__HIVE_DEFAULT_PARTITION__ has the undated pitches, and sorts behind every date.
files = sorted(f for f in lake.glob("game_date=*/part-0.parquet") if f.parent.name >= "game_date=" + since)
if not files:
    sys.exit(f"{lake} has no file of an export from that date on")
warnings.filterwarnings("ignore", message="Delete operation did not match any records")

catalog = load_catalog("default")
catalog.create_namespace_if_not_exists(name.rpartition(".")[0])
schema = parquet.read_schema(files[-1]).remove_metadata()
if not catalog.table_exists(name):
    with catalog.create_table_transaction(name, schema) as new, new.update_spec() as spec:
        spec.add_identity("game_date")
table = catalog.load_table(name)
with table.transaction() as t:
    with t.update_schema() as columns:
        columns.union_by_name(schema)  # columns that a later version of pitchstream added
    t.delete(Or(GreaterThanOrEqual("game_date", since), IsNull("game_date")) if since else AlwaysTrue())
    for file in files:
        t.append(parquet.read_table(file, partitioning=None))
print(f"{name}: {len(files)} files, {catalog.load_table(name).scan().count()} pitches in the table")
