import type { GroupInspection, LogInspection, MemberInspection, PartitionInspection, TopicInspection } from "@leat/log"

/** One sentence about a log: what is so, and what to do. */
export interface Finding {
  /** `wrong`: somebody has to act. `note`: worth knowing. */
  readonly severity: "wrong" | "note"
  readonly about: "member" | "lane" | "backlog" | "quarantine" | "ids" | "unread" | "routes"
  readonly message: string
}

/** What can be seen of a log from outside, at `nowMs` of the clock that its members' heartbeats are stamped with. */
export function findings(inspection: LogInspection, nowMs: number): ReadonlyArray<Finding> {
  const found = inspection.topics.flatMap((topic) => topic.groups.flatMap((group) => ofGroup(topic, group, nowMs)))
  const names = new Set(inspection.topics.map(({ topic }) => topic))
  const unread = inspection.topics.flatMap((topic) => ofUnread(topic, names))
  return [...ofQuarantine(inspection), ...ofIds(inspection), ...unread, ...found]
}

/** What is replayed is for the group that a topic of dead letters is named after. */
const replaysEnding = ".replay"

/** What waits there for another attempt of one group. */
const retries = /\.retry\.[1-8]$/

/** What a publisher keeps on disk until its cluster takes it is read by the group of this name: by the publisher itself. */
const spillGroup = "leat.spill"

/** A topic may be there to be kept, so nobody has to act. Dead letters, of groups and of publishers, are read by no group. */
function ofUnread({ topic, partitions, groups }: TopicInspection, names: ReadonlySet<string>): ReadonlyArray<Finding> {
  const count = partitions.reduce((sum, { start, end }) => sum + (end - start), 0n)
  if (count === 0n || groups.length > 0 || /\.(dlq|undelivered)$/.test(topic)) return []
  const holds = count === 1n ? "1 record" : `${count} records`
  if (topic.endsWith(replaysEnding) && names.has(topic.replace(/replay$/, "dlq"))) {
    const message = `nobody reads ${topic} yet, which has ${holds} that \`leat dlq replay\` wrote for one group: start a consumer of that group; it reads them beside the topic of its stream`
    return [note("unread", message)]
  }
  if (retries.test(topic) && names.has(topic.replace(/\d$/, "1"))) {
    const message = `nobody reads ${topic} yet, which has ${holds} that wait for another attempt of one group: start a consumer of that group; it reads them when they are due`
    return [note("unread", message)]
  }
  return [
    note("unread", `no group reads ${topic}, which has ${holds}: start a consumer, unless it is there to be kept`)
  ]
}

/** Of a range of event ids in the file, measured: 190 KB for the 3840 buckets of one stream and process. */
const bytesOfRange = 50

/** In a small log that is opened often, ids leave no room for events, and nothing else would tell why it is full. */
function ofIds({ topics, fileBytes }: LogInspection): ReadonlyArray<Finding> {
  const ranges = topics.flatMap(({ partitions }) => partitions).reduce((total, { idRanges }) => total + idRanges, 0)
  const bytes = ranges * bytesOfRange
  if (bytes < 1024 * 1024 || bytes * 2 < fileBytes) return []
  const size = `about ${mebibytes(bytes)} of the ${mebibytes(fileBytes)} of the file`
  const message = `${size} are ids of events, some for each process that has published, kept for retention.idsMs after its last event: lower that, raise bytesMax, or start publishers less often`
  return [note("ids", message)]
}

function ofQuarantine({ quarantined }: LogInspection): ReadonlyArray<Finding> {
  return quarantined.map(({ topic, partition, from, to, what, foundAtMs }) => {
    const where = topic === undefined ? "of the log" : `of ${topic}/${partition}`
    const found = new Date(foundAtMs).toISOString()
    const lost = to > from ? `positions ${from} to ${to - 1n} are lost to readers` : "no position is lost"
    const advice =
      "copy the directory before retention takes it, look at the disk, and restore what is missing from a backup"
    return wrong("quarantine", `the ${what} ${where} did not verify on ${found}; ${lost}: ${advice}`)
  })
}

