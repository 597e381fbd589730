import { type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Effect, Layer } from "effect"
import { runCase, transportCases, TransportUnderTest } from "leat/testing"
import { afterAll, beforeAll, expect, it } from "vitest"

/** Groups of brokers that do not know KIP-848, and compaction, which only a broker of one's own does soon. */
await describeOwnKafka(
  "@leat/confluent on a Kafka with classic groups",
  () => {
    let kafka: Kafka
    beforeAll(async () => {
      kafka = await startKafka({
        properties: {
          "group.coordinator.rebalance.protocols": "classic",
          "log.cleaner.backoff.ms": "100",
          "log.cleaner.min.cleanable.ratio": "0.001",
          // A segment for nearly every batch: the last one is never compacted.
          "log.roll.ms": "1"
        }
      })
    })
    afterAll(() => kafka.close())

    const cases = transportCases.filter(({ name }) => /group|lane|T2[0-9]|T3[0-9]|settl|member|consumer/.test(name))

    it.each(cases)("$name", async (one) => {
      const layer = Layer.succeed(TransportUnderTest, {
        connect: Effect.suspend(() => confluentTransport({ brokers: [kafka.bootstrap], sessionMs: 6000 })),
        compact: Effect.sleep(2000)
      })
      expect(await Effect.runPromise(runCase(one, layer, "30 seconds"))).toBe("passed")
    })
  },
  { isConfluent: true }
)
