import { Effect, Option, Result, type Scope } from "effect"
import { type Announcement, crashLossesOf, hasBucket, taggedStream, TransportError } from "leat/transport"
import { readdir, readFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { faultOf } from "../Fault.ts"
import { settingsOf } from "../LogTransport.ts"
import { LogWorker } from "../LogWorker.ts"
import type { IdRange } from "../Message.ts"
import { ledgerName } from "../store/tables/Directory.ts"
import { decodeLedgerFile, type LedgerFile, type LedgerOwner } from "./ledgerFile.ts"
import { beginOf, hasThread } from "./processOf.ts"

/** What became of the announced events of a stream in a sink whose process is gone, in events; of all epochs together. */
export interface CrashLoss {
  readonly stream: string
  /** `cluster/topic`. */
  readonly sink: string
  /** The last one. */
  readonly epoch: number
  /** Announced as admitted. */
  readonly admitted: number
  /** Of these: found in the log, by id. */
  readonly stored: number
  /** Announced as dropped, of its own or of what an earlier process had left. */
  readonly dropped: number
  /** In its spill, or in its fallback, when it announced, and not stored here since, as far as is known. */
  readonly spilled: number
  /** Lost with the process: on its way when it announced, and not stored. At most so many, where what came after the announcement leaves more than one answer. */
  readonly crashLost: number
  /** Announced as stored, and not in the log: at least so many. */
  readonly missing: number
  /** In the log, or dropped, beyond what was admitted, at least: then the announcement and the log contradict each other. */
  readonly excess: number
}

/** The last announcement of one incarnation. */
export interface AnnouncedLedger extends Announcement {
  readonly owner: LedgerOwner
  /** The names of the clusters that are the log of this directory; absent in files of earlier versions. */
  readonly clusters?: ReadonlyArray<string>
  /**
   * `closed`: nothing is missing. `running`: its process is there. `gone`: it is not, and what came after the announcement is
   * unknown. `forgotten`: gone for so long that the log has deleted ids of its events (`retention.idsMs`), so that nobody can tell any
   * more what was lost. `elsewhere`: of another host, so that nobody here can tell.
   */
  readonly state: "closed" | "running" | "gone" | "forgotten" | "elsewhere"
  /** For each leg into this log, when the process is gone; empty otherwise. */
  readonly crashLosses: ReadonlyArray<CrashLoss>
}

/** What leats have announced below one directory. */
export interface Ledgers {
  /** By time of announcement. */
  readonly ledgers: ReadonlyArray<AnnouncedLedger>
  /** Files that cannot be read: what their incarnations did is unknown. */
  readonly unreadable: ReadonlyArray<{ readonly path: string; readonly why: string }>
}

/**
 * Reads what leats have announced below a directory, while they run or not. Where the directory is that of a log, it counts what was lost
 * with those that are gone. Fails with `UnknownTopic` where there is neither a log nor an announcement, and where a log was that is gone.
 *
 * @example
 * ```ts
 * const { ledgers, unreadable } = yield* readLedgers("./data")
 * const lost = ledgers.flatMap(({ crashLosses }) => crashLosses).reduce((total, { crashLost }) => total + crashLost, 0)
 * ```
 */
export const readLedgers = (directory: string): Effect.Effect<Ledgers, TransportError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* Effect.result(openIds(directory))
      const { files, unreadable } = yield* readFiles(join(directory, ledgerName))
      if (Result.isFailure(log) && !(log.failure.reason === "UnknownTopic" && isWithoutLog(files)))
        return yield* log.failure
      const ledgers = yield* Effect.forEach(files, (file) => {
        const state = stateOf(file)
        if (state !== "gone" || Result.isFailure(log)) return Effect.succeed({ ...file, state, crashLosses: [] })
        return lossesOf(file, log.success)
      })
      return { ledgers: ledgers.toSorted((a, b) => a.announcedAtMs - b.announcedAtMs), unreadable }
    })
  )

/** Services on another cluster keep their ledgers in a folder of their own, in which no process has opened a log. */
function isWithoutLog(files: ReadonlyArray<LedgerFile>): boolean {
  return files.length > 0 && files.every(({ clusters }) => clusters?.length === 0)
}

/** Where a log is asked for ids. */
interface LogIds {
  readonly worker: LogWorker
  readonly topics: ReadonlySet<string>
}

const openIds = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<LogIds, TransportError, Scope.Scope> {
  const worker = yield* LogWorker.open(settingsOf({ directory }, true))
  const { topics } = yield* worker.call("inspect", {})
  return { worker, topics: new Set(topics.map(({ topic }) => topic)) }
})

