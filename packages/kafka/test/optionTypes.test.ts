import type { KafkaClientCredentials, KafkaOptions, KafkaTls, KafkaTopicDefaults } from "@leat/kafka"
import { describe, expect, it } from "vitest"

/** Undefined in place of each property that may be absent. */
type Undefined<T> = { readonly [Name in keyof T]: object extends Pick<T, Name> ? undefined : T[Name] }
type Takes<T> = Undefined<T> extends T ? true : false

const taken: {
  readonly KafkaOptions: Takes<KafkaOptions>
  readonly KafkaTls: Takes<KafkaTls>
  readonly KafkaTopicDefaults: Takes<KafkaTopicDefaults>
  readonly KafkaClientCredentials: Takes<KafkaClientCredentials>
} = { KafkaOptions: true, KafkaTls: true, KafkaTopicDefaults: true, KafkaClientCredentials: true }

describe("options of Kafka", () => {
  it("may be undefined where they may be absent", () => expect(Object.values(taken)).not.toContain(false))
})
