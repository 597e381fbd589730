import type { TopicInspection } from "@leat/log"
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { directory, json, topic } from "../flags.ts"
import { inspect, topicsOf } from "../log/openLog.ts"
import { plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"

/** Lists the topics of a log, with what each partition holds. */
export const list = Command.make(
  "list",
  { directory, topic: topic.pipe(Flag.withDescription("Only this topic")), json },
  Effect.fnUntraced(function* (flags) {
    const inspection = yield* inspect(flags.directory)
    const topics = (yield* topicsOf(inspection, flags.topic)).map(told)
    const { directory: path, formatVersion, fileBytes, quarantined } = inspection
    if (flags.json)
      return yield* printJson({ directory: path, formatVersion, fileBytes, quarantined: quarantined.length, topics })
    const rows = topics.flatMap(({ topic: name, partitions }) =>
      partitions.map(({ partition, start, end, records, batches, bytes }) => [
        name,
        partition,
        start,
        end,
        records,
        batches,
        bytes
      ])
    )
    if (rows.length > 0)
      yield* Console.log(table(["TOPIC", "PARTITION", "START", "END", "RECORDS", "BATCHES", "BYTES"], rows))
    const records = topics.reduce((total, one) => total + one.records, 0)
    yield* Console.log(`${plural(topics.length, "topic")}, ${plural(records, "record")}`)
  })
).pipe(Command.withDescription("List the topics of a log: partitions, positions, records and bytes"))

/** Positions as numbers: a log would need centuries to pass 2^53. In a compacted topic `records` counts those taken away too. */
function told({ topic: name, compacted, retentionMs, retentionBytes, partitions, groups }: TopicInspection) {
  const counted = partitions.map(({ partition, start, end, batches, bytes }) => {
    return { partition, start: Number(start), end: Number(end), records: Number(end - start), batches, bytes }
  })
  return {
    topic: name,
    compacted,
    ...(retentionMs === undefined ? {} : { retentionMs }),
    ...(retentionBytes === undefined ? {} : { retentionBytes }),
    groups: groups.map(({ group }) => group),
    records: counted.reduce((total, { records }) => total + records, 0),
    bytes: counted.reduce((total, { bytes }) => total + bytes, 0),
    partitions: counted
  }
}