function ofGroup(topic: TopicInspection, group: GroupInspection, nowMs: number): ReadonlyArray<Finding> {
  const alive = group.members.filter((member) => isAlive(member, nowMs))
  const stale = group.members.filter((member) => !alive.includes(member))
  const found = stale.map(({ owner, seenAtMs, leaseMs }) => {
    const silent = `has given no sign of life for ${seconds(nowMs - seenAtMs)} and its lease is ${seconds(leaseMs)}`
    const message = `member ${owner} of group ${group.group} on ${topic.topic} ${silent}: look whether the process still runs; its lanes go to the next member that comes`
    return alive.length === 0 ? wrong("member", message) : note("member", message)
  })
  for (const partition of topic.partitions) found.push(...ofLane(topic, group, partition, alive))
  const lag = topic.partitions.reduce((sum, partition) => sum + lagOf(group, partition), 0n)
  if (lag > 0n && group.group === spillGroup) found.push(ofSpill(topic.topic, lag, alive.length > 0))
  else if (lag > 0n && alive.length === 0) {
    const message = `nobody alive reads ${topic.topic} for group ${group.group}, and ${records(lag)} not settled: start a consumer of that group`
    found.push(wrong("backlog", message))
  } else if (lag > 0n) {
    const message = retries.test(topic.topic)
      ? `group ${group.group} has not settled ${lag} of ${topic.topic}: they are tried again when they are due; look at why they failed (leat events tail --topic ${topic.topic})`
      : `group ${group.group} has not settled ${lag} of ${topic.topic}: look again; when the number grows, look whether the log of a member says that a lane stands, add members, or make the handler faster`
    found.push(note("backlog", message))
  }
  return found
}

function ofSpill(topic: string, lag: bigint, isOwned: boolean): Finding {
  const held = `${records(lag)} in the spill ${topic}`
  if (isOwned) return note("backlog", `${held}, and sent on as soon as the cluster takes them: look at that cluster`)
  const message = `${held}, which belongs to no process: start one of the service that wrote it, on this directory; it sends them on before anything of its own`
  return wrong("backlog", message)
}

function ofLane(
  { topic }: TopicInspection,
  group: GroupInspection,
  partition: PartitionInspection,
  alive: ReadonlyArray<MemberInspection>
): ReadonlyArray<Finding> {
  const lane = group.lanes.find((one) => one.partition === partition.partition)
  const found: Array<Finding> = []
  const place = `${topic}/${partition.partition}`
  if (lane !== undefined && lane.abandoned > 0) {
    const at = lane.settled ?? partition.start
    const see = `leat events tail --topic ${topic} --partition ${partition.partition} --from ${at} --limit 1`
    const members = lane.abandoned === 1 ? "a member" : `${lane.abandoned} members in a row`
    const message = `${members} of group ${group.group} vanished at position ${at} of ${place}: look at that event (${see}) and at why the process ended there`
    found.push(wrong("lane", message))
  }
  const isHeld = alive.some(({ id }) => id === lane?.holder)
  if (!isHeld && alive.length > 0 && lagOf(group, partition) > 0n) {
    const message = `nobody alive holds ${place} for group ${group.group}, although it has members: it should be taken within a lease; if it is not, restart them`
    found.push(wrong("lane", message))
  }
  return found
}

function lagOf({ lanes }: GroupInspection, { partition, start, end }: PartitionInspection): bigint {
  return lanes.find((lane) => lane.partition === partition)?.lag ?? end - start
}

/** A heartbeat comes several times in a lease; who missed all of them for a whole one has lost its lanes. */
function isAlive({ seenAtMs, leaseMs }: MemberInspection, nowMs: number): boolean {
  return nowMs - seenAtMs <= leaseMs
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function records(count: bigint): string {
  return count === 1n ? "1 record is" : `${count} records are`
}

function wrong(about: Finding["about"], message: string): Finding {
  return { severity: "wrong", about, message }
}

function note(about: Finding["about"], message: string): Finding {
  return { severity: "note", about, message }
}
