import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { Effect, Logger, type Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, TransportError } from "leat"
import { open } from "leat/promise"
import { simulate } from "leat/testing"
import type { ClusterConfig, Driver } from "leat/transport"
import { afterAll, describe, expect, it } from "vitest"
import { type ReferenceReaders, References } from "../../src/routes/References.js"
import { noteContract } from "../contracts/Note.js"
import { note } from "../publish/stories.js"

const folder = mkdtempSync(join(tmpdir(), "leat-renewals-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** A cluster that lets those in who know the password that it has now, and notes who sends. */
function guarded() {
  const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
  const calls: Array<string> = []
  const guard: { password: string; asks: boolean; elsewhere?: Driver } = { password: "hunter-one", asks: false }
  const without = (config: ClusterConfig): ClusterConfig =>
    Object.fromEntries(Object.entries(config).filter(([field]) => field !== "password"))
  const driver: Driver = {
    ...inner,
    name: "guarded",
    inspect: (config) => inner.inspect(without(config)),
    open: (cluster, config, reread) =>
      Effect.gen(function* () {
        const { password } = config
        if (guard.asks && reread !== undefined) yield* reread
        calls.push(`open by ${String(password)}`)
        yield* Effect.addFinalizer(() => Effect.sync(() => void calls.push(`close by ${String(password)}`)))
        if (password !== guard.password) {
          const detail = `${String(password)} is not the password`
          return yield* new TransportError({
            reason: "Unauthenticated",
            transport: "guarded",
            operation: "open",
            detail
          })
        }
        const transport = yield* (guard.elsewhere ?? inner).open(cluster, without(config))
        return {
          ...transport,
          openWriter: (topic) =>
            Effect.map(transport.openWriter(topic), (writer) => ({
              ...writer,
              send: (...sent) => {
                calls.push(`send by ${password}`)
                writer.send(...sent)
              }
            }))
        }
      })
  }
  return { driver, calls, guard }
}

const documentOf = (reference: string, version = 1) => ({
  version,
  clusters: { main: { transport: "guarded", password: reference } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "main", topic: "notes", linger: "1 milli" }] }]
})

/** A story on virtual time in which the file of a secret is replaced; and what was logged. */
function renewing(
  tell: (
    secret: { text: string | undefined },
    place: ReturnType<typeof guarded>,
    logged: ReadonlyArray<string>
  ) => Effect.Effect<void, unknown, Scope.Scope>
): void {
  const secret: { text: string | undefined } = { text: "hunter-one" }
  const logged: Array<string> = []
  const readers: ReferenceReaders = {
    variable: () => undefined,
    file: () =>
      Effect.suspend(() => (secret.text === undefined ? Effect.fail("is not there") : Effect.succeed(secret.text)))
  }
  const logger = Logger.make(({ message }) => void logged.push(String(message)))
  const { exit } = simulate(
    1,
    Effect.scoped(Effect.suspend(() => tell(secret, guarded(), logged))).pipe(
      Effect.provideService(References, readers),
      Effect.provide(Logger.layer([logger]))
    )
  )
  if (exit._tag === "Failure") throw new Error("the story failed", { cause: exit.cause })
}

