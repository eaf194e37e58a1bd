"""Reads rows and writes raw values with Confluent's client, beside pitchstream. Input and output are JSON."""
import datetime
import json
import subprocess
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

given = json.load(sys.stdin)
client = SchemaRegistryClient({"url": given["url"]})


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def when(t):
    return t.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{t.microsecond // 1000:03d}Z"


def plain(v):
    """JSON as pitchstream's plain rows have it."""
    if isinstance(v, dict):
        return {k: plain(m) for k, m in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(e) for e in v]
    if isinstance(v, datetime.datetime):
        return when(v)
    if isinstance(v, datetime.date):
        return v.isoformat()
    return v if v is None or isinstance(v, (bool, int, float)) else str(v)


def row_class():
    """The class of row.proto, as protoc makes it."""
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I", given["proto"], "--python_out", given["scratch"],
                    "row.proto"], check=True)
    sys.path.insert(0, given["scratch"])
    import row_pb2
    return row_pb2.Row


def of_message(m):
    out = {}
    for f in m.DESCRIPTOR.fields:
        v = getattr(m, f.name)
        if f.name == "scores":
            out[f.name] = {k: of_message(s) for k, s in v.items()}
        elif f.message_type is not None:
            out[f.name] = when(v.ToDatetime(tzinfo=datetime.timezone.utc))
        elif f.is_repeated:
            out[f.name] = list(v)
        elif not f.has_presence or m.HasField(f.name):
            out[f.name] = v
    return out


def protobuf_reader():
    """Confluent's own reader wants the schema as a descriptor, which Apicurio does not give. So the class of protoc
    reads what follows the prefix, and the registry is asked that the id is of this schema."""
    row = row_class()
    with open(given["proto"] + "/row.proto") as f:
        text = f.read()

    def read(value, _):
        assert value[0] == 0 and value[5] == 0, value[:6]
        schema = client.get_schema(int.from_bytes(value[1:5], "big"))
        assert schema.schema_type == "PROTOBUF" and schema.schema_str == text
        return row.FromString(value[6:])

    return read


readers = {
    "json-schema": lambda: (JSONDeserializer(None, schema_registry_client=client), plain),
    "avro": lambda: (AvroDeserializer(client), plain),
    "protobuf": lambda: (protobuf_reader(), of_message),
}
rows = {}
for name, values in given["rows"].items():
    read, show = readers[name]()
    rows[name] = [show(read(bytes.fromhex(v), context(name + ".rows"))) for v in values]

write_json = JSONSerializer('{"$schema":"http://json-schema.org/draft-07/schema#","title":"Record","type":"object"}', client)
write_avro = AvroSerializer(client, given["avro"])
raw = {
    "json-schema": [write_json(r, context("json.raw")).hex() for r in given["records"]],
    "avro": [write_avro(r, context("avro.raw")).hex() for r in given["records"]],
}
json.dump({"rows": rows, "raw": raw}, sys.stdout)
