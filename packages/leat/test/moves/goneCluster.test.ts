/** The cluster of a stream is gone for good before anybody has begun to move the stream away. */
import { Cause, Effect, Exit, Stream } from "effect"
import { ControlTools, Leat, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import { faultDriver, simulate } from "leat/testing"
import { type Driver, TransportError } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"

const contract = noteContract()
const streams = [contract.stream]

const documentAt = (version: number, cluster: string) =>
  JSON.stringify({
    version,
    clusters: { near: { transport: "near" }, far: { transport: "far" } },
    policies: { again: [{ on: ["passing"], retry: { base: "10 millis" }, then: "halt" }] },
    routes: [{ match: { stream: "*" }, to: [{ cluster, topic: "notes", policy: "again", timeout: "1 second" }] }]
  })

/** Answers nothing any more once it is gone. */
function mortal(broker: MemoryBroker, isGone: () => boolean): Driver {
  const gone = (operation: string) =>
    new TransportError({ reason: "Unavailable", transport: "near", operation, detail: "it is gone" })
  const inner = faultDriver(memoryDriver(broker), {
    send: () => (isGone() ? { kind: "fail", reason: "Unavailable" } : undefined),
    fence: () => (isGone() ? "Unavailable" : undefined)
  })
  return {
    ...inner,
    name: "near",
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        ensure: (spec) => Effect.suspend(() => (isGone() ? Effect.fail(gone("ensure")) : transport.ensure(spec))),
        bounds: (...of) => Effect.suspend(() => (isGone() ? Effect.fail(gone("bounds")) : transport.bounds(...of))),
        read: (...of) => Stream.suspend(() => (isGone() ? Stream.fail(gone("read")) : transport.read(...of)))
      }))
  }
}

it("is left by a move that says so, and by giving its epoch up; publishers and groups go on in the new place", () => {
  let isGone = false
  const [near, far, ofControl] = [new MemoryBroker({ partitions: 2 }), new MemoryBroker(), new MemoryBroker()]
  const drivers = [
    mortal(near, () => isGone),
    { ...memoryDriver(far), name: "far" },
    { ...memoryDriver(ofControl), name: "control" }
  ]
  const control = memoryTransport(ofControl)
  const tool = { author: "tool", reason: "near is gone", drivers }
  const handled: Array<string> = []
  const program = Effect.gen(function* () {
    yield* ControlTools.apply(control, { ...tool, document: documentAt(1, "near") })
    const leat = yield* Leat.make({ source: "test", drivers, control: { cluster: { transport: "control" } } })
    const notes = yield* leat.stream(contract)
    yield* notes.handle("g", ({ text }) => Effect.sync(() => void handled.push(text)))
    yield* notes.publish({ key: "k", text: "before" })
    yield* MoveTools.place(control, { ...tool, streams })
    yield* Effect.sleep("15 seconds")
    isGone = true
    const asked = { ...tool, document: documentAt(2, "far"), streams, partitions: 2, contracts: [contract] }
    const refusal = yield* Effect.flip(MoveTools.start(control, asked))
    expect(refusal.message).toContain("near/notes cannot be reached: near bounds: Unavailable: it is gone")
    const said = { foreignWritersStopped: true, standInsEmpty: true, withoutState: true }
    yield* MoveTools.start(control, { ...asked, ...said })
    notes.offer({ key: "k", text: "after" })
    yield* Effect.sleep("1 minute")
    yield* MoveTools.abandon(control, { ...tool, stream: contract.stream, epoch: 1 })
    yield* Effect.sleep("2 minutes")
    yield* notes.publish({ key: "k", text: "later" }, { level: "stored" })
    yield* Effect.sleep("30 seconds")
    expect(handled).toEqual(["before", "after", "later"])
    const [status] = yield* MoveTools.status(control)
    expect(status?.epochs.map(({ phase }) => phase)).toEqual(["abandoned", "open"])
  })
  const { exit } = simulate(1, Effect.scoped(program), { stepsMax: 5_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
})
