import { kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, type Scope } from "effect"
import type { TransportError } from "leat/transport"
import { attempt, closed, connected } from "./ask.ts"
import type { ClientConfig, Consumer, KafkaJavascript } from "./client.ts"
import { topicConfig } from "./clientConfig.ts"

/** Interval in which the client's events, such as failures to connect, are taken off its queue, in milliseconds. */
const eventsEveryMs = 250
const eventsMax = 1000

/** A consumer for requests only: it joins no group and reads nothing. */
export function askingClient(
  kafka: KafkaJavascript,
  config: ClientConfig,
  { connectMs = kafkaDefaults.connectMs }: KafkaOptions
): Effect.Effect<Consumer, TransportError, Scope.Scope> {
  let listening: NodeJS.Timeout | undefined
  const listen = (consumer: Consumer) => {
    consumer.setDefaultConsumeTimeout(0)
    listening = setInterval(() => consumer.consume(eventsMax, () => {}), eventsEveryMs).unref()
  }
  return Effect.acquireRelease(
    Effect.flatMap(
      attempt("open", "the cluster section", () => new kafka.KafkaConsumer(config, topicConfig)),
      (consumer) => connected(kafka, consumer, connectMs, listen)
    ),
    (consumer) => {
      clearInterval(listening)
      return closed((done) => consumer.disconnect(done))
    }
  )
}
