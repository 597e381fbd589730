/** What a cluster without ledgers can tell: what stands in its topics, by the ids that records carry. */
import { Console, Effect, type Scope } from "effect"
import { Audit } from "leat"
import { auditedTopics } from "../audit/auditedTopics.ts"
import { type ChosenCluster, misuse } from "../openCluster.ts"
import { type CommandFailure, plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { topicFailure } from "./openLog.ts"

const hint =
  "no process has announced a ledger where this command looks, so what was rejected, is on its way or was lost in a crash is unknown; open services with the option ledger, and name their folder by --ledger"

/** Counts what is stored in each topic, and says what it cannot know. */
export const printStoredTopics = Effect.fnUntraced(function* (
  { name, routes, open }: ChosenCluster,
  isJson: boolean
): Effect.fn.Return<void, CommandFailure, Scope.Scope> {
  if (routes.clusters.get(name)?.driver.name === "memory")
    return yield* misuse(
      `cluster ${name} is in the memory of the process that opened it: leat.ledger.snapshot() tells there; open it with the option ledger, and name its folder by --ledger`
    )
  const { transport } = yield* open
  const topics = yield* Effect.forEach(yield* auditedTopics(transport), (topic) =>
    Effect.map(
      Audit.topic(transport, topic, { cluster: name }).pipe(Effect.catch(topicFailure(transport, topic))),
      ({ publishers, events, copies, dropped, missing, unauditable, foreign }) => {
        return { topic, publishers, stored: events, copies, dropped, missing, unauditable, foreign }
      }
    )
  )
  if (isJson)
    return yield* printJson({ cluster: name, streams: [], legs: [], groups: [], incarnations: [], topics, hint })
  const headings = ["TOPIC", "PUBLISHERS", "STORED", "COPIES", "DROPPED", "MISSING", "UNAUDITABLE"]
  const rows = topics.map((one) => [
    one.topic,
    one.publishers,
    one.stored,
    one.copies,
    Object.values(one.dropped).reduce((sum, count) => sum + count, 0),
    one.missing,
    one.unauditable
  ])
  if (rows.length > 0) yield* Console.log(`${table(headings, rows)}\n`)
  yield* Console.log(`${plural(topics.length, "topic")}; ${hint}`)
})
