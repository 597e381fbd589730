import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TransportError } from "leat/transport"
import { describe, expect } from "vitest"
import { bearerToken } from "../src/bearerToken.js"
import type { KafkaClientCredentials } from "../src/KafkaOptions.js"

interface Answer {
  readonly status: number
  readonly body: string
  readonly location?: string
}

const jwt = (claims: object): string =>
  ["{}", JSON.stringify(claims), "signature"].map((part) => Buffer.from(part).toString("base64url")).join(".")

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ""
  for await (const part of request) text += String(part)
  return text
}

/** An authorization server that answers everything the same, and what it was asked. */
const authorizationServer = (answer: Answer) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly endpoint: string; readonly asked: Array<string>; readonly close: () => void }>(
      (resume) => {
        const asked: Array<string> = []
        const server = createServer((request, response) => {
          void textOf(request).then((body) => {
            asked.push(`${request.method} ${request.headers.authorization} ${body}`)
            response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location })
            response.end(answer.body)
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          const close = () => void server.close()
          resume(Effect.succeed({ endpoint: `http://127.0.0.1:${port}/token?key=hunter2`, asked, close }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

const credentials = (tokenEndpoint: string): KafkaClientCredentials => ({
  mechanism: "OAUTHBEARER",
  tokenEndpoint,
  clientId: "leat:one",
  clientSecret: Redacted.make("hunter2 & more"),
  scope: "kafka"
})

describe("a bearer token", () => {
  it.effect("that is given says when it expires and whom it names, when it is a JWT", () =>
    Effect.gen(function* () {
      const token = Redacted.make(jwt({ sub: "gateway", exp: 2_000_000_000 }))
      const told = yield* bearerToken("@leat/kafkajs", { mechanism: "OAUTHBEARER", token })
      assert.deepStrictEqual([told.principal, told.expiresAtMs], ["gateway", 2_000_000_000_000])
      assert.strictEqual(Redacted.value(told.value), Redacted.value(token))
    })
  )

  it.effect("that is no JWT is taken as it is", () =>
    Effect.gen(function* () {
      for (const text of ["opaque", "a.b.c", "a.bnVsbA.c", ""]) {
        const told = yield* bearerToken("@leat/kafkajs", { mechanism: "OAUTHBEARER", token: Redacted.make(text) })
        assert.deepStrictEqual([told.principal, told.expiresAtMs], ["leat", undefined])
      }
    })
  )

  it.effect(
    "is asked for with identifier and secret in the header, form-encoded, and expires when the server says",
    () =>
      Effect.gen(function* () {
        const server = yield* authorizationServer({ status: 200, body: '{"access_token":"fresh","expires_in":300}' })
        const told = yield* bearerToken("@leat/kafkajs", credentials(server.endpoint))
        assert.strictEqual(Redacted.value(told.value), "fresh")
        assert.strictEqual(told.expiresAtMs, 300_000)
        const basic = Buffer.from("leat%3Aone:hunter2+%26+more").toString("base64")
        assert.deepStrictEqual(server.asked, [`POST Basic ${basic} grant_type=client_credentials&scope=kafka`])
      })
  )

  it.live.each([
    [{ status: 401, body: '{"error":"invalid_client"}' }, "Unauthenticated", /says 401 \(invalid_client\)/],
    [{ status: 400, body: '{"error":"hunter2 is wrong"}' }, "Unauthenticated", /says 400$/],
    [{ status: 429, body: "" }, "Throttled", /says 429/],
    [{ status: 503, body: "hunter2" }, "Unavailable", /says 503/],
    [{ status: 200, body: "hunter2" }, "Unauthenticated", /gave no access_token/],
    [{ status: 302, body: "", location: "https://elsewhere.invalid/" }, "Unavailable", /cannot be reached/]
  ] as const)("fails with a reason, and without a secret: %j", ([answer, reason, detail]) =>
    Effect.gen(function* () {
      const server = yield* authorizationServer(answer)
      const error = yield* Effect.flip(bearerToken("@leat/kafkajs", credentials(server.endpoint)))
      assert.instanceOf(error, TransportError)
      assert.strictEqual(error.reason, reason)
      expect(error.detail).toMatch(detail)
      assert.notInclude(inspect(error, { depth: 10 }), "hunter2")
    })
  )

  it.live("of a server that is not there may come later", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(bearerToken("@leat/kafkajs", credentials("http://127.0.0.1:1/token")))
      assert.strictEqual(error.reason, "Unavailable")
    })
  )
})
