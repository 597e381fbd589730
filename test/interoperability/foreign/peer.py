"""
Confluent's client and protobuf for Python, which know of leat only the .proto files. Answers each line of JSON with one:
{"do": "write" | "read", "topic", ...}. Bytes are base64, values are in protobuf's JSON mapping.
"""

import json
import sys
import time
from base64 import b64decode, b64encode

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

READ_SECONDS_MAX = 30
bootstrap, descriptor_set = sys.argv[1:]
# Without the second a poll of an empty topic takes half a second.
client = {"bootstrap.servers": bootstrap, "fetch.wait.max.ms": 10}


def message_types():
    """The files of the set stand behind those that they import."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet()
    with open(descriptor_set, "rb") as file:
        files.ParseFromString(file.read())
    for file in files.file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


type_named = message_types()
consumer = Consumer({**client, "group.id": "peer", "enable.auto.commit": False, "enable.partition.eof": True})
producers = {}


def text(value):
    return None if value is None else b64encode(value).decode()


def data(base64):
    return None if base64 is None else b64decode(base64)


def producer_with(partitioner):
    """"" is the client's own default, which is not Java's."""
    if partitioner not in producers:
        config = {} if partitioner == "" else {"partitioner": partitioner}
        # Its default keeps back a burst of small messages; the tests write bursts.
        producers[partitioner] = Producer({**client, **config, "queue.buffering.max.messages": 1_000_000})
    return producers[partitioner]


def write(topic, type, records, partitioner=""):
    producer = producer_with(partitioner)
    failures = []
    message_type = type_named(type)
    for record in records:
        value = record["value"]
        encoded = None if value is None else json_format.ParseDict(value, message_type()).SerializeToString()
        producer.produce(
            topic,
            key=data(record["key"]),
            value=encoded,
            headers=[(name, data(value)) for name, value in record["headers"]],
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
    left = producer.flush(READ_SECONDS_MAX)
    if left > 0 or failures:
        raise RuntimeError(f"{left} messages were not sent; {failures[:1]}")
    return {}


def read(topic, type):
    """All that a topic holds, in the order of each partition."""
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    unread = set(partitions)
    records = []
    deadline = time.monotonic() + READ_SECONDS_MAX
    while unread:
        if time.monotonic() > deadline:
            raise TimeoutError(f"read {len(records)} records of {topic}")
        message = consumer.poll(0.2)
        if message is None:
            continue
        error = message.error()
        if error is None:
            records.append(as_json(message, type))
        elif error.code() == KafkaError._PARTITION_EOF:
            unread.discard(message.partition())
        else:
            raise KafkaException(error)
    return {"records": records}


def as_json(message, type):
    value = message.value()
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timeMs": message.timestamp()[1],
        "key": text(message.key()),
        "headers": [(name, text(value)) for name, value in message.headers() or []],
        "value": None if value is None else parse(value, type),
    }


def parse(value, type):
    message = type_named(type).FromString(value)
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def answer(request):
    verb = request.pop("do")
    if verb == "write":
        return write(**request)
    if verb == "read":
        return read(**request)
    raise ValueError("there is write and read")


for line in sys.stdin:
    try:
        told = answer(json.loads(line))
    except Exception as error:
        told = {"error": repr(error)}
    print(json.dumps(told), flush=True)
