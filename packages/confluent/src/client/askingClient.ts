import { kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, type Scope } from "effect"
import type { TransportError } from "leat/transport"
import { attempt, closed, connected } from "./ask.ts"
import type { ClientConfig, Consumer, KafkaJavascript } from "./client.ts"
import { topicConfig } from "./clientConfig.ts"

/** What the client tells of itself, why it cannot connect above all, is taken off its queue so often, in milliseconds. */
const eventsEveryMs = 250
const eventsMax = 1000

/** A consumer that joins no group and consumes nothing: it is there to be asked. */
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
