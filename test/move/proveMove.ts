// Moves a stream back and forth between two places while processes publish and read it: two logs, a log and Kafka, or two Kafkas. Kills some of them, stops
// and cuts off others for longer than the lease, kills brokers, takes moves back and ends them before they are sealed. Then everything is well again, and both
// places and what handlers have printed are judged. Exit code 0: nothing that was told stored is lost, and order holds; 3: not, and the last line says what.
//   node --conditions=@leat/source test/move/proveMove.ts [moves] [seed] [--pair logs|log-kafka|kafka] [--driver kafkajs|confluent] [--nodes 1|3] [--outages none|spilled] [--order keep|relaxed]
import { Cause, Effect, Exit } from "effect"
import { seededRandom } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { diskVariable, groundIn, type GroundOptions, opened, pairs } from "./Ground.ts"
import { type Found, judged, pausesOf, readRanges, type Verdict } from "./judge.ts"
import { linesOf, type Member, movedFleet, type Range, Violation } from "./MovedFleet.ts"
import { groups, Mover, type Told } from "./Mover.ts"

/** Most of one move, and of what is around them all, in milliseconds: processes that are left then are killed. */
const [moveMsMax, aroundMsMax] = [120_000, 240_000]
/** An offer waits for nothing. A process that was stopped in one, or for whose core others wait, takes this time. */
const offerMsMax = 2000

interface MoveReport extends Omit<Verdict, "violation">, Omit<Told, "calm"> {
  readonly pair: string
  /** Epochs that were opened. */
  readonly opened: number
  readonly offerMs: Spread
  /** From the begin of a publish until it was told stored, gates included. */
  readonly storedMs: Spread
  /** From the last event of the old place that a group handled to the first of the new one; `calm`: of moves without a mishap. */
  readonly dispatchMs: Spread
  readonly dispatchCalmMs: Spread
  readonly seconds: number
  readonly violation?: string
}

interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

