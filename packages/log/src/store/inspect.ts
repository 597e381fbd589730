import { statSync } from "node:fs"
import type {
  GroupInspection,
  LaneInspection,
  LogInspection,
  MemberInspection,
  PartitionInspection,
  QuarantineInspection,
  TopicInspection
} from "../LogInspection.ts"
import type { LaneRow, MemberRow } from "./groups/groupRows.ts"
import { Groups } from "./groups/Groups.ts"
import { formatVersion } from "./tables/schema.ts"
import type { Store } from "./tables/Store.ts"
import type { Topic } from "./tables/Topics.ts"

/** The inspection of a log: everything but its records, on one snapshot. */
export function inspect(store: Store): LogInspection {
  const { db, topics } = store
  const groups = new Groups(store)
  const counts = db.prepare("SELECT count(*) AS n FROM batch WHERE partition = ?")
  const ranges = db.prepare("SELECT count(*) AS n FROM id_range WHERE partition = ?")
  return store.look(() => {
    const header = db.prepare("SELECT created_ms FROM header").get()
    const ofTopic = (topic: Topic): TopicInspection => ({
      topic: topic.name,
      compacted: topic.compacted,
      ...(isBound(topic.retentionMs) ? { retentionMs: topic.retentionMs } : {}),
      ...(isBound(topic.retentionBytes) ? { retentionBytes: topic.retentionBytes } : {}),
      partitions: Array.from({ length: topic.partitions }, (_, number): PartitionInspection => {
        const { start, end, bytes } = store.heads.get(topic.firstPartition + number)
        const partition = topic.firstPartition + number
        return {
          partition: number,
          start: BigInt(start),
          end: BigInt(end),
          batches: Number(counts.get(partition)?.["n"]),
          bytes,
          idRanges: Number(ranges.get(partition)?.["n"])
        }
      }),
      groups: groups.names(topic).map((name) => groupOf(store, groups, topic, name))
    })
    return {
      directory: db.paths.directory,
      formatVersion,
      createdAtMs: Number(header?.["created_ms"]),
      fileBytes: sizeOf(db.paths.database) + sizeOf(`${db.paths.database}-wal`),
      topics: topics.all.map(ofTopic),
      quarantined: db
        .prepare("SELECT * FROM quarantine ORDER BY found_ms, partition, base")
        .all()
        .map((row) => damageOf(store, row))
    }
  })
}

function groupOf(store: Store, groups: Groups, topic: Topic, group: string): GroupInspection {
  const readers = new Set(groups.readers(topic, group).map(({ member }) => member))
  return {
    group,
    members: groups
      .members(group)
      .filter(({ id }) => readers.has(id))
      .map(memberOf),
    lanes: groups.lanes(topic, group).map((lane) => laneOf(store, lane))
  }
}

function memberOf({ id, owner, leaseMs, seenMs }: MemberRow): MemberInspection {
  return { id, owner, leaseMs, seenAtMs: seenMs }
}

function laneOf(store: Store, lane: LaneRow): LaneInspection {
  const { number, settled, holder, generation, state, partition } = lane
  const { start, end } = store.heads.get(partition)
  const position = settled ?? lane.origin ?? start
  return {
    partition: number,
    ...(settled === undefined ? {} : { settled: BigInt(settled) }),
    lag: BigInt(Math.max(0, end - Math.max(start, position))),
    ...(holder === undefined ? {} : { holder }),
    generation,
    state,
    abandoned: lane.abandonedAt === position ? lane.abandoned : 0
  }
}

function damageOf(store: Store, row: Record<string, unknown>): QuarantineInspection {
  const partition = Number(row["partition"])
  const topic = store.topics.ofPartition(partition)
  return {
    ...(topic === undefined ? {} : { topic: topic.name, partition: partition - topic.firstPartition }),
    from: BigInt(Number(row["base"])),
    to: BigInt(Number(row["end"])),
    what: String(row["what"]),
    foundAtMs: Number(row["found_ms"])
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function isBound(bound: number | undefined): bound is number {
  return bound !== undefined && Number.isFinite(bound)
}
