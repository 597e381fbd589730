/** @leat/kafka: what leat's two Kafka drivers know alike. Applications import one of the drivers, not this. */
export { type BearerToken, bearerToken } from "./bearerToken.ts"
export { addressesOf, type ClusterSection, inspectSection, type SectionIssue } from "./ClusterSection.ts"
export { decodeSection, type OpenedCluster, openSection, type RereadSection } from "./decodeSection.ts"
export { kafkaCapabilities, type OwnCapabilities } from "./kafkaCapabilities.ts"
export {
  type KafkaClientCredentials,
  kafkaDefaults,
  type KafkaOptions,
  type KafkaPassword,
  type KafkaSasl,
  type KafkaTls,
  type KafkaToken,
  type KafkaTopicDefaults
} from "./KafkaOptions.ts"
export { groupsTopic, probeGroups } from "./groupsTopic.ts"
export { fateOfCode, kafkaCodes, nameOfCode, reasonOfCode } from "./protocolErrors.ts"
export { begunWithIn, isOfOtherLog, type SettledNote, settledNote, topicIdOf } from "./settledLog.ts"
export {
  type FoundKafkaTopic,
  newKafkaTopic,
  type NewKafkaTopic,
  topicConfigNames,
  topicStatus,
  whenTopicIsMissing
} from "./topicConfigs.ts"
