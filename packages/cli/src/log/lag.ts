import type { GroupInspection, TopicInspection } from "@leat/log"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { directory, json, topic } from "../flags.ts"
import { plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { inspect, notThere, topicsOf } from "./openLog.ts"

/** What each group has still to read, lane by lane. */
export const lag = Command.make(
  "lag",
  {
    directory,
    group: Flag.String("group").pipe(Flag.optional, Flag.withDescription("Only this group")),
    topic: topic.pipe(Flag.withDescription("Only this topic")),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const inspection = yield* inspect(flags.directory)
    const topics = yield* topicsOf(inspection, flags.topic)
    const all = topics.flatMap((one) => one.groups.map((group) => told(one, group)))
    const groups = Option.match(flags.group, {
      onNone: () => all,
      onSome: (name) => all.filter(({ group }) => group === name)
    })
    if (Option.isSome(flags.group) && groups.length === 0) {
      const known = [...new Set(all.map(({ group }) => group))]
      return yield* notThere(`no group ${flags.group.value} in ${inspection.directory}`, known)
    }
    const total = groups.reduce((sum, one) => sum + one.lag, 0)
    if (flags.json) return yield* printJson({ directory: inspection.directory, lag: total, groups })
    const rows = groups.flatMap(({ group, topic: name, lanes }) =>
      lanes.map((lane) => [
        group,
        name,
        lane.partition,
        lane.start,
        lane.end,
        lane.settled ?? "-",
        lane.lag,
        lane.holder ?? "-",
        lane.abandoned
      ])
    )
    const headings = ["GROUP", "TOPIC", "PARTITION", "START", "END", "SETTLED", "LAG", "HOLDER", "ABANDONED"]
    if (rows.length > 0) yield* Console.log(table(headings, rows))
    // A group has a row for each topic that it reads, and those of its dead letters and retries are some.
    const [names, read] = [new Set(groups.map(({ group }) => group)), new Set(groups.map((one) => one.topic))]
    const where = read.size > 1 ? ` in ${read.size} topics` : ""
    yield* Console.log(`${plural(names.size, "group")}${where}, ${plural(total, "record")} not settled`)
  })
).pipe(Command.withDescription("Tell how far each group has read: settled, lag, and who holds the lane"))

/** The lanes of a group, one for each partition: one that nobody has taken yet has everything before it. */
function told({ topic: name, partitions }: TopicInspection, { group, members, lanes }: GroupInspection) {
  const rows = partitions.map(({ partition, start, end }) => {
    const lane = lanes.find((one) => one.partition === partition)
    const holder = members.find(({ id }) => id === lane?.holder)
    return {
      partition,
      start: Number(start),
      end: Number(end),
      ...(lane?.settled === undefined ? {} : { settled: Number(lane.settled) }),
      lag: Number(lane?.lag ?? end - start),
      ...(holder === undefined ? {} : { holder: holder.owner }),
      state: lane?.state ?? "free",
      abandoned: lane?.abandoned ?? 0
    }
  })
  return {
    group,
    topic: name,
    members: members.map(({ owner }) => owner),
    lag: rows.reduce((sum, row) => sum + row.lag, 0),
    lanes: rows
  }
}
