"""Checks events of OpenLineage, one a line on standard input, with the standard's own client: each is built from the
client's classes, which know every member and its type, and must be the same when the client writes it again."""

import enum
import json
import sys
import types
import typing
from urllib.parse import urlparse

import attr
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated import base
from openlineage.client.naming import dataset as naming
from openlineage.client.serde import Serde

FACETS = {
    "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "inputStatistics": facet_v2.input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "parent": facet_v2.parent_run.ParentRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
}


def build(cls, value, where):
    """Returns an object of the class, or fails at a member that it does not have or that has another type."""
    if cls is typing.Any:
        return value
    origin, args = typing.get_origin(cls), typing.get_args(cls)
    if origin in (typing.Union, types.UnionType):
        assert value is not None, f"{where} is null"
        return build(next(a for a in args if a is not type(None)), value, where)
    if origin is list:
        return [build(args[0], v, f"{where}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        return {k: build(FACETS[k], v, f"{where}.{k}") for k, v in value.items()}
    if not attr.has(cls):
        if isinstance(cls, type) and issubclass(cls, enum.Enum):
            return cls(value)
        assert type(value) is cls, f"{where}: {value!r} is no {cls}"
        return value
    hints, given, values = typing.get_type_hints(cls), dict(value), {}
    schema = given.pop("_schemaURL", None) or given.pop("schemaURL", None)
    if issubclass(cls, (base.BaseFacet, base.BaseEvent)):
        assert schema == cls._get_schema(), f"{where}: {schema} for {cls._get_schema()}"
    for field in attr.fields(cls):
        if field.init and field.name in given:
            values[field.alias] = build(hints[field.name], given.pop(field.name), f"{where}.{field.name}")
    assert not given, f"{where}: unknown members {sorted(given)}"
    return cls(**values)


def plain(value):
    """Returns a value without members that are empty."""
    if isinstance(value, dict):
        value = {k: plain(v) for k, v in value.items()}
        return {k: v for k, v in value.items() if v not in ({}, [], None)}
    return [plain(v) for v in value] if isinstance(value, list) else value


def check_name(d):
    """Fails if a dataset has not the name that the standard gives it."""
    namespace, name = d["namespace"], d["name"]
    u = urlparse(namespace)
    if u.scheme == "kafka":
        want = naming.Kafka(u.hostname, str(u.port), name)
    elif u.scheme == "postgres":
        want = naming.Postgres(u.hostname, str(u.port), *name.split(".", 2))
    elif u.scheme == "s3":
        want = naming.S3(u.netloc, name)
    elif u.scheme == "gs":
        want = naming.GCS(u.netloc, name)
    else:
        want = naming.LocalFileSystem(name)
    assert (want.get_namespace(), want.get_name()) == (namespace, name), f"{d['namespace']} {d['name']}"


for number, line in enumerate(sys.stdin, 1):
    event = json.loads(line)
    built = build(event_v2.RunEvent, event, f"event {number}")
    again = json.loads(Serde.to_json(built))
    assert plain(again) == plain(event), f"event {number}:\n{plain(event)}\n{plain(again)}"
    for d in event["inputs"] + event["outputs"]:
        check_name(d)
print(number)
