// A process of a fleet whose stream is moved. It publishes, or reads as a member of a group, until it is told to end by SIGTERM, and prints a line of JSON
// for each thing that the proof has to know (`Line`). SIGUSR2 cuts it off from the control stream, and joins it again.
// SIGHUP: the clusters are well from now on.
//   member.ts <settings, as JSON> <name> <seed> [group]
import { type EventStream, Leat, type OpenLeat } from "leat"
import { Effect, Exit, Scope } from "effect"
import { seededRandom } from "leat/testing"
import { setTimeout as sleep } from "node:timers/promises"
import type { ClusterConfig } from "leat/transport"
import { cuttable, cuttableName } from "./cuttable.ts"
import { contract, type Note, textOf } from "./event.ts"
import { diskVariable, driverOf, drivers, keys, lease } from "./Ground.ts"
import type { Line } from "./Line.ts"
import { Outages } from "./outages.ts"

/** Of a process: the section of the control stream's cluster; and its disk, where clusters are away now and then. */
export interface Settings {
  readonly control: ClusterConfig
  readonly disk: string | undefined
}

const [settings = "{}", name = "", seed = "1", group] = process.argv.slice(2)
const { control: section, disk } = JSON.parse(settings) as Settings
process.env[diskVariable] = disk
const random = seededRandom(Number(seed))
/** The same in all processes of a machine. */
const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000
const ending = new AbortController()
process.once("SIGTERM", () => ending.abort())
let isCut = false
process.on("SIGUSR2", () => (isCut = !isCut))
const outages = new Outages(Number(seed) + 1, (records) => say(["unanswered", records]))
if (disk !== undefined) outages.begin()
process.on("SIGHUP", () => outages.end())
// Nobody ends it when the proof is killed.
const { ppid } = process
setInterval(() => void (process.ppid === ppid || process.exit(1)), 1000).unref()

/** Written when it returns: a pipe is written to synchronously. */
function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const scope = Effect.runSync(Scope.make())
const leat = await Effect.runPromise(
  Scope.provide(
    Leat.make({
      source: "move",
      drivers: [
        ...drivers.map((driver) => outages.driver(driver, ["near", "far"])),
        cuttable(driverOf(section), () => isCut)
      ],
      control: { cluster: { ...section, transport: cuttableName }, lease },
      drain: "2 minutes"
    }),
    scope
  )
)
const notes = await Effect.runPromise(leat.stream(contract))
say(["open", leat.incarnation])
if (group !== undefined) await Effect.runPromise(Scope.provide(reading(notes, group), scope))
if (group === undefined) await publish(leat, notes)
else while (!ending.signal.aborted) await sleep(20)
await Effect.runPromise(Scope.close(scope, Exit.void))
say(["end", leat.ledger.snapshot().balanced])
process.exit()

/** Events come in the order of their keys, so a line is written when the handler of its event ends, and before that of the next one begins. */
function reading(stream: EventStream<Note>, ofGroup: string) {
  const handler = ({ key, text }: Note, { id }: { readonly id: { readonly seq: number } | undefined }) =>
    Effect.map(random() < 0.05 ? Effect.sleep(2) : Effect.void, () =>
      say(["handled", text, key, id?.seq ?? -1, nowMs()])
    )
  return stream.handle(ofGroup, handler, { concurrency: 4 })
}

/** Offers, and publishes at both levels; a text is the name of the process and a number that is never used again. */
async function publish({ flush }: OpenLeat, stream: EventStream<Note>): Promise<void> {
  for (let number = 0; !ending.signal.aborted; number++) {
    const key = `k${Math.floor(random() * keys)}`
    const text = textOf(name, number, key)
    const note = { key, text }
    const share = random()
    const beginMs = nowMs()
    if (share < 0.4) {
      const { admitted } = stream.offer(note)
      say(["offered", admitted ? text : "", nowMs() - beginMs])
    } else if (share < 0.7) {
      const isQueued = await Effect.runPromise(Effect.isSuccess(stream.publish(note, { level: "queued" })))
      if (isQueued) say(["queued", text, nowMs() - beginMs])
    } else {
      const level = disk !== undefined && random() < 0.7 ? "durable" : "stored"
      const stored = Effect.match(stream.publish(note, { level }), {
        onSuccess: () => say(["stored", text, nowMs() - beginMs]),
        onFailure: ({ message }) => say(["failed", text, message])
      })
      Effect.runFork(stored)
    }
    await sleep(2 + random() * 16)
  }
  await Effect.runPromise(flush)
}