async function proveMove(moves: number, seed: number, options: GroundOptions): Promise<MoveReport> {
  const folder = mkdtempSync(join(tmpdir(), "leat-move-"))
  try {
    return await Effect.runPromise(Effect.scoped(proved(folder, moves, seed, options)))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const proved = Effect.fnUntraced(function* (folder: string, moves: number, seed: number, options: GroundOptions) {
  const beginMs = performance.now()
  const told: Told = {
    moves: 0,
    aborted: 0,
    rolledBack: 0,
    kills: 0,
    brokerKills: 0,
    stops: 0,
    cuts: 0,
    passedOver: 0,
    calm: new Set()
  }
  const members: Array<Member> = []
  const ranges = new Map<number, Range>()
  const ground = yield* groundIn(folder, options)
  const { driver = "", hasOutages, order } = options
  const isRelaxed = order === "relaxed"
  const pair = `${options.pair} ${driver} ${hasOutages ? "with outages" : ""} ${isRelaxed ? "relaxed" : ""}`
    .trim()
    .replaceAll(/ +/g, " ")
  const running = Effect.gen(function* () {
    const deadlineMs = aroundMsMax + moves * moveMsMax
    const fleet = yield* movedFleet({ ground, seed: seed * 1000, deadlineMs })
    const mover = new Mover(fleet, ground, seededRandom(seed), told)
    const ending = Effect.sync(() => {
      members.push(...fleet.members)
      for (const [epoch, range] of fleet.ranges) ranges.set(epoch, range)
    })
    yield* Effect.ensuring(mover.run(moves), ending)
  })
  const exit = yield* Effect.exit(Effect.scoped(running))
  if (Exit.isFailure(exit)) {
    const failed = Cause.squash(exit.cause)
    const violation =
      failed instanceof Error ? (failed instanceof Violation ? failed.message : (failed.stack ?? "")) : String(failed)
    tellErrors(members)
    return { ...reportOf(pair, isRelaxed, told, members, undefined, beginMs), violation }
  }
  const { near, far } = ground.clusters
  const transports = { near: yield* opened("near", near), far: yield* opened("far", far) }
  const report = reportOf(pair, isRelaxed, told, members, yield* readRanges(transports, ranges), beginMs)
  if (report.violation !== undefined) tellErrors(members)
  return report
})

/** What the processes have warned of. */
function tellErrors(members: ReadonlyArray<Member>): void {
  for (const { name, child } of members) {
    const warnings = child.errors
      .split(/(?=\[\d\d:\d\d:\d\d)/)
      .filter((line) => line !== "" && !line.includes("] INFO"))
    process.stderr.write(`${name}: ${warnings.join("\n  ")}\n`)
  }
}

function reportOf(
  pair: string,
  isRelaxed: boolean,
  told: Told,
  members: ReadonlyArray<Member>,
  found: Found | undefined,
  beginMs: number
): MoveReport {
  const { calm, ...counts } = told
  const verdict = judged(members, groups, found ?? { standing: [], late: 0, garbled: [] }, {
    ...told,
    kills: told.kills + told.brokerKills,
    isRelaxed
  })
  const lines = members.flatMap((member) => [...linesOf(member)])
  const tookMs = (kind: string) => lines.flatMap((line) => (line[0] === kind ? [Number(line[2])] : []))
  const pauses = found === undefined ? [] : pausesOf(members, groups, found)
  const offersMs = tookMs("offered")
  const { violation: judgedViolation, ...rest } = verdict
  const blocked = offersMs.filter((ms) => ms > offerMsMax).length
  const violation =
    found === undefined
      ? undefined
      : (judgedViolation ?? (blocked > told.stops ? `${blocked} offers took longer than ${offerMsMax} ms` : undefined))
  return {
    pair,
    ...counts,
    opened: new Set(found?.standing.map(({ epoch }) => epoch)).size,
    ...rest,
    offerMs: spreadOf(offersMs),
    storedMs: spreadOf(tookMs("stored")),
    dispatchMs: spreadOf(pauses.map(({ ms }) => ms)),
    dispatchCalmMs: spreadOf(pauses.flatMap(({ epoch, ms }) => (calm.has(epoch) ? [ms] : []))),
    seconds: Math.round((performance.now() - beginMs) / 1000),
    ...(violation === undefined ? {} : { violation })
  }
}

function spreadOf(all: ReadonlyArray<number>): Spread {
  const sorted = all.toSorted((one, other) => one - other)
  const at = (share: number) =>
    Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)) / 10
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

const { values, positionals } = parseArgs({
  options: {
    pair: { type: "string", default: "logs" },
    driver: { type: "string" },
    nodes: { type: "string" },
    outages: { type: "string", default: "none" },
    order: { type: "string", default: "keep" }
  },
  allowPositionals: true
})
const pair = pairs.find((one) => one === values.pair)
if (pair === undefined) throw new Error(`--pair ${values.pair}: it is one of ${pairs.join(", ")}`)
const { driver } = values
if (driver !== undefined && driver !== "kafkajs" && driver !== "confluent")
  throw new Error(`--driver ${driver}: it is kafkajs or confluent`)
const [moves = "9", seed = "1"] = positionals
const hasOutages = values.outages === "spilled"
if (!hasOutages && values.outages !== "none")
  throw new Error(
    `--outages ${values.outages}: it is none, or spilled: no process reaches a cluster all the time, and each has a spill`
  )
const { order } = values
if (order !== "keep" && order !== "relaxed") throw new Error(`--order ${order}: it is keep or relaxed`)
// The tool compiles the document too, and puts nothing there.
process.env[diskVariable] = "tool"
const nodes = values.nodes === "3" ? 3 : 1
const report = await proveMove(Number(moves), Number(seed), { pair, driver, nodes, hasOutages, order })
process.stdout.write(`${JSON.stringify(report)}\n`)
process.exitCode = report.violation === undefined ? 0 : 3
