import type { AnnouncedLedger } from "@leat/log"

/** What came of a stream between two announcements of each process. */
export interface StreamGrowth {
  readonly stream: string
  offered: number
  admitted: number
  rejected: number
}

/** What became of events of a stream on one sink between two announcements of each process. */
export interface LegGrowth {
  readonly stream: string
  readonly sink: string
  admitted: number
  stored: number
  deadLettered: number
  dropped: number
}

export interface Growth {
  /** Time between the announcements of a process: the least and the most of all, in milliseconds. */
  readonly betweenMs: readonly [number, number]
  /** Processes that have announced twice, or for the first time. */
  readonly processes: number
  /** Processes that run and have announced nothing meanwhile: what they did is not known. */
  readonly silent: number
  readonly streams: ReadonlyArray<StreamGrowth>
  readonly legs: ReadonlyArray<LegGrowth>
}

/** How the counters of processes have grown from one reading of their announcements to a later one. Those that ended before it are in none. */
export function growthOf(before: ReadonlyArray<AnnouncedLedger>, after: ReadonlyArray<AnnouncedLedger>): Growth {
  const streams = new Map<string, StreamGrowth>()
  const legs = new Map<string, LegGrowth>()
  const betweenMs: Array<number> = []
  let silent = 0
  let processes = 0
  for (const now of after) {
    const was = before.find(({ incarnation }) => incarnation === now.incarnation)
    if (was?.announcedAtMs === now.announcedAtMs) {
      if (now.state === "running" || now.state === "elsewhere") silent++
      continue
    }
    processes++
    // One that was opened meanwhile began at 0.
    if (was !== undefined) betweenMs.push(now.announcedAtMs - was.announcedAtMs)
    addStreams(streams, now, was)
    addLegs(legs, now, was)
  }
  return {
    betweenMs: betweenMs.length === 0 ? [0, 0] : [Math.min(...betweenMs), Math.max(...betweenMs)],
    processes,
    silent,
    streams: [...streams.values()],
    legs: [...legs.values()]
  }
}

function addStreams(sums: Map<string, StreamGrowth>, now: AnnouncedLedger, was: AnnouncedLedger | undefined): void {
  for (const row of now.streams) {
    const { stream } = row
    const old = was?.streams.find((one) => one.stream === stream)
    const sum = sums.get(stream) ?? { stream, offered: 0, admitted: 0, rejected: 0 }
    sums.set(stream, sum)
    sum.offered += row.offered - (old?.offered ?? 0)
    sum.admitted += row.admitted - (old?.admitted ?? 0)
    sum.rejected += total(row.rejected) - total(old?.rejected ?? {})
  }
}

function addLegs(sums: Map<string, LegGrowth>, now: AnnouncedLedger, was: AnnouncedLedger | undefined): void {
  for (const row of now.legs) {
    const { stream, sink, epoch } = row
    const old = was?.legs.find((one) => one.stream === stream && one.sink === sink && one.epoch === epoch)
    const key = `${stream}\n${sink}`
    const sum = sums.get(key) ?? { stream, sink, admitted: 0, stored: 0, deadLettered: 0, dropped: 0 }
    sums.set(key, sum)
    sum.admitted += row.admitted - (old?.admitted ?? 0)
    sum.stored += row.stored - (old?.stored ?? 0)
    sum.deadLettered += total(row.deadLettered) - total(old?.deadLettered ?? {})
    sum.dropped += total(row.dropped) - total(old?.dropped ?? {})
  }
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
