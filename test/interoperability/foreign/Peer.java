import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's official client and protobuf for Java, which know of leat only the .proto files. Answers each line of JSON with one:
 * {"do": "write" | "read", "topic", ...}. Bytes are base64, values are in protobuf's JSON mapping.
 */
final class Peer {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Duration POLL = Duration.ofMillis(200);
  private static final long READ_NANOS_MAX = 30_000_000_000L;

  private final ProtoJson protobuf;
  /** With the client's own defaults, its partitioner above all. */
  private final KafkaProducer<byte[], byte[]> producer;
  private final KafkaConsumer<byte[], byte[]> consumer;

  private Peer(String bootstrap, Path descriptorSet) throws Exception {
    protobuf = new ProtoJson(descriptorSet);
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
    producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    // Loggers believe that it is theirs.
    System.setOut(System.err);
    Peer peer = new Peer(args[0], Path.of(args[1]));
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      JsonNode answer;
      try {
        answer = peer.answer(MAPPER.readTree(line));
      } catch (Exception error) {
        answer = MAPPER.createObjectNode().put("error", error.toString());
      }
      answers.write((MAPPER.writeValueAsString(answer) + "\n").getBytes(StandardCharsets.UTF_8));
      answers.flush();
    }
    // Nobody waits for a goodbye to the broker.
    Runtime.getRuntime().halt(0);
  }

  private JsonNode answer(JsonNode request) throws Exception {
    String topic = request.get("topic").textValue();
    return switch (request.get("do").textValue()) {
      case "write" -> write(topic, request.get("type").textValue(), request.get("records"));
      case "read" -> read(topic, request.get("type").textValue());
      default -> throw new IllegalArgumentException("there is write and read");
    };
  }

  private ObjectNode write(String topic, String type, JsonNode records) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode record : records) {
      JsonNode value = record.get("value");
      ProducerRecord<byte[], byte[]> message =
          new ProducerRecord<>(topic, bytes(record.get("key")), value.isNull() ? null : protobuf.write(type, value));
      for (JsonNode header : record.get("headers")) {
        message.headers().add(header.get(0).textValue(), bytes(header.get(1)));
      }
      sent.add(producer.send(message));
    }
    producer.flush();
    for (Future<RecordMetadata> one : sent) one.get();
    return MAPPER.createObjectNode();
  }

  /** All that a topic holds, in the order of each partition. */
  private ObjectNode read(String topic, String type) throws IOException {
    List<TopicPartition> partitions =
        consumer.partitionsFor(topic).stream().map(one -> new TopicPartition(topic, one.partition())).toList();
    consumer.assign(partitions);
    consumer.seekToBeginning(partitions);
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
    ObjectNode answer = MAPPER.createObjectNode();
    ArrayNode records = answer.putArray("records");
    long deadline = System.nanoTime() + READ_NANOS_MAX;
    while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
      if (System.nanoTime() > deadline) throw new IOException("read " + records.size() + " records of " + topic);
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) records.add(json(record, type));
    }
    return answer;
  }

  private ObjectNode json(ConsumerRecord<byte[], byte[]> record, String type) throws IOException {
    ObjectNode json = MAPPER.createObjectNode();
    json.put("partition", record.partition()).put("offset", record.offset()).put("timeMs", record.timestamp());
    json.put("key", text(record.key()));
    ArrayNode headers = json.putArray("headers");
    for (Header header : record.headers()) headers.addArray().add(header.key()).add(text(header.value()));
    json.set("value", record.value() == null ? MAPPER.nullNode() : protobuf.read(type, record.value()));
    return json;
  }

  private static byte[] bytes(JsonNode base64) {
    return base64.isNull() ? null : Base64.getDecoder().decode(base64.textValue());
  }

  private static String text(byte[] bytes) {
    return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
  }
}
