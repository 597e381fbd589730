import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Messages of a set of descriptors, all that is known of the .proto files, as bytes and in protobuf's JSON mapping. */
final class ProtoJson {
  private static final String TIMESTAMP = "google.protobuf.Timestamp";
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final Map<String, Descriptor> types = new HashMap<>();

  /** The files of the set stand behind those that they import. */
  ProtoJson(Path descriptorSet) throws Exception {
    Map<String, FileDescriptor> files = new HashMap<>();
    for (FileDescriptorProto file : FileDescriptorSet.parseFrom(Files.readAllBytes(descriptorSet)).getFileList()) {
      FileDescriptor[] imported = file.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
      FileDescriptor built = FileDescriptor.buildFrom(file, imported);
      files.put(file.getName(), built);
      built.getMessageTypes().forEach(this::add);
    }
  }

  private void add(Descriptor type) {
    types.put(type.getFullName(), type);
    type.getNestedTypes().forEach(this::add);
  }

  private Descriptor type(String name) {
    Descriptor type = types.get(name);
    if (type == null) throw new IllegalArgumentException("the descriptors have no " + name);
    return type;
  }

  JsonNode read(String typeName, byte[] bytes) throws IOException {
    return json(DynamicMessage.parseFrom(type(typeName), bytes));
  }

  byte[] write(String typeName, JsonNode json) {
    return message(DynamicMessage.newBuilder(type(typeName)), json).toByteArray();
  }

  private static JsonNode json(Message message) {
    Descriptor type = message.getDescriptorForType();
    if (type.getFullName().equals(TIMESTAMP)) {
      long seconds = (Long) message.getField(type.findFieldByName("seconds"));
      int nanos = (Integer) message.getField(type.findFieldByName("nanos"));
      return NODES.textNode(Instant.ofEpochSecond(seconds, nanos).toString());
    }
    ObjectNode object = NODES.objectNode();
    message.getAllFields().forEach((field, value) -> object.set(field.getName(), json(field, value)));
    return object;
  }

  private static JsonNode json(FieldDescriptor field, Object value) {
    if (field.isMapField()) {
      ObjectNode object = NODES.objectNode();
      for (Object entry : (List<?>) value) {
        Message message = (Message) entry;
        object.set(part(message, "key").asText(), part(message, "value"));
      }
      return object;
    }
    if (!field.isRepeated()) return jsonOfOne(field, value);
    var list = NODES.arrayNode();
    for (Object item : (List<?>) value) list.add(jsonOfOne(field, item));
    return list;
  }

  private static JsonNode part(Message entry, String name) {
    FieldDescriptor field = entry.getDescriptorForType().findFieldByName(name);
    return jsonOfOne(field, entry.getField(field));
  }

  private static JsonNode jsonOfOne(FieldDescriptor field, Object value) {
    switch (field.getType()) {
      case MESSAGE:
        return json((Message) value);
      case ENUM:
        return NODES.textNode(((EnumValueDescriptor) value).getName());
      case BYTES:
        return NODES.textNode(Base64.getEncoder().encodeToString(((ByteString) value).toByteArray()));
      case UINT64:
      case FIXED64:
        return NODES.textNode(Long.toUnsignedString((Long) value));
      case INT64:
      case SINT64:
      case SFIXED64:
        return NODES.textNode(Long.toString((Long) value));
      case UINT32:
      case FIXED32:
        return NODES.numberNode(Integer.toUnsignedLong((Integer) value));
      case INT32:
      case SINT32:
      case SFIXED32:
        return NODES.numberNode((Integer) value);
      case BOOL:
        return NODES.booleanNode((Boolean) value);
      case FLOAT:
        return number(((Float) value).doubleValue());
      case DOUBLE:
        return number((Double) value);
      default:
        return NODES.textNode((String) value);
    }
  }

  private static JsonNode number(double value) {
    return Double.isFinite(value) ? NODES.numberNode(value) : NODES.textNode(Double.toString(value));
  }

  private static Message message(Message.Builder builder, JsonNode json) {
    Descriptor type = builder.getDescriptorForType();
    if (type.getFullName().equals(TIMESTAMP)) {
      Instant instant = Instant.parse(json.textValue());
      builder.setField(type.findFieldByName("seconds"), instant.getEpochSecond());
      builder.setField(type.findFieldByName("nanos"), instant.getNano());
      return builder.build();
    }
    json.properties().forEach(property -> set(builder, type.findFieldByName(property.getKey()), property.getValue()));
    return builder.build();
  }

  private static void set(Message.Builder builder, FieldDescriptor field, JsonNode json) {
    if (field.isMapField()) {
      json.properties().forEach(property -> {
        Message.Builder entry = builder.newBuilderForField(field);
        Descriptor type = field.getMessageType();
        entry.setField(type.findFieldByName("key"), key(type.findFieldByName("key"), property.getKey()));
        entry.setField(type.findFieldByName("value"), one(entry, type.findFieldByName("value"), property.getValue()));
        builder.addRepeatedField(field, entry.build());
      });
    } else if (field.isRepeated()) {
      for (JsonNode item : json) builder.addRepeatedField(field, one(builder, field, item));
    } else builder.setField(field, one(builder, field, json));
  }

  private static Object one(Message.Builder builder, FieldDescriptor field, JsonNode json) {
    switch (field.getJavaType()) {
      case MESSAGE:
        return message(builder.newBuilderForField(field), json);
      case ENUM:
        return field.getEnumType().findValueByName(json.textValue());
      case BYTE_STRING:
        return ByteString.copyFrom(Base64.getDecoder().decode(json.textValue()));
      case FLOAT:
        return (float) json.asDouble();
      case DOUBLE:
        return json.isTextual() ? Double.valueOf(json.textValue()) : (Double) json.doubleValue();
      default:
        return key(field, json.asText());
    }
  }

  /** What can be the key of a map, from text. */
  private static Object key(FieldDescriptor field, String text) {
    switch (field.getType()) {
      case STRING:
        return text;
      case BOOL:
        return Boolean.valueOf(text);
      case UINT64:
      case FIXED64:
        return Long.parseUnsignedLong(text);
      case UINT32:
      case FIXED32:
        return Integer.parseUnsignedInt(text);
      case INT64:
      case SINT64:
      case SFIXED64:
        return Long.valueOf(text);
      default:
        return Integer.valueOf(text);
    }
  }
}
