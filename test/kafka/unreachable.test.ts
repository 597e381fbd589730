import { missingAddon } from "@leat/brokers"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Fiber, Logger } from "effect"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { type AddressInfo, createServer, type Server } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

/** As a listener of Kafka without TLS: it closes a connection whose first bytes are no request. */
const plain: Server = createServer((socket) => {
  socket.on("error", () => {})
  socket.on("data", () => socket.destroy())
})
const portOf = (server: Server) => (server.address() as AddressInfo).port
let closedPort = 0

beforeAll(async () => {
  const freed = createServer()
  for (const server of [plain, freed]) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closedPort = portOf(freed)
  await new Promise((resolve) => freed.close(resolve))
})
afterAll(() => new Promise((resolve) => plain.close(resolve)))

const cases = [
  {
    what: "a port that is closed",
    section: () => ({ brokers: `127.0.0.1:${closedPort}` }),
    address: () => `127.0.0.1:${closedPort}`,
    cause: /refused/i
  },
  {
    what: "an unknown host",
    section: () => ({ brokers: "no-such-host.invalid:9092" }),
    address: () => "no-such-host.invalid:9092",
    cause: /not known|ENOTFOUND|EAI_AGAIN/
  },
  {
    what: "a port without TLS",
    section: () => ({ brokers: `127.0.0.1:${portOf(plain)}`, tls: { verify: false } }),
    address: () => `127.0.0.1:${portOf(plain)}`,
    cause: /SSL handshake failed|secure TLS connection/
  }
]

for (const driver of [kafkajs, confluent]) {
  const missing = driver === confluent ? missingAddon() : undefined
  // oxlint-disable-next-line vitest/valid-title
  describe(
    `brokers that cannot be reached, through ${driver.name}`,
    { skip: missing !== undefined, concurrent: true },
    () => {
      it.each(cases)("$what is warned of within 5 s, with address and cause", ({ section, address, cause }) => {
        const warnings: Array<string> = []
        const logger = Logger.make(({ message, logLevel }) => {
          if (logLevel === "Warn") warnings.push(String(message))
        })
        const program = Effect.gen(function* () {
          const leat = yield* Leat.make({
            source: "unreachable",
            routes: {
              version: 1,
              clusters: { fronting: { transport: driver.name, ...section(), connectMs: 3000 } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "fronting", topic: "{stream}" }] }]
            },
            drivers: [driver]
          })
          const opening = yield* Effect.forkChild(leat.stream(BeaconSighting))
          yield* waitUntil(
            "a warning",
            Effect.sync(() => warnings.length > 0),
            { withinMs: 5000, everyMs: 50 }
          )
          yield* Fiber.interrupt(opening)
          expect(warnings).toHaveLength(1)
          expect(warnings[0]).toContain("the cluster fronting is not open yet, and is tried again: ")
          expect(warnings[0]).toContain(address())
          expect(warnings[0]).toMatch(cause)
        })
        return Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
      })

      it.each(cases)("$what is the fault in the end, with address and cause", async ({ section, address, cause }) => {
        const opening = Effect.scoped(driver.open("fronting", { ...section(), connectMs: 1000 }))
        const { reason, detail } = await Effect.runPromise(Effect.flip(opening))
        expect(reason).toBe("Unavailable")
        expect(detail).toContain(address())
        expect(detail).toMatch(cause)
      })
    }
  )
}