/** What became of the events of a process that is gone. */
const lossesOf = Effect.fnUntraced(function* (
  file: LedgerFile,
  { worker, topics }: LogIds
): Effect.fn.Return<AnnouncedLedger, TransportError> {
  const incarnation = Buffer.from(file.incarnation.replaceAll("-", ""), "hex")
  const crashLosses: Array<CrashLoss> = []
  const sinks = Map.groupBy(file.legs, ({ stream, sink }) => JSON.stringify([stream, sink]))
  for (const legs of sinks.values()) {
    const { sink = "" } = legs[0] ?? {}
    const slash = sink.indexOf("/")
    const topic = sink.slice(slash + 1)
    const isHere = file.clusters?.includes(sink.slice(0, slash)) ?? true
    if (!isHere || !topics.has(topic)) continue
    const { isComplete, ranges } = yield* worker.call("ids", { topic, incarnation })
    if (!isComplete) return { ...file, state: "forgotten", crashLosses: [] }
    crashLosses.push(lossOf(file, legs, ranges))
  }
  return { ...file, state: "gone", crashLosses }
})

function lossOf(file: LedgerFile, legs: LedgerFile["legs"], ranges: ReadonlyArray<IdRange>): CrashLoss {
  const { stream = "", sink = "" } = legs[0] ?? {}
  const sequences = file.streams.find((row) => row.stream === stream)?.sequences ?? []
  const own = ranges.filter((range) => range.stream === stream || range.stream === taggedStream(stream))
  const found = foundOf(legs, new Map(sequences), own)
  const { lost, kept, missing, excess } = crashLossesOf(legs, found)
  const sum = (count: (leg: LedgerFile["legs"][number]) => number) => legs.reduce((all, leg) => all + count(leg), 0)
  return {
    stream,
    sink,
    epoch: Math.max(...legs.map(({ epoch }) => epoch)),
    admitted: sum(({ admitted }) => admitted),
    stored: found.present,
    dropped: sum(({ dropped }) => sumOf(dropped)),
    spilled: kept,
    crashLost: lost,
    missing,
    excess
  }
}

/** What the ids of a topic say of the announced sequences. */
function foundOf(legs: LedgerFile["legs"], nexts: ReadonlyMap<number, number>, ranges: ReadonlyArray<IdRange>) {
  const ends = new Map<number, number>()
  let present = 0
  for (const { bucket, first, last } of ranges) {
    const end = Math.min(last + 1, nexts.get(bucket) ?? 0)
    if (end <= first) continue
    present += end - first
    ends.set(bucket, Math.max(ends.get(bucket) ?? 0, end))
  }
  let behind = 0
  for (const [bucket, next] of nexts)
    if (legs.some((leg) => hasBucket(leg, bucket))) behind += next - (ends.get(bucket) ?? 0)
  const reached = Array.from(ends.values()).reduce((all, end) => all + end, 0)
  return { present, behind, between: reached - present }
}

function stateOf({ isClosed, owner }: LedgerFile): Exclude<AnnouncedLedger["state"], "forgotten"> {
  if (isClosed) return "closed"
  if (owner.host !== hostname()) return "elsewhere"
  try {
    process.kill(owner.pid, 0)
    const begin = beginOf(owner.pid)
    if (owner.begin !== undefined && begin !== undefined && owner.begin !== begin) return "gone"
    return owner.thread === undefined || hasThread(owner.pid, owner.thread) ? "running" : "gone"
  } catch (error) {
    // Somebody else's process is a process too.
    return error instanceof Error && "code" in error && error.code === "EPERM" ? "running" : "gone"
  }
}

function readFiles(folder: string) {
  return Effect.tryPromise({
    try: async () => {
      const names = (await namesIn(folder)).filter((name) => name.endsWith(".json"))
      const files: Array<LedgerFile> = []
      const unreadable: Array<Ledgers["unreadable"][number]> = []
      for (const name of names) {
        const path = join(folder, name)
        const text = await textIn(path)
        // Taken away since it was listed.
        if (text === undefined) continue
        const decoded = decodeLedgerFile(text)
        if (Option.isSome(decoded)) files.push(decoded.value)
        else
          unreadable.push({
            path,
            why: "it is no announcement of this version; move it away once you have looked at it"
          })
      }
      return { files, unreadable }
    },
    catch: (error) =>
      new TransportError({ ...faultOf(error, folder), transport: "@leat/log", operation: "ledgers", cause: error })
  })
}

async function namesIn(folder: string): Promise<ReadonlyArray<string>> {
  return (await unlessGone(readdir(folder))) ?? []
}

async function textIn(path: string): Promise<string | undefined> {
  return await unlessGone(readFile(path, "utf8"))
}

async function unlessGone<A>(reading: Promise<A>): Promise<A | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  }
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