describe("references of an open cluster that stand for something else", () => {
  it("have another client opened within half a minute, which takes over", () =>
    renewing((secret, { driver, calls, guard }, logged) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf("${file:pw}"), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        yield* notes.publish(note("k", "1"))
        yield* Effect.sleep("5 minutes")
        expect(calls).toEqual(["open by hunter-one", "send by hunter-one"])
        secret.text = "hunter-two"
        guard.password = "hunter-two"
        yield* Effect.sleep("31 seconds")
        yield* notes.publish(note("k", "2"))
        expect(calls.slice(2)).toEqual(["open by hunter-two", "close by hunter-one", "send by hunter-two"])
        expect(logged.join()).toContain(
          "cluster main has another client, because its references stand for something else"
        )
        expect(logged.join()).not.toContain("hunter")
        yield* Effect.sleep("5 minutes")
        expect(calls.length).toBe(5)
      })
    ))

  it("are looked at with each table, before that is answered", () =>
    renewing((secret, { driver, calls, guard }) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf("${file:pw}"), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        secret.text = "hunter-two"
        guard.password = "hunter-two"
        yield* leat.swapRoutes(documentOf("${file:pw}", 2))
        yield* notes.publish(note("k", "1"))
        expect(calls.at(-1)).toBe("send by hunter-two")
      })
    ))

  it("are told once where no client can be opened with them, and tried again", () =>
    renewing((secret, { driver, calls, guard }, logged) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf("${file:pw}"), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        secret.text = "hunter-two"
        yield* Effect.sleep("5 minutes")
        yield* notes.publish(note("k", "1"))
        expect(calls.at(-1)).toBe("send by hunter-one")
        expect(calls.filter((call) => call === "open by hunter-two").length).toBe(10)
        expect(calls.filter((call) => call === "close by hunter-two").length).toBe(10)
        const warnings = logged.filter((line) => line.includes("cluster main"))
        expect(warnings).toEqual([
          "cluster main goes on with the client that it has; with what its references stand for now no client can take over: guarded open: Unauthenticated: ${file:pw} is not the password"
        ])
        guard.password = "hunter-two"
        yield* Effect.sleep("31 seconds")
        yield* notes.publish(note("k", "2"))
        expect(calls.at(-1)).toBe("send by hunter-two")
      })
    ))

  it("are not taken over where they stand for another cluster, and no client stays open", () =>
    renewing((secret, { driver, calls, guard }) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf("${file:pw}"), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        yield* notes.publish(note("k", "1"))
        guard.elsewhere = memoryDriver(new MemoryBroker({ partitions: 1 }))
        secret.text = "hunter-two"
        guard.password = "hunter-two"
        yield* Effect.sleep("5 minutes")
        expect(calls.filter((call) => call === "open by hunter-two").length).toBe(10)
        expect(calls.filter((call) => call === "close by hunter-two").length).toBe(10)
        yield* notes.publish(note("k", "2"))
        expect(calls.at(-1)).toBe("send by hunter-one")
      })
    ))

  it("are told once where they cannot be read any more, and what is open goes on", () =>
    renewing((secret, { driver, calls }, logged) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf("${file:pw}"), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        secret.text = undefined
        yield* Effect.sleep("5 minutes")
        yield* notes.publish(note("k", "1"))
        expect(calls).toEqual(["open by hunter-one", "send by hunter-one"])
        expect(logged.filter((line) => line.includes("cluster main"))).toEqual([
          "cluster main goes on with the client that it has; its references cannot be read: password: the file pw is not there; correct the path, or put the file there"
        ])
      })
    ))

  it("are left to a driver that asks for them itself", () =>
    renewing((secret, { driver, calls, guard }) =>
      Effect.gen(function* () {
        guard.asks = true
        const leat = yield* Leat.make({ source: "test", routes: documentOf("${file:pw}"), drivers: [driver] })
        yield* leat.stream(noteContract())
        secret.text = "hunter-two"
        guard.password = "hunter-two"
        yield* Effect.sleep("5 minutes")
        expect(calls).toEqual(["open by hunter-one"])
      })
    ))

  it("in a file are taken over with a routes file that is followed", async () => {
    const { driver, calls, guard } = guarded()
    const [secret, routes] = [join(folder, "password"), join(folder, "routes.json")]
    writeFileSync(secret, "hunter-one\n")
    writeFileSync(routes, JSON.stringify(documentOf(`\${file:${secret}}`)))
    const leat = await open({ source: "test", routes: { file: routes, every: "10 millis" }, drivers: [driver] })
    const notes = await leat.stream(noteContract())
    await notes.publish(note("k", "1"))
    writeFileSync(secret, "hunter-two\n")
    guard.password = "hunter-two"
    writeFileSync(routes, JSON.stringify(documentOf(`\${file:${secret}}`, 2)))
    for (let look = 0; look < 500 && leat.effect.routes().version < 2; look++) await setTimeout(10)
    for (let look = 0; look < 500 && !calls.includes("close by hunter-one"); look++) await setTimeout(10)
    await notes.publish(note("k", "2"))
    await leat.close()
    expect(calls.filter((call) => call.startsWith("send"))).toEqual(["send by hunter-one", "send by hunter-two"])
  })
})
